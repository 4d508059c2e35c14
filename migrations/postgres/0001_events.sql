-- Connections, and what Stripe sent on them, as received.
-- Times: *_us are our unix microseconds, *_at are unix seconds. Booleans are 0 or 1.
-- COLLATE "C": text sorts by its bytes, as in SQLite, whatever the database's locale.

CREATE TABLE connections (
    connection_id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C",
    mode TEXT COLLATE "C" NOT NULL CHECK (mode IN ('live', 'test')),
    name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id)
);

-- No foreign key to connections: every insert would lock that one row.
CREATE TABLE events (
    connection_id TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    event_type TEXT COLLATE "C" NOT NULL,
    api_version TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    received_at_us BIGINT NOT NULL,
    mode TEXT COLLATE "C" NOT NULL CHECK (mode IN ('live', 'test')),
    body BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    deliveries BIGINT NOT NULL CHECK (deliveries >= 1),
    conflicts BIGINT NOT NULL CHECK (conflicts >= 0),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('received', 'done', 'ignored', 'quarantined')),
    reason_code TEXT COLLATE "C",
    reason TEXT COLLATE "C",
    secret_index BIGINT,
    PRIMARY KEY (connection_id, event_id)
);

CREATE INDEX events_by_time ON events (connection_id, received_at_us, event_id);
CREATE INDEX events_received ON events (connection_id, received_at_us) WHERE state = 'received';
CREATE INDEX events_quarantined ON events (connection_id, received_at_us) WHERE state = 'quarantined';

-- Other bodies that came under an id that was taken.
CREATE TABLE event_conflicts (
    connection_id TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    received_at_us BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (connection_id, event_id, digest),
    FOREIGN KEY (connection_id, event_id) REFERENCES events (connection_id, event_id)
);
