-- The order in which events can be followed without missing one that commits late (docs/adr, on events). Rows that are there
-- already get 0 without being rewritten: the default is a constant when the column is added, and changed afterwards.
ALTER TABLE "events" ADD COLUMN "xid" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "events" ALTER COLUMN "xid" SET DEFAULT ((pg_current_xact_id())::text)::bigint;
CREATE INDEX "events_tenant_id_xid_idx" ON "events"("tenant_id", "xid");

-- CreateTable
CREATE TABLE "webhooks" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "url" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "event_types" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "disabled_code" TEXT,
    "failing_since" TIMESTAMPTZ(3),
    "last_failure_at" TIMESTAMPTZ(3),
    "sealed_secret" TEXT NOT NULL,
    "sealed_previous_secret" TEXT,
    "previous_secret_expires_at" TIMESTAMPTZ(3),
    "created_by_principal_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "webhooks_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "webhooks_tenant_id_id_idx" ON "webhooks"("tenant_id", "id");
ALTER TABLE "webhooks" ADD CONSTRAINT "webhooks_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- CreateTable
CREATE TABLE "webhook_deliveries" (
    "webhook_id" UUID NOT NULL,
    "event_id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "type" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3) DEFAULT CURRENT_TIMESTAMP,
    "last_attempt_at" TIMESTAMPTZ(3),
    "duration_ms" INTEGER,
    "response_status" INTEGER,
    "error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "webhook_deliveries_pkey" PRIMARY KEY ("webhook_id","event_id")
);
CREATE INDEX "webhook_deliveries_webhook_id_next_attempt_at_idx" ON "webhook_deliveries"("webhook_id", "next_attempt_at");

-- Whoever writes an event, and by whichever statement, has it delivered and announced: both come with the commit of the event or
-- not at all. A refresh that worked is the one event in the hot path, and is left out: webhooks are not told of it, and event
-- streams find it by asking.
CREATE FUNCTION "publish_event"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "webhook_deliveries" ("webhook_id", "event_id", "tenant_id", "type")
    SELECT w."id", NEW."id", NEW."tenant_id", NEW."type"
    FROM "webhooks" w
    WHERE w."tenant_id" = NEW."tenant_id" AND w."enabled"
      AND (w."event_types" = '{}' OR NEW."type" = ANY (w."event_types"))
      AND EXISTS (SELECT 1 FROM "connectors" c WHERE c."id" = NEW."connector_id" AND c."owner_kind" = 'tenant');
  IF FOUND THEN
    PERFORM pg_notify('patchbay_changes', 'webhook:' || NEW."tenant_id");
  END IF;
  PERFORM pg_notify('patchbay_changes', 'event:' || NEW."tenant_id");
  RETURN NULL;
END
$$;
CREATE TRIGGER "publish_event" AFTER INSERT ON "events" FOR EACH ROW
  WHEN (NEW."type" <> 'connector.refreshed')
  EXECUTE FUNCTION "publish_event"();
