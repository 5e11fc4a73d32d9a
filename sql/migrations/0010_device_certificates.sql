-- The truth about devices' certificates, and the one-time tokens that get a device its first one.
ALTER TABLE devices ADD COLUMN IF NOT EXISTS revoked_at timestamptz;

CREATE TABLE IF NOT EXISTS device_certificates (
    id             bigserial PRIMARY KEY,
    serial         text NOT NULL UNIQUE,
    device_id      text,
    fingerprint    text,
    not_before     timestamptz,
    not_after      timestamptz,
    certificate    text,
    issued_at      timestamptz,
    issued_by      text,
    revoked_at     timestamptz,
    revoked_by     text,
    revoked_reason text,
    cut_at         timestamptz
);
CREATE INDEX IF NOT EXISTS device_certificates_device_idx ON device_certificates (device_id, id DESC);
CREATE INDEX IF NOT EXISTS device_certificates_revoked_idx ON device_certificates (serial) WHERE revoked_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS device_certificates_uncut_idx ON device_certificates (id) WHERE revoked_at IS NOT NULL AND cut_at IS NULL;

CREATE TABLE IF NOT EXISTS enrolment_tokens (
    id           bigserial PRIMARY KEY,
    token_sha256 text NOT NULL UNIQUE,
    device_id    text,
    device_model text,
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text,
    revoked_at   timestamptz,
    used_at      timestamptz,
    used_by      text,
    csr_sha256   text,
    serial       text,
    refused_at   timestamptz
);
CREATE INDEX IF NOT EXISTS enrolment_tokens_device_idx ON enrolment_tokens (device_id) WHERE device_id IS NOT NULL;
