-- AlterTable
ALTER TABLE "connections" ADD COLUMN     "requested_scopes" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "step_ups" JSONB;

