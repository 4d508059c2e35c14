-- Who is told what happened, and what became of telling them.

-- `topics` are names separated by spaces, or `*`. What happened before `since` is not told. The
-- secrets are ciphertext under APP_SECRET_KEY.
CREATE TABLE webhook_endpoints (
    connection_id TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    topics TEXT COLLATE "C" NOT NULL,
    enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    since BIGINT NOT NULL,
    disabled_reason TEXT COLLATE "C",
    secret BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_until BIGINT,
    failures BIGINT NOT NULL CHECK (failures >= 0),
    failing_since BIGINT,
    version BIGINT NOT NULL CHECK (version >= 1),
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, endpoint_id)
);

-- A message of the outbox for one endpoint. `due_at` is set while it waits; without it and
-- without `delivered_at` it was given up. Of an answer only the status is kept.
CREATE TABLE webhook_deliveries (
    connection_id TEXT COLLATE "C" NOT NULL,
    endpoint_id TEXT COLLATE "C" NOT NULL,
    message_id TEXT COLLATE "C" NOT NULL,
    outbox_id TEXT COLLATE "C" NOT NULL,
    topic TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    due_at BIGINT,
    tried_at BIGINT,
    status BIGINT,
    failure TEXT COLLATE "C",
    delivered_at BIGINT,
    PRIMARY KEY (connection_id, endpoint_id, message_id)
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (connection_id, endpoint_id, due_at, message_id) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (connection_id, endpoint_id, created_at, message_id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (connection_id, created_at);

-- Messages are forgotten by age; those that still wait have an index already. A row is in this one
-- only once it was told, so that writing a message costs nothing more than before.
CREATE INDEX outbox_told ON outbox (connection_id, created_at, outbox_id) WHERE delivered_at IS NOT NULL;
