-- Rollouts with stages, thresholds, schedules and a way back; devices that are pinned or held; one switch for all.

ALTER TABLE rollout_configurations
    ADD COLUMN IF NOT EXISTS policy           jsonb NOT NULL DEFAULT '{}'::jsonb,
    ADD COLUMN IF NOT EXISTS stage            integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS stage_entered_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS stage_devices    bigint,
    ADD COLUMN IF NOT EXISTS halted           jsonb,
    ADD COLUMN IF NOT EXISTS acknowledged_at  timestamptz,
    ADD COLUMN IF NOT EXISTS rolls_back       bigint,
    DROP CONSTRAINT IF EXISTS rollout_configurations_state_check,
    ADD CONSTRAINT rollout_configurations_state_check CHECK (state IN
        ('scheduled', 'running', 'paused', 'finished', 'aborted', 'rolled_back'));

ALTER TABLE offers
    ADD COLUMN IF NOT EXISTS origin_version text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS offered_at     timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS failure_kind   text,
    ADD COLUMN IF NOT EXISTS retry_at       timestamptz;
UPDATE offers SET origin_version = from_version WHERE origin_version = '';
-- Nothing is due on the broker for devices that have only been seen on REST.
UPDATE offers o SET published_revision = o.wanted_revision
FROM devices d WHERE d.device_id = o.device_id AND NOT d.seen_on_mqtt AND o.published_revision <> o.wanted_revision;
CREATE INDEX IF NOT EXISTS offers_rollout_idx ON offers (rollout_id, offered_at);
CREATE INDEX IF NOT EXISTS offers_under_way_idx ON offers (rollout_id) WHERE open AND taken;
CREATE INDEX IF NOT EXISTS offers_retry_idx ON offers (retry_at) WHERE retry_at IS NOT NULL;

ALTER TABLE device_update_status
    ADD COLUMN IF NOT EXISTS failure_kind text,
    ADD COLUMN IF NOT EXISTS due_at       timestamptz;
CREATE INDEX IF NOT EXISTS device_update_status_due_idx ON device_update_status (due_at) WHERE due_at IS NOT NULL;
-- Attempts under way get the deadline that new ones have by default.
UPDATE device_update_status SET due_at = reported_at + interval '24 hours'
WHERE attempt_id IS NOT NULL AND status NOT IN ('success', 'failed', 'rolled_back') AND due_at IS NULL;
UPDATE device_update_status SET failure_kind = status
WHERE attempt_id IS NOT NULL AND status IN ('failed', 'rolled_back') AND failure_kind IS NULL;

ALTER TABLE devices
    ADD COLUMN IF NOT EXISTS pinned_version text,
    ADD COLUMN IF NOT EXISTS hold           boolean NOT NULL DEFAULT false;

-- One row of switches for the whole service.
CREATE TABLE IF NOT EXISTS service_settings (
    only_row boolean PRIMARY KEY DEFAULT true,
    frozen   boolean NOT NULL DEFAULT false,
    CONSTRAINT service_settings_only_row_check CHECK (only_row)
);
INSERT INTO service_settings DEFAULT VALUES ON CONFLICT DO NOTHING;
CREATE OR REPLACE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE ON service_settings
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_truncated();

-- Keeps is_active and state saying the same, whichever of them a writer knows. Where both change, state wins.
CREATE OR REPLACE FUNCTION rollout_keep_state() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state IS NULL OR (TG_OP = 'UPDATE' AND NEW.state IS NOT DISTINCT FROM OLD.state
                             AND NEW.is_active IS DISTINCT FROM OLD.is_active) THEN
        NEW.state := CASE WHEN TG_OP = 'UPDATE' AND OLD.state IN ('aborted', 'rolled_back') THEN OLD.state
                          WHEN NEW.is_active THEN 'running'
                          WHEN TG_OP = 'UPDATE' AND OLD.state IN ('scheduled', 'finished') THEN OLD.state
                          ELSE 'paused' END;
    END IF;
    NEW.is_active := NEW.state = 'running';
    IF TG_OP = 'UPDATE' AND NEW IS DISTINCT FROM OLD AND NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;

-- A change made by psql is logged like any other. The service says who and why itself and sets ota.logged.
CREATE OR REPLACE FUNCTION rollout_log() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(current_setting('ota.logged', true), '') <> '' THEN RETURN NULL; END IF;
    EXECUTE format('INSERT INTO %I.ota_events (event_type, firmware_version, rollout_id, event_data, created_by)
                    VALUES ($1, $2, $3, $4, $5)', TG_TABLE_SCHEMA)
        USING 'rollout_updated', NEW.firmware_version, NEW.id,
              jsonb_build_object('name', NEW.name, 'state', NEW.state, 'is_active', NEW.is_active,
                                 'rollout_percentage', NEW.rollout_percentage, 'why', 'changed by SQL'),
              session_user::text;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER rollout_logged AFTER UPDATE ON rollout_configurations
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state
                       OR OLD.rollout_percentage IS DISTINCT FROM NEW.rollout_percentage
                       OR OLD.target_filter IS DISTINCT FROM NEW.target_filter
                       OR OLD.policy IS DISTINCT FROM NEW.policy)
    EXECUTE FUNCTION rollout_log();

-- Progress figures are no change of what is offered to whom.
CREATE OR REPLACE TRIGGER rollout_updated AFTER UPDATE ON rollout_configurations
    FOR EACH ROW WHEN ((OLD.id, OLD.name, OLD.firmware_version, OLD.device_model, OLD.target_type, OLD.target_filter,
                        OLD.rollout_percentage, OLD.state, OLD.allow_downgrade, OLD.salt, OLD.policy, OLD.stage,
                        OLD.acknowledged_at, OLD.rolls_back)
                       IS DISTINCT FROM
                       (NEW.id, NEW.name, NEW.firmware_version, NEW.device_model, NEW.target_type, NEW.target_filter,
                        NEW.rollout_percentage, NEW.state, NEW.allow_downgrade, NEW.salt, NEW.policy, NEW.stage,
                        NEW.acknowledged_at, NEW.rolls_back))
    EXECUTE FUNCTION catalog_changed();

-- Lists of the audit log by what they are filtered by.
CREATE INDEX IF NOT EXISTS ota_events_device_idx ON ota_events (device_id, id DESC) WHERE device_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS ota_events_rollout_idx ON ota_events (rollout_id, id DESC) WHERE rollout_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS ota_events_type_idx ON ota_events (event_type, id DESC);

-- Old history moves out in batches. The service's role may not delete from the log itself; this takes nothing younger
-- than 30 days.
CREATE OR REPLACE FUNCTION prune_events(older_than timestamptz, count_max integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pruned bigint;
BEGIN
    DELETE FROM public.ota_events WHERE id IN (
        SELECT oldest.id FROM (SELECT e.id, e.created_at FROM public.ota_events e ORDER BY e.id LIMIT count_max) oldest
        WHERE oldest.created_at < least(older_than, now() - interval '30 days'));
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END
$$;
REVOKE EXECUTE ON FUNCTION prune_events(timestamptz, integer) FROM PUBLIC;
