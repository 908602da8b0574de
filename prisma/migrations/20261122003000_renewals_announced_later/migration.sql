-- A renewal that says so (patchbay.announced_later, for its own statement) is announced by whoever stored it, with others, as soon as
-- it is committed: commits that NOTIFY come one after the other, and each of them wakes every listener. All other changes, and
-- those of earlier versions, are announced as before.
CREATE OR REPLACE TRIGGER "announce_connection_update" AFTER UPDATE ON "connections" FOR EACH ROW
  WHEN ((OLD."state", OLD."auth_type", OLD."token_version", OLD."sealed_access_token", OLD."sealed_refresh_token",
      OLD."sealed_extra_headers", OLD."is_active")
    IS DISTINCT FROM
    (NEW."state", NEW."auth_type", NEW."token_version", NEW."sealed_access_token", NEW."sealed_refresh_token",
      NEW."sealed_extra_headers", NEW."is_active")
    AND current_setting('patchbay.announced_later', true) IS DISTINCT FROM 'yes')
  EXECUTE FUNCTION "announce_change"('connection', 'connector_id', 'id');
