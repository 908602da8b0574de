-- CreateTable
CREATE TABLE "client_keys" (
    "kid" TEXT NOT NULL,
    "sealed_private_key" TEXT NOT NULL,
    "public_key" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "client_keys_pkey" PRIMARY KEY ("kid")
);
