-- Every change of releases or rollouts, also one made by psql, asks for that model's offers to be worked out anew
-- (push_requests) and tells the bridges at once (channel ota_catalog, payload: the model).

CREATE TABLE IF NOT EXISTS push_requests (
    model     text PRIMARY KEY,
    requested bigint NOT NULL DEFAULT 0,
    done      bigint NOT NULL DEFAULT 0
);

-- Runs with the owner's rights, so that whoever may change a rollout need not know of push_requests; hence the
-- fixed search_path and the qualified name.
CREATE OR REPLACE FUNCTION catalog_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    models text[];
    changed text;
BEGIN
    models := ARRAY[]::text[];
    IF TG_OP IN ('UPDATE', 'DELETE') THEN models := models || OLD.device_model::text; END IF;
    IF TG_OP IN ('UPDATE', 'INSERT') THEN models := models || NEW.device_model::text; END IF;
    FOR changed IN SELECT DISTINCT m FROM unnest(models) AS m WHERE m IS NOT NULL ORDER BY m LOOP
        EXECUTE format('INSERT INTO %I.push_requests AS p (model, requested) VALUES ($1, 1)
                        ON CONFLICT (model) DO UPDATE SET requested = p.requested + 1', TG_TABLE_SCHEMA)
            USING changed;
        PERFORM pg_notify('ota_catalog', left(changed, 200));
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION catalog_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE %I.push_requests SET requested = requested + 1', TG_TABLE_SCHEMA);
    PERFORM pg_notify('ota_catalog', '');
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER release_changed AFTER INSERT OR DELETE ON firmware_releases
    FOR EACH ROW EXECUTE FUNCTION catalog_changed();
CREATE OR REPLACE TRIGGER release_updated AFTER UPDATE ON firmware_releases
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION catalog_changed();
CREATE OR REPLACE TRIGGER releases_truncated AFTER TRUNCATE ON firmware_releases
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_truncated();
CREATE OR REPLACE TRIGGER rollout_changed AFTER INSERT OR DELETE ON rollout_configurations
    FOR EACH ROW EXECUTE FUNCTION catalog_changed();
CREATE OR REPLACE TRIGGER rollout_updated AFTER UPDATE ON rollout_configurations
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION catalog_changed();
CREATE OR REPLACE TRIGGER rollouts_truncated AFTER TRUNCATE ON rollout_configurations
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_truncated();

-- Rollouts that were running before this table existed are pushed too.
INSERT INTO push_requests (model, requested)
SELECT DISTINCT device_model, 1 FROM rollout_configurations WHERE state = 'running'
ON CONFLICT (model) DO NOTHING;
