-- Smooths out what installations may differ in, so that everything after this can rely on it. Only loosens and
-- adds: the earlier service could still run. Has no effect on tables made by 0001.

-- Event types grow; a CHECK on event_type, whatever its name, would refuse the new ones.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.conname
        FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
        WHERE c.conrelid = 'ota_events'::regclass AND c.contype = 'c' AND a.attname = 'event_type'
    LOOP
        EXECUTE format('ALTER TABLE ota_events DROP CONSTRAINT %I', found.conname);
    END LOOP;
END
$$;

-- Columns that may be unknown here were perhaps required there. (SET DEFAULT and DROP NOT NULL rewrite nothing.)
ALTER TABLE firmware_releases
    ALTER COLUMN min_version DROP NOT NULL,
    ALTER COLUMN changelog DROP NOT NULL,
    ALTER COLUMN release_notes DROP NOT NULL,
    ALTER COLUMN is_signed SET DEFAULT false,
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN created_by DROP NOT NULL,
    ALTER COLUMN metadata SET DEFAULT '{}'::jsonb;
ALTER TABLE devices
    ALTER COLUMN mac_address DROP NOT NULL,
    ALTER COLUMN current_firmware_version DROP NOT NULL,
    ALTER COLUMN last_seen SET DEFAULT now(),
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN metadata SET DEFAULT '{}'::jsonb;
ALTER TABLE device_update_status
    ALTER COLUMN error_message DROP NOT NULL,
    ALTER COLUMN progress_percent DROP NOT NULL,
    ALTER COLUMN progress_percent SET DEFAULT 0,
    ALTER COLUMN started_at SET DEFAULT now(),
    ALTER COLUMN completed_at DROP NOT NULL,
    ALTER COLUMN reported_at SET DEFAULT now(),
    ALTER COLUMN metadata SET DEFAULT '{}'::jsonb;
ALTER TABLE rollout_configurations
    ALTER COLUMN target_filter DROP NOT NULL,
    ALTER COLUMN target_filter SET DEFAULT '{}'::jsonb,
    ALTER COLUMN rollout_percentage SET DEFAULT 100,
    ALTER COLUMN is_active SET DEFAULT true,
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN updated_at SET DEFAULT now(),
    ALTER COLUMN created_by DROP NOT NULL,
    ALTER COLUMN metadata SET DEFAULT '{}'::jsonb;
ALTER TABLE ota_events
    ALTER COLUMN device_id DROP NOT NULL,
    ALTER COLUMN firmware_version DROP NOT NULL,
    ALTER COLUMN rollout_id DROP NOT NULL,
    ALTER COLUMN event_data DROP NOT NULL,
    ALTER COLUMN event_data SET DEFAULT '{}'::jsonb,
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN created_by DROP NOT NULL;

-- Text of limited length becomes TEXT. A column some view depends on stays as it is.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT a.attrelid::regclass AS table_name, a.attname
        FROM pg_attribute a
        WHERE a.attrelid IN ('firmware_releases'::regclass, 'devices'::regclass, 'device_update_status'::regclass,
                             'rollout_configurations'::regclass, 'ota_events'::regclass)
          AND a.atttypid = 'varchar'::regtype AND a.attnum > 0 AND NOT a.attisdropped
    LOOP
        BEGIN
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE text', found.table_name, found.attname);
        EXCEPTION WHEN feature_not_supported THEN
            RAISE NOTICE '%.% stays varchar: something depends on it', found.table_name, found.attname;
        END;
    END LOOP;
END
$$;

-- The upserts rest on these uniques; an installation without one gets it (and a sentence when rows forbid it).
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('firmware_releases', ARRAY['version', 'device_model']),
            ('devices', ARRAY['device_id']),
            ('devices', ARRAY['mac_address']),
            ('rollout_configurations', ARRAY['name'])) AS w (table_name, columns)
    LOOP
        IF NOT EXISTS (
            SELECT FROM pg_index i
            WHERE i.indrelid = wanted.table_name::regclass AND i.indisunique AND i.indpred IS NULL
              AND i.indexprs IS NULL AND i.indnkeyatts = cardinality(wanted.columns)
              AND wanted.columns @> (SELECT array_agg(a.attname::text) FROM pg_attribute a
                                     WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))) THEN
            EXECUTE format('ALTER TABLE %I ADD UNIQUE (%s)', wanted.table_name,
                           array_to_string(wanted.columns, ', '));
        END IF;
    END LOOP;
END
$$;
