-- A rollout that psql makes or removes is logged too, and every change of what a rollout is, not only of how far it goes.

CREATE OR REPLACE FUNCTION rollout_log() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rollout record;
BEGIN
    IF coalesce(current_setting('ota.logged', true), '') <> '' THEN RETURN NULL; END IF;
    IF TG_OP = 'DELETE' THEN rollout := OLD; ELSE rollout := NEW; END IF;
    EXECUTE format('INSERT INTO %I.ota_events (event_type, firmware_version, rollout_id, event_data, created_by)
                    VALUES ($1, $2, $3, $4, $5)', TG_TABLE_SCHEMA)
        USING CASE TG_OP WHEN 'INSERT' THEN 'rollout_created' WHEN 'DELETE' THEN 'rollout_deleted'
                         ELSE 'rollout_updated' END,
              rollout.firmware_version, rollout.id,
              jsonb_build_object('name', rollout.name, 'device_model', rollout.device_model,
                                 'target_type', rollout.target_type, 'rollout_percentage', rollout.rollout_percentage,
                                 'is_active', rollout.is_active, 'state', rollout.state, 'why', 'changed by SQL'),
              session_user::text;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER rollout_appeared_or_left AFTER INSERT OR DELETE ON rollout_configurations
    FOR EACH ROW EXECUTE FUNCTION rollout_log();
-- Progress figures are no news.
CREATE OR REPLACE TRIGGER rollout_logged AFTER UPDATE ON rollout_configurations
    FOR EACH ROW WHEN ((OLD.id, OLD.name, OLD.firmware_version, OLD.device_model, OLD.target_type, OLD.target_filter,
                        OLD.rollout_percentage, OLD.state, OLD.allow_downgrade, OLD.salt, OLD.policy, OLD.stage,
                        OLD.acknowledged_at, OLD.rolls_back)
                       IS DISTINCT FROM
                       (NEW.id, NEW.name, NEW.firmware_version, NEW.device_model, NEW.target_type, NEW.target_filter,
                        NEW.rollout_percentage, NEW.state, NEW.allow_downgrade, NEW.salt, NEW.policy, NEW.stage,
                        NEW.acknowledged_at, NEW.rolls_back))
    EXECUTE FUNCTION rollout_log();
