-- Connections, and what Stripe sent on them, as received.
-- Times: *_us are our unix microseconds, *_at are unix seconds. Booleans are 0 or 1.

CREATE TABLE connections (
    connection_id TEXT NOT NULL,
    account TEXT,
    mode TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id)
) STRICT;

-- Rows lie in order of arrival; the key is only an index beside them. No foreign key to
-- connections: every insert would lock that one row.
CREATE TABLE events (
    connection_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    api_version TEXT,
    created_at INTEGER NOT NULL,
    received_at_us INTEGER NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    body BLOB NOT NULL,
    digest BLOB NOT NULL,
    deliveries INTEGER NOT NULL CHECK (deliveries >= 1),
    conflicts INTEGER NOT NULL CHECK (conflicts >= 0),
    state TEXT NOT NULL CHECK (state IN ('received', 'done', 'ignored', 'quarantined')),
    reason_code TEXT,
    reason TEXT,
    secret_index INTEGER,
    PRIMARY KEY (connection_id, event_id)
) STRICT;

CREATE INDEX events_by_time ON events (connection_id, received_at_us, event_id);
CREATE INDEX events_received ON events (connection_id, received_at_us) WHERE state = 'received';
CREATE INDEX events_quarantined ON events (connection_id, received_at_us) WHERE state = 'quarantined';

-- Other bodies that came under an id that was taken.
CREATE TABLE event_conflicts (
    connection_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    received_at_us INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (connection_id, event_id, digest),
    FOREIGN KEY (connection_id, event_id) REFERENCES events (connection_id, event_id)
) STRICT;
