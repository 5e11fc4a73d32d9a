-- pgbench: what PostgreSQL itself can register, a row and a commit at a time. Clients take the ids in turn, so that
-- no two of them wait for one row.
\set i :i + 1
\set n (:client_id + :clients * :i) % :ids
INSERT INTO devices (device_id, device_model, current_firmware_version, last_seen)
VALUES ('rest-' || :n, 'bench', '1.0.0', now())
ON CONFLICT (device_id) DO UPDATE SET
    device_model = excluded.device_model,
    current_firmware_version = excluded.current_firmware_version,
    last_seen = excluded.last_seen;
