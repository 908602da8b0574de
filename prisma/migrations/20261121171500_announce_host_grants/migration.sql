-- host_grant:<id>: what a person gave a host is over, or is worth something else now
CREATE TRIGGER "announce_host_grant_update" AFTER UPDATE ON "grants" FOR EACH ROW
  WHEN ((OLD."principal_id", OLD."connector_id", OLD."client_id", OLD."scope", OLD."expires_at", OLD."revoked_at")
    IS DISTINCT FROM
    (NEW."principal_id", NEW."connector_id", NEW."client_id", NEW."scope", NEW."expires_at", NEW."revoked_at"))
  EXECUTE FUNCTION "announce_change"('host_grant', 'id');
CREATE TRIGGER "announce_host_grant_delete" AFTER DELETE ON "grants" FOR EACH ROW
  EXECUTE FUNCTION "announce_change"('host_grant', 'id');
