-- On SQLite bodies are packed by this program; here the server does it (0014), and all are NULL,
-- but for those that were copied from there.
ALTER TABLE events ADD COLUMN unpacked_bytes BIGINT CHECK (unpacked_bytes > 0);

-- How long each body is stands in the queue, so that a batch is measured without its bodies.
ALTER TABLE event_queue ADD COLUMN body_bytes BIGINT NOT NULL DEFAULT 0 CHECK (body_bytes >= 0);
UPDATE event_queue SET body_bytes = (
    SELECT length(e.body) FROM events AS e
    WHERE e.connection_id = event_queue.connection_id AND e.event_id = event_queue.event_id
);
