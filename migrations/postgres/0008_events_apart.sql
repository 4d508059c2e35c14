-- Events are written once and never again; what becomes of them stands beside them, in rows
-- that are small. Rows of events lie in order of arrival; the keys are indexes beside them.

CREATE TABLE events_next (
    connection_id TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    event_type TEXT COLLATE "C" NOT NULL,
    api_version TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    received_at_us BIGINT NOT NULL,
    mode TEXT COLLATE "C" NOT NULL CHECK (mode IN ('live', 'test')),
    secret_index BIGINT,
    body BYTEA NOT NULL,
    PRIMARY KEY (connection_id, event_id)
);

INSERT INTO events_next
SELECT connection_id, event_id, event_type, api_version, created_at, received_at_us, mode,
       secret_index, body
FROM events ORDER BY connection_id, received_at_us, event_id;

-- What waits to be read. A row goes when its event is read. Here and below no foreign key to
-- events: it would read and, on PostgreSQL, lock the event's row for every row written.
-- Every row dies young: vacuum looks after every few thousand dead ones, whatever the size.
CREATE TABLE event_queue (
    connection_id TEXT COLLATE "C" NOT NULL,
    received_at_us BIGINT NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (connection_id, received_at_us, event_id)
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0
);

INSERT INTO event_queue
SELECT connection_id, received_at_us, event_id FROM events WHERE state = 'received';

-- Why an event was read and not used. What neither waits nor stands here was read and used.
CREATE TABLE event_outcomes (
    connection_id TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('ignored', 'quarantined')),
    reason_code TEXT COLLATE "C",
    reason TEXT COLLATE "C",
    received_at_us BIGINT NOT NULL,
    PRIMARY KEY (connection_id, event_id)
);

INSERT INTO event_outcomes
SELECT connection_id, event_id, state, reason_code, reason, received_at_us
FROM events WHERE state IN ('ignored', 'quarantined');

CREATE INDEX event_outcomes_by_time
    ON event_outcomes (connection_id, state, received_at_us, event_id);

-- Events that were delivered more than once: how often in all, and how often with another body.
CREATE TABLE event_repeats (
    connection_id TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    deliveries BIGINT NOT NULL CHECK (deliveries >= 2),
    conflicts BIGINT NOT NULL CHECK (conflicts >= 0),
    PRIMARY KEY (connection_id, event_id)
);

INSERT INTO event_repeats
SELECT connection_id, event_id, deliveries, conflicts FROM events WHERE deliveries > 1;

ALTER TABLE event_conflicts DROP CONSTRAINT event_conflicts_connection_id_event_id_fkey;
DROP TABLE events;
ALTER TABLE events_next RENAME TO events;
ALTER INDEX events_next_pkey RENAME TO events_pkey;
ALTER TABLE events RENAME CONSTRAINT events_next_mode_check TO events_mode_check;
ALTER TABLE event_conflicts
    ADD FOREIGN KEY (connection_id, event_id) REFERENCES events (connection_id, event_id);

CREATE INDEX events_by_time ON events (connection_id, received_at_us, event_id);
