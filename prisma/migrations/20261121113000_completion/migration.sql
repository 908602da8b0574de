-- AlterTable
ALTER TABLE "flows" ADD COLUMN     "completion_hash" TEXT,
ADD COLUMN     "initiator_principal_id" UUID,
ADD COLUMN     "sealed_callback" TEXT,
ADD COLUMN     "wants_completion" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "tickets" ADD COLUMN     "wants_completion" BOOLEAN NOT NULL DEFAULT false;

-- CreateIndex
CREATE UNIQUE INDEX "flows_completion_hash_key" ON "flows"("completion_hash");
