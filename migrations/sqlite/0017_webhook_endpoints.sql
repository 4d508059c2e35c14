-- Who is told what happened, and what became of telling them.

-- `topics` are names separated by spaces, or `*`. What happened before `since` is not told. The
-- secrets are ciphertext under APP_SECRET_KEY.
CREATE TABLE webhook_endpoints (
    connection_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    topics TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    since INTEGER NOT NULL,
    disabled_reason TEXT,
    secret BLOB NOT NULL,
    previous_secret BLOB,
    previous_until INTEGER,
    failures INTEGER NOT NULL CHECK (failures >= 0),
    failing_since INTEGER,
    version INTEGER NOT NULL CHECK (version >= 1),
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, endpoint_id)
) STRICT;

-- A message of the outbox for one endpoint. `due_at` is set while it waits; without it and
-- without `delivered_at` it was given up. Of an answer only the status is kept.
CREATE TABLE webhook_deliveries (
    connection_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    outbox_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    due_at INTEGER,
    tried_at INTEGER,
    status INTEGER,
    failure TEXT,
    delivered_at INTEGER,
    PRIMARY KEY (connection_id, endpoint_id, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (connection_id, endpoint_id, due_at, message_id) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (connection_id, endpoint_id, created_at, message_id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (connection_id, created_at);

-- Messages are forgotten by age; those that still wait have an index already. A row is in this one
-- only once it was told, so that writing a message costs nothing more than before.
CREATE INDEX outbox_told ON outbox (connection_id, created_at, outbox_id) WHERE delivered_at IS NOT NULL;
