-- CreateTable
CREATE TABLE "issuers" (
    "issuer" TEXT NOT NULL,
    "paused_until" TIMESTAMPTZ(3),
    "queued_until" TIMESTAMPTZ(3),
    "failures" INTEGER NOT NULL DEFAULT 0,
    "trips" INTEGER NOT NULL DEFAULT 0,
    "window_started_at" TIMESTAMPTZ(3),
    "rejections" INTEGER NOT NULL DEFAULT 0,
    "population" INTEGER,
    "held_until" TIMESTAMPTZ(3),

    CONSTRAINT "issuers_pkey" PRIMARY KEY ("issuer")
);

-- CreateTable
CREATE TABLE "issuer_slots" (
    "issuer" TEXT NOT NULL,
    "slot" INTEGER NOT NULL,
    "holder" UUID,
    "held_until" TIMESTAMPTZ(3),

    CONSTRAINT "issuer_slots_pkey" PRIMARY KEY ("issuer","slot")
);

-- CreateIndex
CREATE INDEX "connections_issuer_next_refresh_at_idx" ON "connections"("issuer", "next_refresh_at");

-- AddForeignKey
ALTER TABLE "issuer_slots" ADD CONSTRAINT "issuer_slots_issuer_fkey" FOREIGN KEY ("issuer") REFERENCES "issuers"("issuer") ON DELETE CASCADE ON UPDATE CASCADE;
