-- Devices whose connection to the broker has to end, because an identity of theirs was taken back: also one that no
-- certificate is known of here. A row goes with the cut. Until then what the device still says is not heard.
CREATE TABLE IF NOT EXISTS device_cuts (
    id         bigserial PRIMARY KEY,
    device_id  text NOT NULL,
    ordered_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS device_cuts_device_idx ON device_cuts (device_id);

-- What was taken back stays so, whoever writes.
CREATE OR REPLACE FUNCTION keep_revoked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a revocation is for good' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE OR REPLACE TRIGGER keep_revoked BEFORE UPDATE OF revoked_at ON device_certificates
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL) EXECUTE FUNCTION keep_revoked();
CREATE OR REPLACE TRIGGER keep_revoked BEFORE UPDATE OF revoked_at ON admin_keys
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL) EXECUTE FUNCTION keep_revoked();
