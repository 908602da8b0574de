-- CreateTable
CREATE TABLE "preset_pins" (
    "preset_id" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "pinned_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "preset_pins_pkey" PRIMARY KEY ("preset_id")
);
