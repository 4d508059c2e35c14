-- People, how they sign in, and who did what.

-- Somebody who was invited is there before their first sign-in; nobody is ever deleted,
-- because the audit log names them.
CREATE TABLE users (
    connection_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'admin', 'marketer', 'viewer', 'promoter')),
    promoter_id TEXT COLLATE "C",
    password_hash TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('invited', 'active', 'deactivated')),
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    signed_in_at BIGINT,
    PRIMARY KEY (connection_id, user_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id),
    CHECK ((role = 'promoter') = (promoter_id IS NOT NULL))
);

CREATE UNIQUE INDEX users_by_email ON users (connection_id, email);
CREATE INDEX users_by_promoter ON users (connection_id, promoter_id) WHERE promoter_id IS NOT NULL;

-- The one look-up without a connection is by the token's hash: it is what tells the connection.
CREATE TABLE sessions (
    connection_id TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    idle_ends_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, session_id),
    FOREIGN KEY (connection_id, user_id) REFERENCES users (connection_id, user_id)
);

CREATE UNIQUE INDEX sessions_by_hash ON sessions (hash);
CREATE INDEX sessions_by_user ON sessions (connection_id, user_id);
CREATE INDEX sessions_by_end ON sessions (connection_id, idle_ends_at);

-- Links that open something once. Only the hash of the token is kept.
CREATE TABLE one_time_links (
    connection_id TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL CHECK (purpose IN ('setup', 'sign_in', 'invitation', 'reset')),
    user_id TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (connection_id, hash),
    FOREIGN KEY (connection_id, user_id) REFERENCES users (connection_id, user_id),
    CHECK ((purpose = 'setup') = (user_id IS NULL))
);

CREATE UNIQUE INDEX one_time_links_by_hash ON one_time_links (hash);
CREATE INDEX one_time_links_by_user ON one_time_links (connection_id, user_id);
CREATE INDEX one_time_links_by_end ON one_time_links (connection_id, ends_at);

-- How much of a limit is used up, shared by all nodes: the instant at which it is whole again.
CREATE TABLE limits (
    connection_id TEXT COLLATE "C" NOT NULL,
    bucket TEXT COLLATE "C" NOT NULL,
    whole_at_us BIGINT NOT NULL,
    PRIMARY KEY (connection_id, bucket)
);

CREATE INDEX limits_by_time ON limits (connection_id, whole_at_us);

-- Who did what: each row holds the hash of the one before.
CREATE TABLE audit_log (
    connection_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    at_us BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C",
    previous BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (connection_id, number)
);

CREATE INDEX audit_log_by_actor ON audit_log (connection_id, actor, number);
CREATE INDEX audit_log_by_action ON audit_log (connection_id, action, number);
CREATE INDEX audit_log_by_subject ON audit_log (connection_id, subject, number);

CREATE TRIGGER audit_log_keep BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The end of each chain. Whoever appends holds this row until the transaction ends.
CREATE TABLE audit_heads (
    connection_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 0),
    hash BYTEA NOT NULL,
    PRIMARY KEY (connection_id)
);

-- What is delivered by us has a time at which it is due next; what failed says why.
ALTER TABLE outbox ADD COLUMN due_at BIGINT;
ALTER TABLE outbox ADD COLUMN failure TEXT COLLATE "C";

CREATE INDEX outbox_due ON outbox (connection_id, due_at, outbox_id) WHERE due_at IS NOT NULL;
