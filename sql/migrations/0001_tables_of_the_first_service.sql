-- The five tables every installation has (contract section 3), as the service that came before made them. In an
-- adopted database they are there already, and nothing of this happens.

CREATE TABLE IF NOT EXISTS firmware_releases (
    id              BIGSERIAL PRIMARY KEY,
    version         TEXT NOT NULL,
    device_model    TEXT NOT NULL,
    min_version     TEXT,
    file_path       TEXT NOT NULL,
    file_size       BIGINT NOT NULL,
    checksum_sha256 TEXT NOT NULL,
    changelog       TEXT,
    release_notes   TEXT,
    is_signed       BOOLEAN NOT NULL DEFAULT false,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    created_by      TEXT,
    metadata        JSONB DEFAULT '{}'::jsonb,
    CONSTRAINT firmware_releases_version_device_model_key UNIQUE (version, device_model)
);

CREATE TABLE IF NOT EXISTS devices (
    id                       BIGSERIAL PRIMARY KEY,
    device_id                TEXT NOT NULL UNIQUE,
    mac_address              TEXT UNIQUE,
    device_model             TEXT NOT NULL,
    current_firmware_version TEXT,
    last_seen                TIMESTAMPTZ DEFAULT now(),
    created_at               TIMESTAMPTZ NOT NULL DEFAULT now(),
    metadata                 JSONB DEFAULT '{}'::jsonb
);

CREATE TABLE IF NOT EXISTS device_update_status (
    id               BIGSERIAL PRIMARY KEY,
    device_id        TEXT NOT NULL,
    firmware_version TEXT NOT NULL,
    status           TEXT NOT NULL,
    error_message    TEXT,
    progress_percent INTEGER DEFAULT 0,
    started_at       TIMESTAMPTZ DEFAULT now(),
    completed_at     TIMESTAMPTZ,
    reported_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    metadata         JSONB DEFAULT '{}'::jsonb,
    CONSTRAINT device_update_status_status_check CHECK (status IN
        ('pending', 'downloading', 'downloaded', 'installing', 'success', 'failed', 'rolled_back')),
    CONSTRAINT device_update_status_progress_percent_check CHECK (progress_percent BETWEEN 0 AND 100)
);

CREATE TABLE IF NOT EXISTS rollout_configurations (
    id                 BIGSERIAL PRIMARY KEY,
    name               TEXT NOT NULL UNIQUE,
    firmware_version   TEXT NOT NULL,
    device_model       TEXT NOT NULL,
    target_type        TEXT NOT NULL,
    target_filter      JSONB DEFAULT '{}'::jsonb,
    rollout_percentage INTEGER NOT NULL DEFAULT 100,
    is_active          BOOLEAN NOT NULL DEFAULT true,
    created_at         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at         TIMESTAMPTZ NOT NULL DEFAULT now(),
    created_by         TEXT,
    metadata           JSONB DEFAULT '{}'::jsonb,
    CONSTRAINT rollout_configurations_target_type_check CHECK (target_type IN
        ('all', 'canary', 'specific', 'group')),
    CONSTRAINT rollout_configurations_rollout_percentage_check CHECK (rollout_percentage BETWEEN 0 AND 100)
);

CREATE TABLE IF NOT EXISTS ota_events (
    id               BIGSERIAL PRIMARY KEY,
    event_type       TEXT NOT NULL,
    device_id        TEXT,
    firmware_version TEXT,
    rollout_id       BIGINT,
    event_data       JSONB DEFAULT '{}'::jsonb,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    created_by       TEXT
);
