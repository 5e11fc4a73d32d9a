-- Events are published in the order of (transaction, id), and only those of transactions older than every one still
-- running: an id alone says nothing about the order of commits, so a later commit could slip behind a cursor on id.
-- The rows that are there now get this migration's transaction and count as published.

ALTER TABLE ota_events ADD COLUMN IF NOT EXISTS txid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX IF NOT EXISTS ota_events_txid_idx ON ota_events (txid, id);

-- One row: everything up to (txid, id) is published, and so is every id up to id_floor. The floor matters after a
-- restore into a new cluster, whose transaction numbers start anew.
CREATE TABLE IF NOT EXISTS event_cursor (
    only_row boolean PRIMARY KEY DEFAULT true,
    txid     xid8 NOT NULL,
    id       bigint NOT NULL,
    id_floor bigint NOT NULL,
    CONSTRAINT event_cursor_only_row_check CHECK (only_row)
);
INSERT INTO event_cursor (txid, id, id_floor)
SELECT pg_current_xact_id(), coalesce(max(id), 0), coalesce(max(id), 0) FROM ota_events
ON CONFLICT (only_row) DO NOTHING;
