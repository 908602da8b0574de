-- AlterTable
ALTER TABLE "connections" ADD COLUMN     "access_lifetime_seconds" INTEGER,
ADD COLUMN     "failing_since" TIMESTAMPTZ(3),
ADD COLUMN     "reauth_by" TIMESTAMPTZ(3),
ADD COLUMN     "refresh_started_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "events" ADD COLUMN     "class" TEXT;
