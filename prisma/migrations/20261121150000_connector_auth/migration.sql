-- AlterTable
ALTER TABLE "connectors" ADD COLUMN     "client_issuer" TEXT,
ADD COLUMN     "key_id" TEXT,
ADD COLUMN     "sealed_private_key" TEXT,
ADD COLUMN     "sealed_token" TEXT,
ADD COLUMN     "signing_algorithm" TEXT,
ADD COLUMN     "token_header" TEXT,
ADD COLUMN     "token_scheme" TEXT;

