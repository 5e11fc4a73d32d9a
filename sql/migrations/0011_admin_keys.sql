-- Keys of the admin routes besides the root key, which is in the service's environment alone. Of a key only its hash is
-- stored. A name is a key's for ever, so that the audit log stays clear.
CREATE TABLE IF NOT EXISTS admin_keys (
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
CREATE OR REPLACE FUNCTION keys_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('ota_keys', '');
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER keys_changed AFTER INSERT OR DELETE OR TRUNCATE ON admin_keys
    FOR EACH STATEMENT EXECUTE FUNCTION keys_changed();
-- That a key was used is no change of it.
CREATE OR REPLACE TRIGGER keys_updated AFTER UPDATE OF name, role, key_sha256, expires_at, revoked_at ON admin_keys
    FOR EACH STATEMENT EXECUTE FUNCTION keys_changed();
