-- API keys, answers kept for repeated requests, and leases for duties of one node.

-- The one look-up without a connection is by the key's hash: it is what tells the connection.
CREATE TABLE api_keys (
    connection_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at INTEGER,
    PRIMARY KEY (connection_id, key_id)
) STRICT;

CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (hash);

CREATE TABLE idempotency_keys (
    connection_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_digest BLOB NOT NULL,
    status INTEGER,
    body BLOB,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, key_id, idempotency_key)
) STRICT;

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (connection_id, created_at);

CREATE TABLE leases (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    expires_at_us INTEGER NOT NULL,
    PRIMARY KEY (name)
) STRICT;
