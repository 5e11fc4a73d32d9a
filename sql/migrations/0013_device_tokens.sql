-- Tokens by which devices show over REST who they are. The token itself is nowhere, only its hash. A token may be there
-- before its device was ever heard, so device_id refers to nothing.
CREATE TABLE IF NOT EXISTS device_tokens (
    device_id    text PRIMARY KEY,
    token_sha256 text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text,
    CONSTRAINT device_tokens_token_sha256_key UNIQUE (token_sha256),
    CONSTRAINT device_tokens_token_sha256_check CHECK (token_sha256 ~ '^[0-9a-f]{64}$')
);
