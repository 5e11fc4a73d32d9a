-- A rollout that rests and one that has ended are different things; is_active alone cannot tell.

ALTER TABLE firmware_releases ADD COLUMN IF NOT EXISTS withdrawn_at timestamptz;

ALTER TABLE rollout_configurations
    ADD COLUMN IF NOT EXISTS state           text,
    ADD COLUMN IF NOT EXISTS allow_downgrade boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS salt            text NOT NULL DEFAULT '';

-- The earlier service knew "inactive" only as the end.
UPDATE rollout_configurations
SET state = CASE WHEN is_active THEN 'running' ELSE 'finished' END
WHERE state IS NULL;

ALTER TABLE rollout_configurations
    ALTER COLUMN state SET NOT NULL,
    DROP CONSTRAINT IF EXISTS rollout_configurations_state_check,
    ADD CONSTRAINT rollout_configurations_state_check CHECK (state IN ('running', 'paused', 'finished'));

-- Keeps is_active and state saying the same, whichever of them a writer knows. Where both change, state wins.
CREATE OR REPLACE FUNCTION rollout_keep_state() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state IS NULL OR (TG_OP = 'UPDATE' AND NEW.state IS NOT DISTINCT FROM OLD.state
                             AND NEW.is_active IS DISTINCT FROM OLD.is_active) THEN
        NEW.state := CASE WHEN NEW.is_active THEN 'running'
                          WHEN TG_OP = 'UPDATE' AND OLD.state = 'finished' THEN 'finished'
                          ELSE 'paused' END;
    END IF;
    NEW.is_active := NEW.state = 'running';
    IF TG_OP = 'UPDATE' AND NEW IS DISTINCT FROM OLD AND NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER rollout_keep_state BEFORE INSERT OR UPDATE ON rollout_configurations
    FOR EACH ROW EXECUTE FUNCTION rollout_keep_state();
