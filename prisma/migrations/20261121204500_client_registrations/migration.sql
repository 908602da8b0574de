-- AlterTable
ALTER TABLE "oauth_clients" ADD COLUMN     "is_pre_made" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "registration_token_hash" TEXT;
