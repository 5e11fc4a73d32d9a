-- A device's open attempts are looked at with every message of it: one that a newer offer has replaced may still come
-- true. due_at is indexed as it is, so this index makes no change of a row dearer that was cheap.
CREATE INDEX IF NOT EXISTS device_update_status_open_idx ON device_update_status (device_id) WHERE due_at IS NOT NULL;
