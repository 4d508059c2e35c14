-- People, how they sign in, and who did what.

-- Somebody who was invited is there before their first sign-in; nobody is ever deleted,
-- because the audit log names them.
CREATE TABLE users (
    connection_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'marketer', 'viewer', 'promoter')),
    promoter_id TEXT,
    password_hash TEXT,
    state TEXT NOT NULL CHECK (state IN ('invited', 'active', 'deactivated')),
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    signed_in_at INTEGER,
    PRIMARY KEY (connection_id, user_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id),
    CHECK ((role = 'promoter') = (promoter_id IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX users_by_email ON users (connection_id, email);
CREATE INDEX users_by_promoter ON users (connection_id, promoter_id) WHERE promoter_id IS NOT NULL;

-- The one look-up without a connection is by the token's hash: it is what tells the connection.
CREATE TABLE sessions (
    connection_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    hash BLOB NOT NULL,
    user_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    idle_ends_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, session_id),
    FOREIGN KEY (connection_id, user_id) REFERENCES users (connection_id, user_id)
) STRICT;

CREATE UNIQUE INDEX sessions_by_hash ON sessions (hash);
CREATE INDEX sessions_by_user ON sessions (connection_id, user_id);
CREATE INDEX sessions_by_end ON sessions (connection_id, idle_ends_at);

-- Links that open something once. Only the hash of the token is kept.
CREATE TABLE one_time_links (
    connection_id TEXT NOT NULL,
    hash BLOB NOT NULL,
    purpose TEXT NOT NULL CHECK (purpose IN ('setup', 'sign_in', 'invitation', 'reset')),
    user_id TEXT,
    created_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (connection_id, hash),
    FOREIGN KEY (connection_id, user_id) REFERENCES users (connection_id, user_id),
    CHECK ((purpose = 'setup') = (user_id IS NULL))
) STRICT;

CREATE UNIQUE INDEX one_time_links_by_hash ON one_time_links (hash);
CREATE INDEX one_time_links_by_user ON one_time_links (connection_id, user_id);
CREATE INDEX one_time_links_by_end ON one_time_links (connection_id, ends_at);

-- How much of a limit is used up, shared by all nodes: the instant at which it is whole again.
CREATE TABLE limits (
    connection_id TEXT NOT NULL,
    bucket TEXT NOT NULL,
    whole_at_us INTEGER NOT NULL,
    PRIMARY KEY (connection_id, bucket)
) STRICT, WITHOUT ROWID;

CREATE INDEX limits_by_time ON limits (connection_id, whole_at_us);

-- Who did what: each row holds the hash of the one before.
CREATE TABLE audit_log (
    connection_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    request_id TEXT,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (connection_id, number)
) STRICT;

CREATE INDEX audit_log_by_actor ON audit_log (connection_id, actor, number);
CREATE INDEX audit_log_by_action ON audit_log (connection_id, action, number);
CREATE INDEX audit_log_by_subject ON audit_log (connection_id, subject, number);

CREATE TRIGGER audit_log_keep_update BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE TRIGGER audit_log_keep_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;

-- The end of each chain. Whoever appends holds this row until the transaction ends.
CREATE TABLE audit_heads (
    connection_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 0),
    hash BLOB NOT NULL,
    PRIMARY KEY (connection_id)
) STRICT;

-- What is delivered by us has a time at which it is due next; what failed says why.
ALTER TABLE outbox ADD COLUMN due_at INTEGER;
ALTER TABLE outbox ADD COLUMN failure TEXT;

CREATE INDEX outbox_due ON outbox (connection_id, due_at, outbox_id) WHERE due_at IS NOT NULL;
