-- How many devices a stage holds is a figure that the leader notes; nobody has changed the rollout then.

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
    IF TG_OP = 'UPDATE' AND NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
        OLD.stage_devices := NEW.stage_devices;
        IF NEW IS DISTINCT FROM OLD THEN NEW.updated_at := now(); END IF;
    END IF;
    RETURN NEW;
END
$$;
