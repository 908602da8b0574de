-- CreateTable
CREATE TABLE "call_counts" (
    "tenant_id" UUID NOT NULL,
    "hour_at" TIMESTAMPTZ(3) NOT NULL,
    "connector_id" UUID NOT NULL,
    "principal_id" UUID NOT NULL,
    "method" TEXT NOT NULL,
    "tool" TEXT NOT NULL,
    "client" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "calls" INTEGER NOT NULL,
    "total_ms" BIGINT NOT NULL,
    "latency" INTEGER[],

    CONSTRAINT "call_counts_pkey" PRIMARY KEY ("tenant_id","hour_at","connector_id","principal_id","method","tool","client","outcome")
);

-- CreateIndex
CREATE INDEX "call_counts_hour_at_idx" ON "call_counts"("hour_at");
