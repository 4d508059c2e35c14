-- Bodies are packed by LZ4 as they are stored: of a body of full size one page of the file held
-- one, and holds three. NULL is a body as it came, which older rows are.
ALTER TABLE events ADD COLUMN unpacked_bytes INTEGER CHECK (unpacked_bytes > 0);

-- How long each body is stands in the queue, so that a batch is measured without its bodies.
ALTER TABLE event_queue ADD COLUMN body_bytes INTEGER NOT NULL DEFAULT 0 CHECK (body_bytes >= 0);
UPDATE event_queue SET body_bytes = (
    SELECT length(e.body) FROM events AS e
    WHERE e.connection_id = event_queue.connection_id AND e.event_id = event_queue.event_id
);
