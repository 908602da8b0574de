-- AlterTable
ALTER TABLE "tickets" ADD COLUMN     "requires_session" BOOLEAN NOT NULL DEFAULT false;
