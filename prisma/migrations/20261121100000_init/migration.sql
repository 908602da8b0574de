-- CreateTable
CREATE TABLE "tenants" (
    "id" UUID NOT NULL,
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "principals" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "principals_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_keys" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "principal_id" UUID NOT NULL,
    "label" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "scopes" TEXT[],
    "key_hash" TEXT NOT NULL,
    "hint" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "connectors" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "owner_kind" TEXT NOT NULL,
    "owner_id" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "url_key" TEXT NOT NULL,
    "label" TEXT NOT NULL DEFAULT '',
    "credential_scope" TEXT NOT NULL,
    "transport" TEXT NOT NULL DEFAULT 'auto',
    "metadata" JSONB,
    "preset_id" TEXT,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "auth_type" TEXT NOT NULL DEFAULT 'auto',
    "client_id" TEXT,
    "sealed_client_secret" TEXT,
    "scopes" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "created_by_principal_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "connectors_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "connections" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "connector_id" UUID NOT NULL,
    "scope" TEXT NOT NULL,
    "subject_id" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'created',
    "disconnect_reason" TEXT,
    "disconnect_code" TEXT,
    "last_error" JSONB,
    "auth_type" TEXT,
    "is_active" BOOLEAN NOT NULL DEFAULT true,
    "issuer" TEXT,
    "token_endpoint" TEXT,
    "revocation_endpoint" TEXT,
    "resource" TEXT,
    "client_id" TEXT,
    "client_source" TEXT,
    "registration_id" UUID,
    "token_endpoint_auth_method" TEXT,
    "scopes" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "grant_epoch" INTEGER NOT NULL DEFAULT 0,
    "token_version" INTEGER NOT NULL DEFAULT 0,
    "lease_owner" UUID,
    "lease_until" TIMESTAMPTZ(3),
    "fail_count" INTEGER NOT NULL DEFAULT 0,
    "next_refresh_at" TIMESTAMPTZ(3),
    "access_expires_at" TIMESTAMPTZ(3),
    "sealed_access_token" TEXT,
    "sealed_refresh_token" TEXT,
    "sealed_extra_headers" TEXT,
    "challenge" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "connections_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tickets" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "connection_id" UUID NOT NULL,
    "ticket_hash" TEXT NOT NULL,
    "sealed_ticket" TEXT NOT NULL,
    "grant_epoch" INTEGER NOT NULL,
    "initiator_principal_id" UUID,
    "initiator_label" TEXT NOT NULL,
    "redirect_url" TEXT,
    "authorization" JSONB,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tickets_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "flows" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "connection_id" UUID NOT NULL,
    "ticket_id" UUID NOT NULL,
    "state_hash" TEXT NOT NULL,
    "browser_hash" TEXT NOT NULL,
    "sealed_verifier" TEXT NOT NULL,
    "grant_epoch" INTEGER NOT NULL,
    "authorization" JSONB NOT NULL,
    "redirect_url" TEXT,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "consumed_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "flows_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "client_registrations" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "issuer" TEXT NOT NULL,
    "redirect_uri" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "sealed_client_secret" TEXT,
    "token_endpoint_auth_method" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "client_registrations_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "events" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "connector_id" UUID NOT NULL,
    "connection_id" UUID,
    "type" TEXT NOT NULL,
    "code" TEXT,
    "detail" TEXT,
    "actor_id" UUID,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "events_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "tenants_slug_key" ON "tenants"("slug");

-- CreateIndex
CREATE UNIQUE INDEX "principals_tenant_id_kind_subject_key" ON "principals"("tenant_id", "kind", "subject");

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_key_hash_key" ON "api_keys"("key_hash");

-- CreateIndex
CREATE INDEX "api_keys_tenant_id_id_idx" ON "api_keys"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "connectors_tenant_id_id_idx" ON "connectors"("tenant_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "connectors_tenant_id_owner_kind_owner_id_url_key_label_key" ON "connectors"("tenant_id", "owner_kind", "owner_id", "url_key", "label");

-- CreateIndex
CREATE INDEX "connections_next_refresh_at_idx" ON "connections"("next_refresh_at");

-- CreateIndex
CREATE INDEX "connections_tenant_id_id_idx" ON "connections"("tenant_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "connections_connector_id_scope_subject_id_key" ON "connections"("connector_id", "scope", "subject_id");

-- CreateIndex
CREATE UNIQUE INDEX "tickets_ticket_hash_key" ON "tickets"("ticket_hash");

-- CreateIndex
CREATE INDEX "tickets_connection_id_idx" ON "tickets"("connection_id");

-- CreateIndex
CREATE INDEX "tickets_expires_at_idx" ON "tickets"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "flows_state_hash_key" ON "flows"("state_hash");

-- CreateIndex
CREATE INDEX "flows_connection_id_idx" ON "flows"("connection_id");

-- CreateIndex
CREATE INDEX "flows_expires_at_idx" ON "flows"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "client_registrations_tenant_id_issuer_redirect_uri_key" ON "client_registrations"("tenant_id", "issuer", "redirect_uri");

-- CreateIndex
CREATE INDEX "events_tenant_id_connector_id_id_idx" ON "events"("tenant_id", "connector_id", "id");

-- AddForeignKey
ALTER TABLE "principals" ADD CONSTRAINT "principals_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_principal_id_fkey" FOREIGN KEY ("principal_id") REFERENCES "principals"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "connectors" ADD CONSTRAINT "connectors_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "connections" ADD CONSTRAINT "connections_connector_id_fkey" FOREIGN KEY ("connector_id") REFERENCES "connectors"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_connection_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "flows" ADD CONSTRAINT "flows_connection_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "flows" ADD CONSTRAINT "flows_ticket_id_fkey" FOREIGN KEY ("ticket_id") REFERENCES "tickets"("id") ON DELETE CASCADE ON UPDATE CASCADE;

