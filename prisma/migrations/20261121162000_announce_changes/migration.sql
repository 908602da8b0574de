-- Every process hears of changes to what it keeps in memory: NOTIFY is sent with the commit of whoever changes a row, whichever
-- version of the program, or person with psql, that is. The payload is `<kind>:<id>...`, ids only.
-- \x3b is a semicolon: @prisma/adapter-pg cuts a script into statements at every one, quoted or not.
CREATE FUNCTION "announce_change"() RETURNS trigger LANGUAGE plpgsql AS E'
DECLARE
  changed jsonb := CASE TG_OP WHEN ''INSERT'' THEN to_jsonb(NEW) ELSE to_jsonb(OLD) END\x3b
  payload text := TG_ARGV[0]\x3b
BEGIN
  FOR n IN 1 .. TG_NARGS - 1 LOOP
    payload := payload || '':'' || (changed ->> TG_ARGV[n])\x3b
  END LOOP\x3b
  PERFORM pg_notify(''patchbay_changes'', payload)\x3b
  RETURN NULL\x3b
END';

-- api_key:<id>: who has the key, what it may, or whether it works
CREATE TRIGGER "announce_api_key_update" AFTER UPDATE ON "api_keys" FOR EACH ROW
  WHEN ((OLD."principal_id", OLD."role", OLD."scopes", OLD."key_hash", OLD."label", OLD."expires_at", OLD."revoked_at")
    IS DISTINCT FROM
    (NEW."principal_id", NEW."role", NEW."scopes", NEW."key_hash", NEW."label", NEW."expires_at", NEW."revoked_at"))
  EXECUTE FUNCTION "announce_change"('api_key', 'id');
CREATE TRIGGER "announce_api_key_delete" AFTER DELETE ON "api_keys" FOR EACH ROW
  EXECUTE FUNCTION "announce_change"('api_key', 'id');

-- principal:<id>: gone, alone or with its tenant
CREATE TRIGGER "announce_principal_delete" AFTER DELETE ON "principals" FOR EACH ROW
  EXECUTE FUNCTION "announce_change"('principal', 'id');

-- connector:<id>: where it leads, who may use it, how it is authorized
CREATE TRIGGER "announce_connector_update" AFTER UPDATE ON "connectors" FOR EACH ROW
  WHEN ((OLD."owner_kind", OLD."owner_id", OLD."url", OLD."credential_scope", OLD."transport", OLD."enabled", OLD."auth_type",
      OLD."token_header", OLD."token_scheme", OLD."sealed_token")
    IS DISTINCT FROM
    (NEW."owner_kind", NEW."owner_id", NEW."url", NEW."credential_scope", NEW."transport", NEW."enabled", NEW."auth_type",
      NEW."token_header", NEW."token_scheme", NEW."sealed_token"))
  EXECUTE FUNCTION "announce_change"('connector', 'id');
CREATE TRIGGER "announce_connector_delete" AFTER DELETE ON "connectors" FOR EACH ROW
  EXECUTE FUNCTION "announce_change"('connector', 'id');

-- connection:<connector id>:<id>: a connection appears, or holds a newer credential of the same grant
CREATE TRIGGER "announce_connection_insert" AFTER INSERT ON "connections" FOR EACH ROW
  EXECUTE FUNCTION "announce_change"('connection', 'connector_id', 'id');
CREATE TRIGGER "announce_connection_update" AFTER UPDATE ON "connections" FOR EACH ROW
  WHEN ((OLD."state", OLD."auth_type", OLD."token_version", OLD."sealed_access_token", OLD."sealed_refresh_token",
      OLD."sealed_extra_headers", OLD."is_active")
    IS DISTINCT FROM
    (NEW."state", NEW."auth_type", NEW."token_version", NEW."sealed_access_token", NEW."sealed_refresh_token",
      NEW."sealed_extra_headers", NEW."is_active"))
  EXECUTE FUNCTION "announce_change"('connection', 'connector_id', 'id');

-- grant:<connector id>:<connection id>: the grant that calls were made with is over
CREATE TRIGGER "announce_grant_update" AFTER UPDATE ON "connections" FOR EACH ROW
  WHEN (OLD."grant_epoch" <> NEW."grant_epoch")
  EXECUTE FUNCTION "announce_change"('grant', 'connector_id', 'id');
CREATE TRIGGER "announce_grant_delete" AFTER DELETE ON "connections" FOR EACH ROW
  EXECUTE FUNCTION "announce_change"('grant', 'connector_id', 'id');
