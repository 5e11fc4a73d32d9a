-- The database as the migrations leave it, in one piece and for reading; a test proves that both agree. Contract
-- section 3 fixes the first part of each of the five oldest tables, everything below "Added" may grow.
-- Needs PostgreSQL 14 or newer. Change it only together with a new file in migrations/.

-- What was applied: one row per file of migrations/, with the hash of its text.
CREATE TABLE schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- ---- firmware ---------------------------------------------------------------------------------------------------

-- One image of one model at one version. The bytes are files; file_path is relative to FIRMWARE_STORAGE_PATH.
CREATE TABLE firmware_releases (
    id              bigserial PRIMARY KEY,
    version         text NOT NULL,
    device_model    text NOT NULL,
    min_version     text,                                     -- a device below it takes another release first
    file_path       text NOT NULL,
    file_size       bigint NOT NULL,                          -- bytes
    checksum_sha256 text NOT NULL,                            -- lower-case hex
    changelog       text,
    release_notes   text,
    is_signed       boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    created_by      text,
    metadata        jsonb DEFAULT '{}'::jsonb,
    -- Added:
    withdrawn_at    timestamptz,                              -- set: offered to nobody any more
    manifest        text,                                     -- signed, byte for byte as its signer made it
    manifest_sequence bigint,                                 -- the manifest's
    verified        boolean NOT NULL DEFAULT false,           -- the service verified the manifest's signature
    CONSTRAINT firmware_releases_version_device_model_key UNIQUE (version, device_model)
);
CREATE INDEX firmware_releases_created_idx
    ON firmware_releases ((coalesce(created_at, '-infinity'::timestamptz)) DESC, id DESC);
CREATE INDEX firmware_releases_model_created_idx
    ON firmware_releases (device_model, (coalesce(created_at, '-infinity'::timestamptz)) DESC, id DESC);

-- Who gets which version of a model. state is the truth; is_active = (state = 'running') is kept for older writers.
CREATE TABLE rollout_configurations (
    id                 bigserial PRIMARY KEY,
    name               text NOT NULL UNIQUE,
    firmware_version   text NOT NULL,
    device_model       text NOT NULL,
    target_type        text NOT NULL,
    target_filter      jsonb DEFAULT '{}'::jsonb,             -- device_ids, mac_addresses, group(s), exclude_…, metadata
    rollout_percentage integer NOT NULL DEFAULT 100,
    is_active          boolean NOT NULL DEFAULT true,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    created_by         text,
    metadata           jsonb DEFAULT '{}'::jsonb,
    -- Added:
    state              text NOT NULL,                         -- fleet/rollout_states.hpp
    allow_downgrade    boolean NOT NULL DEFAULT false,
    salt               text NOT NULL DEFAULT '',              -- empty: buckets are SHA-256(device_id) alone
    policy             jsonb NOT NULL DEFAULT '{}'::jsonb,    -- fleet/rollout_policy.hpp
    stage              integer NOT NULL DEFAULT 0,            -- index into the policy's stages
    stage_entered_at   timestamptz NOT NULL DEFAULT now(),
    stage_devices      bigint,                                -- begun or due in its present stage, when last counted
    halted             jsonb,                                 -- the criterion that halted it, and by which devices
    acknowledged_at    timestamptz,                           -- failures up to then no longer count
    rolls_back         bigint,                                -- the rollout whose devices this one takes back
    CONSTRAINT rollout_configurations_target_type_check CHECK (target_type IN
        ('all', 'canary', 'specific', 'group')),
    CONSTRAINT rollout_configurations_rollout_percentage_check CHECK (rollout_percentage BETWEEN 0 AND 100),
    CONSTRAINT rollout_configurations_state_check CHECK (state IN
        ('scheduled', 'running', 'paused', 'finished', 'aborted', 'rolled_back'))
);

-- ---- the fleet --------------------------------------------------------------------------------------------------

