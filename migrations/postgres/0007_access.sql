-- API keys, answers kept for repeated requests, and leases for duties of one node.

-- The one look-up without a connection is by the key's hash: it is what tells the connection.
CREATE TABLE api_keys (
    connection_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    scopes TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (connection_id, key_id)
);

CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (hash);

CREATE TABLE idempotency_keys (
    connection_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    idempotency_key TEXT COLLATE "C" NOT NULL,
    request_digest BYTEA NOT NULL,
    status BIGINT,
    body BYTEA,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, key_id, idempotency_key)
);

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (connection_id, created_at);

CREATE TABLE leases (
    name TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL CHECK (epoch >= 1),
    expires_at_us BIGINT NOT NULL,
    PRIMARY KEY (name)
);
