-- Keys that were there first go on signing: each signs from when it was made. A process of the former version, which does not
-- know the column, makes keys that sign at once, as it does.
ALTER TABLE "signing_keys" ADD COLUMN "signs_from" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;
ALTER TABLE "client_keys" ADD COLUMN "signs_from" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;
-- the former version signed with the oldest
UPDATE "signing_keys" SET "signs_from" = CASE WHEN "created_at" = (SELECT min("created_at") FROM "signing_keys")
  THEN "created_at" ELSE "created_at" - interval '1 year' END;
UPDATE "client_keys" SET "signs_from" = CASE WHEN "created_at" = (SELECT min("created_at") FROM "client_keys")
  THEN "created_at" ELSE "created_at" - interval '1 year' END;

-- signing_key:<kid>: what tokens are signed with, or checked with, is another
CREATE TRIGGER "announce_signing_key_change" AFTER INSERT OR DELETE ON "signing_keys" FOR EACH ROW
  EXECUTE FUNCTION "announce_change"('signing_key', 'kid');
CREATE TRIGGER "announce_client_key_change" AFTER INSERT OR DELETE ON "client_keys" FOR EACH ROW
  EXECUTE FUNCTION "announce_change"('signing_key', 'kid');