-- Every device that was ever heard. metadata is the admins', but for the key `reported`: what the device says of
-- itself.
CREATE TABLE devices (
    id                       bigserial PRIMARY KEY,
    device_id                text NOT NULL UNIQUE,
    mac_address              text UNIQUE,                     -- the first device that claims it keeps it
    device_model             text NOT NULL,                   -- 'unknown' until a check names it
    current_firmware_version text,
    last_seen                timestamptz DEFAULT now(),
    created_at               timestamptz NOT NULL DEFAULT now(),
    metadata                 jsonb DEFAULT '{}'::jsonb,
    -- Added:
    seen_on_mqtt             boolean NOT NULL DEFAULT false,  -- offers are pushed to it
    online                   boolean NOT NULL DEFAULT false,  -- by its presence
    online_changed_at        timestamptz,
    boot_id                  text,                            -- the last one it named
    last_seen_cut            timestamptz GENERATED ALWAYS AS (
        coalesce(date_bin('10 seconds', last_seen, '2000-01-01 00:00:00+00'), '-infinity')) STORED,
    pinned_version           text,                            -- only rollouts of that version reach it
    hold                     boolean NOT NULL DEFAULT false,  -- nothing is offered to it
    revoked_at               timestamptz                      -- set: nothing is heard from it, nothing offered to it
) WITH (fillfactor = 70);
-- Lists are by last_seen, which changes with every message. An index on it would make each change write to every
-- index of the table (no heap-only update); cut to ten seconds it seldom changes. No cut is null: NULLS LAST only
-- keeps the planner from walking the unfiltered index for a filtered list.
CREATE INDEX devices_last_seen_idx ON devices (last_seen_cut DESC, id DESC);
CREATE INDEX devices_model_last_seen_idx ON devices (device_model, last_seen_cut DESC NULLS LAST, id DESC);
-- An adopted database may spell a MAC address in another way than the service does. Two spellings of one address are
-- found by its digits.
CREATE INDEX devices_mac_digits_idx
    ON devices (upper(translate(mac_address, ':-', ''))) WHERE mac_address IS NOT NULL;
-- Pages of a model's devices, in the byte order in which every batch takes its locks.
CREATE INDEX devices_model_device_id_idx ON devices (device_model, device_id COLLATE "C");

