-- CreateTable
CREATE TABLE "audit_entries" (
    "id" UUID NOT NULL,
    "tenant_id" UUID,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),
    "channel" TEXT NOT NULL,
    "actor_id" UUID,
    "actor_kind" TEXT NOT NULL,
    "actor_subject" TEXT NOT NULL,
    "credential_id" UUID,
    "credential_label" TEXT,
    "address" TEXT,
    "request_id" UUID,
    "action" TEXT NOT NULL,
    "target_type" TEXT,
    "target_id" TEXT,
    "fields" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "outcome" TEXT,
    "code" TEXT,

    CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "audit_entries_tenant_id_id_idx" ON "audit_entries"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "audit_entries_tenant_id_target_id_id_idx" ON "audit_entries"("tenant_id", "target_id", "id");

-- CreateIndex
CREATE INDEX "audit_entries_at_idx" ON "audit_entries"("at");

-- An entry is written once, and ended once: who did what cannot be changed afterwards, by whatever program.
-- \x3b is a semicolon: @prisma/adapter-pg cuts a script into statements at every one, quoted or not.
CREATE FUNCTION "keep_audit_entry"() RETURNS trigger LANGUAGE plpgsql AS E'
DECLARE
  ending text[] := ARRAY[''ended_at'', ''outcome'', ''code'', ''target_id'']\x3b
BEGIN
  IF OLD.outcome IS NOT NULL OR NEW.outcome IS NULL OR (OLD.target_id IS NOT NULL AND NEW.target_id IS DISTINCT FROM OLD.target_id)
    OR to_jsonb(NEW) - ending IS DISTINCT FROM to_jsonb(OLD) - ending
  THEN
    RAISE EXCEPTION ''an audit entry is not changed''\x3b
  END IF\x3b
  RETURN NEW\x3b
END';

CREATE TRIGGER "keep_audit_entry" BEFORE UPDATE ON "audit_entries" FOR EACH ROW
  EXECUTE FUNCTION "keep_audit_entry"();
