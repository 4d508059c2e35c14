-- Events are written once and never again; what becomes of them stands beside them, in rows
-- that are small. Rows of events lie in order of arrival; the keys are indexes beside them.

CREATE TABLE events_next (
    connection_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    api_version TEXT,
    created_at INTEGER NOT NULL,
    received_at_us INTEGER NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    secret_index INTEGER,
    body BLOB NOT NULL,
    PRIMARY KEY (connection_id, event_id)
) STRICT;

INSERT INTO events_next
SELECT connection_id, event_id, event_type, api_version, created_at, received_at_us, mode,
       secret_index, body
FROM events ORDER BY connection_id, received_at_us, event_id;

-- What waits to be read. A row goes when its event is read. Here and below no foreign key to
-- events: it would read and, on PostgreSQL, lock the event's row for every row written.
CREATE TABLE event_queue (
    connection_id TEXT NOT NULL,
    received_at_us INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (connection_id, received_at_us, event_id)
) STRICT, WITHOUT ROWID;

INSERT INTO event_queue
SELECT connection_id, received_at_us, event_id FROM events WHERE state = 'received';

-- Why an event was read and not used. What neither waits nor stands here was read and used.
CREATE TABLE event_outcomes (
    connection_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ignored', 'quarantined')),
    reason_code TEXT,
    reason TEXT,
    received_at_us INTEGER NOT NULL,
    PRIMARY KEY (connection_id, event_id)
) STRICT;

INSERT INTO event_outcomes
SELECT connection_id, event_id, state, reason_code, reason, received_at_us
FROM events WHERE state IN ('ignored', 'quarantined');

CREATE INDEX event_outcomes_by_time
    ON event_outcomes (connection_id, state, received_at_us, event_id);

-- Events that were delivered more than once: how often in all, and how often with another body.
CREATE TABLE event_repeats (
    connection_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    deliveries INTEGER NOT NULL CHECK (deliveries >= 2),
    conflicts INTEGER NOT NULL CHECK (conflicts >= 0),
    PRIMARY KEY (connection_id, event_id)
) STRICT;

INSERT INTO event_repeats
SELECT connection_id, event_id, deliveries, conflicts FROM events WHERE deliveries > 1;

CREATE TABLE event_conflicts_next (
    connection_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    received_at_us INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (connection_id, event_id, digest),
    FOREIGN KEY (connection_id, event_id) REFERENCES events_next (connection_id, event_id)
) STRICT;

INSERT INTO event_conflicts_next
SELECT connection_id, event_id, digest, received_at_us, body FROM event_conflicts;

DROP TABLE event_conflicts;
DROP TABLE events;
ALTER TABLE events_next RENAME TO events;
ALTER TABLE event_conflicts_next RENAME TO event_conflicts;

CREATE INDEX events_by_time ON events (connection_id, received_at_us, event_id);
