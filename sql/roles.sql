-- What the service's own role may do, and nothing more. Run as the owner, after the migrations:
--   psql -v runtime_role=ota_service -f sql/roles.sql
-- The role can neither change tables nor edit the audit log (ota_events): there it may only add and read.

BEGIN; -- a running service never sees itself without rights

GRANT USAGE ON SCHEMA public TO :"runtime_role";
REVOKE CREATE ON SCHEMA public FROM PUBLIC, :"runtime_role";

REVOKE ALL ON firmware_releases, devices, device_update_status, rollout_configurations, ota_events, offers,
    push_requests, event_cursor, retained_offers_seen, service_settings, admin_keys, device_tokens, device_certificates,
    enrolment_tokens, device_cuts, schema_migrations FROM :"runtime_role";
GRANT SELECT, INSERT, UPDATE ON firmware_releases, devices, device_update_status, rollout_configurations, offers
    TO :"runtime_role";
GRANT DELETE ON firmware_releases, devices, offers TO :"runtime_role";
GRANT SELECT, INSERT, UPDATE ON device_certificates, enrolment_tokens TO :"runtime_role"; -- a revocation cannot be deleted
GRANT SELECT, INSERT, UPDATE, DELETE ON device_tokens TO :"runtime_role";
GRANT SELECT, INSERT, DELETE ON device_cuts TO :"runtime_role";
GRANT SELECT, INSERT ON ota_events TO :"runtime_role";
GRANT EXECUTE ON FUNCTION prune_events(timestamptz, integer) TO :"runtime_role"; -- the only way out of the log
GRANT SELECT, UPDATE ON service_settings TO :"runtime_role";
-- What a key may do never changes.
GRANT SELECT, INSERT ON admin_keys TO :"runtime_role";
GRANT UPDATE (revoked_at, last_used_at) ON admin_keys TO :"runtime_role";
GRANT SELECT, UPDATE ON push_requests, event_cursor TO :"runtime_role"; -- their rows are made by triggers and migrations
GRANT SELECT, INSERT, UPDATE, TRUNCATE ON retained_offers_seen TO :"runtime_role"; -- scratch, emptied for each reading
GRANT SELECT ON schema_migrations TO :"runtime_role";

GRANT USAGE ON SEQUENCE attempt_ids TO :"runtime_role";
-- The sequences behind the ids, whatever an adopted database calls them.
SELECT format('GRANT USAGE ON SEQUENCE %s TO %I', pg_get_serial_sequence(t, 'id'), :'runtime_role')
FROM unnest(ARRAY['firmware_releases', 'devices', 'device_update_status', 'rollout_configurations', 'ota_events',
                  'device_certificates', 'enrolment_tokens', 'device_cuts']) AS t
WHERE pg_get_serial_sequence(t, 'id') IS NOT NULL \gexec

COMMIT;