-- One row per attempt of a device at a version, moved forward in place. Rows of the earlier service (a row per report)
-- have no attempt_id until a device refers to them.
CREATE TABLE device_update_status (
    id                bigserial PRIMARY KEY,
    device_id         text NOT NULL,
    firmware_version  text NOT NULL,
    status            text NOT NULL,
    error_message     text,
    progress_percent  integer DEFAULT 0,
    started_at        timestamptz DEFAULT now(),              -- first report
    completed_at      timestamptz,                            -- when it became final
    reported_at       timestamptz NOT NULL DEFAULT now(),     -- last change
    metadata          jsonb DEFAULT '{}'::jsonb,
    -- Added:
    attempt_id        bigint,
    rollout_id        bigint,                                 -- null: reported without an offer of ours
    boot_id           text,                                   -- the device's boot when it began installing
    status_changed_at timestamptz,                            -- when it entered `status`
    reported_at_cut   timestamptz GENERATED ALWAYS AS (
        coalesce(date_bin('10 seconds', reported_at, '2000-01-01 00:00:00+00'), '-infinity')) STORED,
    failure_kind      text,                                   -- fleet/attempts.hpp; while open: replaced by a newer offer
    due_at            timestamptz,                            -- silent beyond it: timed out; null once final
    CONSTRAINT device_update_status_status_check CHECK (status IN
        ('pending', 'downloading', 'downloaded', 'installing', 'success', 'failed', 'rolled_back')),
    CONSTRAINT device_update_status_progress_percent_check CHECK (progress_percent BETWEEN 0 AND 100)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX device_update_status_attempt_id_key ON device_update_status (attempt_id);
CREATE INDEX device_update_status_reported_at_idx ON device_update_status (reported_at_cut DESC, id DESC);
CREATE INDEX device_update_status_version_idx
    ON device_update_status (firmware_version, reported_at_cut DESC NULLS LAST, id DESC);
CREATE INDEX device_update_status_device_idx ON device_update_status (device_id);
CREATE INDEX device_update_status_rollout_idx ON device_update_status (rollout_id) WHERE rollout_id IS NOT NULL;
CREATE INDEX device_update_status_due_idx ON device_update_status (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX device_update_status_open_idx ON device_update_status (device_id) WHERE due_at IS NOT NULL;

-- Attempt ids are handed out in blocks: one nextval serves 256 attempts.
CREATE SEQUENCE attempt_ids AS bigint INCREMENT BY 256;

-- What should stand on the broker for each device, and which attempt its reports belong to. wanted_revision rises with
-- each change of what should be retained, published_revision follows once the broker has it.
CREATE TABLE offers (
    device_id          text PRIMARY KEY,
    attempt_id         bigint NOT NULL,
    rollout_id         bigint NOT NULL,
    release_id         bigint NOT NULL,
    version            text NOT NULL,                         -- the release's
    from_version       text NOT NULL DEFAULT '',
    open               boolean NOT NULL DEFAULT true,
    taken              boolean NOT NULL DEFAULT false,        -- its first status is committed
    failed_attempts    integer NOT NULL DEFAULT 0,
    wanted_revision    bigint NOT NULL DEFAULT 0,
    published_revision bigint NOT NULL DEFAULT 0,
    wanted_at          timestamptz NOT NULL DEFAULT now(),
    origin_version     text NOT NULL DEFAULT '',              -- what it ran when this rollout first reached it
    offered_at         timestamptz NOT NULL DEFAULT now(),
    failure_kind       text,                                  -- of the last failed attempt in this rollout
    retry_at           timestamptz                            -- when the device is to be looked at again after a failure
) WITH (fillfactor = 80);
CREATE INDEX offers_rollout_idx ON offers (rollout_id, offered_at);
CREATE INDEX offers_under_way_idx ON offers (rollout_id) WHERE open AND taken;
CREATE INDEX offers_retry_idx ON offers (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX offers_unpublished_idx ON offers (device_id COLLATE "C") WHERE wanted_revision <> published_revision;

-- What one reading of the broker's retained offers saw. Worthless after a crash, so it is not logged.
CREATE UNLOGGED TABLE retained_offers_seen (
    device_id  text COLLATE "C" PRIMARY KEY,
    attempt_id bigint NOT NULL
);

-- ---- devices' identity ------------------------------------------------------------------------------------------

-- Every certificate the service has issued, and those from elsewhere that were revoked. Never deleted by the service:
-- a row of a revoked certificate keeps it on the revocation list until it has expired.
CREATE TABLE device_certificates (
    id             bigserial PRIMARY KEY,
    serial         text NOT NULL UNIQUE,                      -- lower-case hex (fleet/certificates.hpp)
    device_id      text,                                      -- its CN; null: only its serial is known
    fingerprint    text,                                      -- SHA-256 of the DER form; null: issued elsewhere
    not_before     timestamptz,
    not_after      timestamptz,                               -- null: not known
    certificate    text,                                      -- PEM
    issued_at      timestamptz,                               -- null: issued elsewhere
    issued_by      text,
    revoked_at     timestamptz,
    revoked_by     text,
    revoked_reason text,
    cut_at         timestamptz                                -- when the list was in force and its connection was ended
);
CREATE INDEX device_certificates_device_idx ON device_certificates (device_id, id DESC);
CREATE INDEX device_certificates_revoked_idx ON device_certificates (serial) WHERE revoked_at IS NOT NULL;
CREATE INDEX device_certificates_uncut_idx ON device_certificates (id) WHERE revoked_at IS NOT NULL AND cut_at IS NULL;

-- One-time tokens for a device's first certificate. The token itself is nowhere.
CREATE TABLE enrolment_tokens (
    id           bigserial PRIMARY KEY,
    token_sha256 text NOT NULL UNIQUE,
    device_id    text,                                        -- null: for any new device
    device_model text,                                        -- null: for any model
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text,
    revoked_at   timestamptz,
    used_at      timestamptz,
    used_by      text,                                        -- device id
    csr_sha256   text,                                        -- of the request it was used for
    serial       text,                                        -- of the certificate it was used for
    refused_at   timestamptz                                  -- the last refusal that was written to the log
);
CREATE INDEX enrolment_tokens_device_idx ON enrolment_tokens (device_id) WHERE device_id IS NOT NULL;
-- ---- devices over REST ------------------------------------------------------------------------------------------

-- By which devices show over REST who they are (DEVICE_AUTH=token). The token itself is nowhere. It may be there before
-- its device was ever heard.
CREATE TABLE device_tokens (
    device_id    text PRIMARY KEY,
    token_sha256 text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text,
    CONSTRAINT device_tokens_token_sha256_key UNIQUE (token_sha256),
    CONSTRAINT device_tokens_token_sha256_check CHECK (token_sha256 ~ '^[0-9a-f]{64}$')
);

-- ---- the audit log ----------------------------------------------------------------------------------------------

-- Insert-only for the service's role.
CREATE TABLE ota_events (
    id               bigserial PRIMARY KEY,
    event_type       text NOT NULL,
    device_id        text,
    firmware_version text,
    rollout_id       bigint,
    event_data       jsonb DEFAULT '{}'::jsonb,
    created_at       timestamptz NOT NULL DEFAULT now(),
    created_by       text,
    -- Added: events are published in the order of (txid, id) and only below the oldest running transaction, because
    -- an id alone says nothing about the order of commits.
    txid             xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX ota_events_txid_idx ON ota_events (txid, id);
CREATE INDEX ota_events_device_idx ON ota_events (device_id, id DESC) WHERE device_id IS NOT NULL;
CREATE INDEX ota_events_rollout_idx ON ota_events (rollout_id, id DESC) WHERE rollout_id IS NOT NULL;
CREATE INDEX ota_events_type_idx ON ota_events (event_type, id DESC);

-- One row: everything up to (txid, id) is published, and so is every id up to id_floor (which matters after a restore
-- into a new cluster, whose transaction numbers start anew).
CREATE TABLE event_cursor (
    only_row boolean PRIMARY KEY DEFAULT true,
    txid     xid8 NOT NULL,
    id       bigint NOT NULL,
    id_floor bigint NOT NULL,
    CONSTRAINT event_cursor_only_row_check CHECK (only_row)
);
INSERT INTO event_cursor (txid, id, id_floor) VALUES (pg_current_xact_id(), 0, 0);

-- ---- triggers ---------------------------------------------------------------------------------------------------

-- Models whose releases or rollouts changed: their devices' offers are to be worked out anew while done < requested.
CREATE TABLE push_requests (
    model     text PRIMARY KEY,
    requested bigint NOT NULL DEFAULT 0,
    done      bigint NOT NULL DEFAULT 0
);

-- Keeps is_active and state saying the same, whichever of them a writer knows. Where both change, state wins.
CREATE FUNCTION rollout_keep_state() RETURNS trigger
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

CREATE TRIGGER rollout_keep_state BEFORE INSERT OR UPDATE ON rollout_configurations
    FOR EACH ROW EXECUTE FUNCTION rollout_keep_state();

-- Every change of releases or rollouts, also one made by psql, raises push_requests and notifies ota_catalog.
-- Runs with the owner's rights, so that whoever may change a rollout need not know of push_requests; hence the
-- fixed search_path and the qualified name.
CREATE FUNCTION catalog_changed() RETURNS trigger
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

CREATE FUNCTION catalog_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE %I.push_requests SET requested = requested + 1', TG_TABLE_SCHEMA);
    PERFORM pg_notify('ota_catalog', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER release_changed AFTER INSERT OR DELETE ON firmware_releases
    FOR EACH ROW EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER release_updated AFTER UPDATE ON firmware_releases
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER releases_truncated AFTER TRUNCATE ON firmware_releases
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_truncated();
CREATE TRIGGER rollout_changed AFTER INSERT OR DELETE ON rollout_configurations
    FOR EACH ROW EXECUTE FUNCTION catalog_changed();
-- Progress figures are no change of what is offered to whom.
CREATE TRIGGER rollout_updated AFTER UPDATE ON rollout_configurations
    FOR EACH ROW WHEN ((OLD.id, OLD.name, OLD.firmware_version, OLD.device_model, OLD.target_type, OLD.target_filter,
                        OLD.rollout_percentage, OLD.state, OLD.allow_downgrade, OLD.salt, OLD.policy, OLD.stage,
                        OLD.acknowledged_at, OLD.rolls_back)
                       IS DISTINCT FROM
                       (NEW.id, NEW.name, NEW.firmware_version, NEW.device_model, NEW.target_type, NEW.target_filter,
                        NEW.rollout_percentage, NEW.state, NEW.allow_downgrade, NEW.salt, NEW.policy, NEW.stage,
                        NEW.acknowledged_at, NEW.rolls_back))
    EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER rollouts_truncated AFTER TRUNCATE ON rollout_configurations
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_truncated();

-- One row of switches for the whole service.
CREATE TABLE service_settings (
    only_row boolean PRIMARY KEY DEFAULT true,
    frozen   boolean NOT NULL DEFAULT false,
    CONSTRAINT service_settings_only_row_check CHECK (only_row)
);
INSERT INTO service_settings DEFAULT VALUES;
CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE ON service_settings
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_truncated();

-- A change made by psql is logged like any other. The service says who and why itself and sets ota.logged.
CREATE FUNCTION rollout_log() RETURNS trigger
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
CREATE TRIGGER rollout_appeared_or_left AFTER INSERT OR DELETE ON rollout_configurations
    FOR EACH ROW EXECUTE FUNCTION rollout_log();
-- Progress figures are no news.
CREATE TRIGGER rollout_logged AFTER UPDATE ON rollout_configurations
    FOR EACH ROW WHEN ((OLD.id, OLD.name, OLD.firmware_version, OLD.device_model, OLD.target_type, OLD.target_filter,
                        OLD.rollout_percentage, OLD.state, OLD.allow_downgrade, OLD.salt, OLD.policy, OLD.stage,
                        OLD.acknowledged_at, OLD.rolls_back)
                       IS DISTINCT FROM
                       (NEW.id, NEW.name, NEW.firmware_version, NEW.device_model, NEW.target_type, NEW.target_filter,
                        NEW.rollout_percentage, NEW.state, NEW.allow_downgrade, NEW.salt, NEW.policy, NEW.stage,
                        NEW.acknowledged_at, NEW.rolls_back))
    EXECUTE FUNCTION rollout_log();

-- Old history moves out in batches. The service's role may not delete from the log itself; this takes nothing younger
-- than 30 days. Bound to the table as it is made, so that the tables may lie in any schema.
CREATE FUNCTION prune_events(older_than timestamptz, count_max integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH pruned AS (
        DELETE FROM ota_events WHERE id IN (
            SELECT oldest.id FROM (SELECT e.id, e.created_at FROM ota_events e ORDER BY e.id LIMIT count_max) oldest
            WHERE oldest.created_at < least(older_than, now() - interval '30 days'))
        RETURNING 1)
    SELECT count(*) FROM pruned;
END;
REVOKE EXECUTE ON FUNCTION prune_events(timestamptz, integer) FROM PUBLIC;

-- ---- who may do what -------------------------------------------------------------------------------------------

-- Keys of the admin routes besides the root key, which is in the service's environment alone. Of a key only its hash is
-- stored. A name is a key's for ever, so that the audit log stays clear.
CREATE TABLE admin_keys (
    name         text PRIMARY KEY,
    role         text NOT NULL,
    key_sha256   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    CONSTRAINT admin_keys_key_sha256_key UNIQUE (key_sha256),
    CONSTRAINT admin_keys_key_sha256_check CHECK (key_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT admin_keys_role_check CHECK (role IN ('viewer', 'publisher', 'operator', 'admin'))
);

-- Every bridge holds the keys in memory and hears of changes, also of those made by psql.
CREATE FUNCTION keys_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('ota_keys', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER keys_changed AFTER INSERT OR DELETE OR TRUNCATE ON admin_keys
    FOR EACH STATEMENT EXECUTE FUNCTION keys_changed();
-- That a key was used is no change of it.
CREATE TRIGGER keys_updated AFTER UPDATE OF name, role, key_sha256, expires_at, revoked_at ON admin_keys
    FOR EACH STATEMENT EXECUTE FUNCTION keys_changed();

-- Devices whose connection to the broker has to end, because an identity of theirs was taken back: also one that no
-- certificate is known of here. A row goes with the cut. Until then what the device still says is not heard.
CREATE TABLE device_cuts (
    id         bigserial PRIMARY KEY,
    device_id  text NOT NULL,
    ordered_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX device_cuts_device_idx ON device_cuts (device_id);

-- What was taken back stays so, whoever writes.
CREATE FUNCTION keep_revoked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a revocation is for good' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER keep_revoked BEFORE UPDATE OF revoked_at ON device_certificates
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL) EXECUTE FUNCTION keep_revoked();
CREATE TRIGGER keep_revoked BEFORE UPDATE OF revoked_at ON admin_keys
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL) EXECUTE FUNCTION keep_revoked();
