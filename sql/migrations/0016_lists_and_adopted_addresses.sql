-- Pages of the releases, newest first.
CREATE INDEX IF NOT EXISTS firmware_releases_created_idx
    ON firmware_releases ((coalesce(created_at, '-infinity'::timestamptz)) DESC, id DESC);
CREATE INDEX IF NOT EXISTS firmware_releases_model_created_idx
    ON firmware_releases (device_model, (coalesce(created_at, '-infinity'::timestamptz)) DESC, id DESC);

-- An adopted database may spell a MAC address in another way than the service does. Two spellings of one address are
-- found by its digits.
CREATE INDEX IF NOT EXISTS devices_mac_digits_idx
    ON devices (upper(translate(mac_address, ':-', ''))) WHERE mac_address IS NOT NULL;

-- Bound to the table as it is made, so that the tables may lie in any schema.
CREATE OR REPLACE FUNCTION prune_events(older_than timestamptz, count_max integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH pruned AS (
        DELETE FROM ota_events WHERE id IN (
            SELECT oldest.id FROM (SELECT e.id, e.created_at FROM ota_events e ORDER BY e.id LIMIT count_max) oldest
            WHERE oldest.created_at < least(older_than, now() - interval '30 days'))
        RETURNING 1)
    SELECT count(*) FROM pruned;
END;
