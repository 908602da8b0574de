-- AlterTable
ALTER TABLE "connections" ADD COLUMN     "is_pkce_unverified" BOOLEAN NOT NULL DEFAULT false;

