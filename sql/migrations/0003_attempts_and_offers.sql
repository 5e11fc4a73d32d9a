-- What the update loop needs besides the contract's columns: attempts with an id, and the offers that should stand
-- on the broker.

-- Attempt ids are handed out in blocks: one nextval serves 256 attempts.
CREATE SEQUENCE IF NOT EXISTS attempt_ids AS bigint INCREMENT BY 256;

-- Lists are ordered by last_seen and reported_at, which change with every message. An index on them would make each
-- change write to every index of the table (no heap-only update), at more than twice the cost. So the indexes are on
-- the time cut to ten seconds, and a list sorts the few rows within one cut. (No cut is null. That the filtered indexes
-- say NULLS LAST all the same gives them an order of their own, so the planner cannot walk the unfiltered index over
-- all the rows of other models instead.)
ALTER TABLE devices
    ADD COLUMN IF NOT EXISTS seen_on_mqtt      boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS online            boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS online_changed_at timestamptz,
    ADD COLUMN IF NOT EXISTS boot_id           text,
    ADD COLUMN IF NOT EXISTS last_seen_cut     timestamptz
        GENERATED ALWAYS AS (
            coalesce(date_bin('10 seconds', last_seen, '2000-01-01 00:00:00+00'), '-infinity')) STORED,
    SET (fillfactor = 70);

CREATE INDEX IF NOT EXISTS devices_last_seen_idx ON devices (last_seen_cut DESC, id DESC);
CREATE INDEX IF NOT EXISTS devices_model_last_seen_idx
    ON devices (device_model, last_seen_cut DESC NULLS LAST, id DESC);
-- Pages of a model's devices are locked in byte order, as the writers' batches are: no deadlock whatever the
-- database's collation.
CREATE INDEX IF NOT EXISTS devices_model_device_id_idx ON devices (device_model, device_id COLLATE "C");

ALTER TABLE device_update_status
    ADD COLUMN IF NOT EXISTS attempt_id        bigint,
    ADD COLUMN IF NOT EXISTS rollout_id        bigint,
    ADD COLUMN IF NOT EXISTS boot_id           text,
    ADD COLUMN IF NOT EXISTS status_changed_at timestamptz,
    ADD COLUMN IF NOT EXISTS reported_at_cut   timestamptz
        GENERATED ALWAYS AS (
            coalesce(date_bin('10 seconds', reported_at, '2000-01-01 00:00:00+00'), '-infinity')) STORED,
    SET (fillfactor = 80);

CREATE UNIQUE INDEX IF NOT EXISTS device_update_status_attempt_id_key ON device_update_status (attempt_id);
CREATE INDEX IF NOT EXISTS device_update_status_reported_at_idx
    ON device_update_status (reported_at_cut DESC, id DESC);
CREATE INDEX IF NOT EXISTS device_update_status_version_idx
    ON device_update_status (firmware_version, reported_at_cut DESC NULLS LAST, id DESC);
CREATE INDEX IF NOT EXISTS device_update_status_device_idx ON device_update_status (device_id);
CREATE INDEX IF NOT EXISTS device_update_status_rollout_idx
    ON device_update_status (rollout_id) WHERE rollout_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS offers (
    device_id          text PRIMARY KEY,
    attempt_id         bigint NOT NULL,
    rollout_id         bigint NOT NULL,
    release_id         bigint NOT NULL,
    version            text NOT NULL,
    from_version       text NOT NULL DEFAULT '',
    open               boolean NOT NULL DEFAULT true,
    taken              boolean NOT NULL DEFAULT false,
    failed_attempts    integer NOT NULL DEFAULT 0,
    wanted_revision    bigint NOT NULL DEFAULT 0,
    published_revision bigint NOT NULL DEFAULT 0,
    wanted_at          timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS offers_unpublished_idx ON offers (device_id COLLATE "C")
    WHERE wanted_revision <> published_revision;

-- What one reading of the broker's retained offers saw. Worthless after a crash, so it is not logged.
CREATE UNLOGGED TABLE IF NOT EXISTS retained_offers_seen (
    device_id  text COLLATE "C" PRIMARY KEY,
    attempt_id bigint NOT NULL
);
