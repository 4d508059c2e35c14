-- Batches of a million items: plans are made in many transactions, and what a batch writes lies
-- in the order of its plan. A key in the order of hashes would dirty an index page a row.

-- What is queued or settled holds the place of its person and its referral. As a column of its
-- own, so that settling (queued to settled) touches neither of the two unique indexes.
CREATE TEMP TABLE old_qualifications AS SELECT * FROM qualifications;
CREATE TEMP TABLE old_transactions AS
    SELECT t.*, COALESCE(
        (SELECT MIN(i.position) FROM batch_items AS i
         WHERE i.connection_id = t.connection_id AND i.batch_id = t.batch_id
           AND i.qualification_id = t.qualification_id),
        1000000000 + ROW_NUMBER() OVER (ORDER BY t.connection_id, t.transaction_id)) AS item
    FROM ledger_transactions AS t;
CREATE TEMP TABLE old_entries AS SELECT * FROM ledger_entries;
CREATE TEMP TABLE old_batches AS SELECT * FROM batches;
CREATE TEMP TABLE old_items AS SELECT * FROM batch_items;
CREATE TEMP TABLE old_outbox AS SELECT * FROM outbox;
DROP TABLE ledger_entries;
DROP TABLE ledger_transactions;
DROP TABLE qualifications;
DROP TABLE batch_items;
DROP TABLE batches;
DROP TABLE outbox;

CREATE TABLE qualifications (
    connection_id TEXT NOT NULL,
    qualification_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    referral_id TEXT NOT NULL,
    person TEXT NOT NULL,
    promoter_id TEXT NOT NULL,
    revision TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'withdrawn', 'settled', 'reversed')),
    reason TEXT NOT NULL,
    qualified_at INTEGER NOT NULL,
    settle_after INTEGER NOT NULL,
    rewards TEXT NOT NULL,
    given TEXT NOT NULL,
    adjust_due INTEGER NOT NULL CHECK (adjust_due IN (0, 1)),
    sequence INTEGER NOT NULL CHECK (sequence >= 0),
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    PRIMARY KEY (connection_id, qualification_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id),
    CHECK (state IN ('settled', 'reversed') OR sequence = 0),
    CHECK ((active = 1) = (state IN ('queued', 'settled')))
) STRICT;

INSERT INTO qualifications
    SELECT q.*, CASE WHEN q.state IN ('queued', 'settled') THEN 1 ELSE 0 END
    FROM old_qualifications AS q ORDER BY q.rowid;

-- One reward per person, and per referral, in a campaign.
CREATE UNIQUE INDEX qualifications_one_per_person ON qualifications (connection_id, campaign_id, person)
    WHERE active = 1;
CREATE UNIQUE INDEX qualifications_one_per_referral ON qualifications (connection_id, campaign_id, referral_id)
    WHERE active = 1;
-- The pages of a plan, in its order.
CREATE INDEX qualifications_due ON qualifications (connection_id, qualified_at, qualification_id, settle_after)
    WHERE state = 'queued';
-- The adjustments of a plan.
CREATE INDEX qualifications_to_adjust ON qualifications (connection_id, changed_at, qualification_id) WHERE adjust_due = 1;
-- Judging, and whoever looks at a referral.
CREATE INDEX qualifications_by_referral ON qualifications (connection_id, referral_id, campaign_id);
-- A promoter's list, and what counts against a promoter's limit. Without the state, which settling changes.
CREATE INDEX qualifications_by_promoter ON qualifications (connection_id, promoter_id, campaign_id);

CREATE TABLE batches (
    connection_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    batch_key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('scheduled', 'run_now')),
    slot_at INTEGER NOT NULL,
    cut_off INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planning', 'planned', 'executing', 'done')),
    planned_at INTEGER NOT NULL,
    done_at INTEGER,
    plan_items INTEGER NOT NULL CHECK (plan_items >= 0),
    settled INTEGER NOT NULL,
    reversed INTEGER NOT NULL,
    reinstated INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    PRIMARY KEY (connection_id, batch_id)
) STRICT;

INSERT INTO batches SELECT * FROM old_batches;

CREATE UNIQUE INDEX batches_one_per_slot ON batches (connection_id, batch_key);
CREATE INDEX batches_by_time ON batches (connection_id, planned_at, batch_id);
-- What is to be resumed: looked for every time that a schedule is.
CREATE INDEX batches_open ON batches (connection_id, planned_at, batch_id) WHERE state <> 'done';

CREATE TABLE batch_items (
    connection_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0),
    qualification_id TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('settle', 'reverse', 'reinstate', 'skip')),
    amounts TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'superseded')),
    outcome TEXT,
    PRIMARY KEY (connection_id, batch_id, position),
    FOREIGN KEY (connection_id, batch_id) REFERENCES batches (connection_id, batch_id)
) STRICT, WITHOUT ROWID;

INSERT INTO batch_items SELECT * FROM old_items;

-- Items that booked nothing; those that did are found by their transaction. With what it is
-- looked at for in it, or SQLite would rather read all items of the connection.
CREATE INDEX batch_items_without_booking ON batch_items (connection_id, qualification_id, action, state)
    WHERE action = 'skip' OR state = 'superseded';

-- A transaction lies where the item that booked it stands in its plan. An accrual is the first
-- one of its qualification, so that the unique sequence allows one.
CREATE TABLE ledger_transactions (
    connection_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    item INTEGER NOT NULL CHECK (item >= 0),
    qualification_id TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    kind TEXT NOT NULL CHECK (kind IN ('accrual', 'reversal', 'reinstatement')),
    cause TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    promoter_id TEXT NOT NULL,
    referral_id TEXT NOT NULL,
    revision TEXT NOT NULL,
    booked_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, batch_id, item),
    FOREIGN KEY (connection_id, qualification_id) REFERENCES qualifications (connection_id, qualification_id),
    CHECK ((kind = 'accrual') = (sequence = 1))
) STRICT, WITHOUT ROWID;

INSERT INTO ledger_transactions
    SELECT connection_id, batch_id, item, qualification_id, sequence, kind, cause, campaign_id,
           promoter_id, referral_id, revision, booked_at
    FROM old_transactions ORDER BY connection_id, batch_id, item;

-- The last guard against booking twice.
CREATE UNIQUE INDEX ledger_transactions_in_sequence ON ledger_transactions (connection_id, qualification_id, sequence);
-- A promoter's statement, newest first.
CREATE INDEX ledger_transactions_by_promoter ON ledger_transactions (connection_id, promoter_id, booked_at, batch_id, item);

-- Positive is owed to the account, negative is taken from it; per transaction and currency
-- the entries sum to zero.
CREATE TABLE ledger_entries (
    connection_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    item INTEGER NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0),
    account TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    PRIMARY KEY (connection_id, batch_id, item, position),
    FOREIGN KEY (connection_id, batch_id, item) REFERENCES ledger_transactions (connection_id, batch_id, item)
) STRICT, WITHOUT ROWID;

INSERT INTO ledger_entries
    SELECT e.connection_id, t.batch_id, t.item, e.position, e.account, e.amount_minor, e.currency
    FROM old_entries AS e
    JOIN old_transactions AS t
      ON t.connection_id = e.connection_id AND t.transaction_id = e.transaction_id;

-- Balances, read from this index alone; the amount stands last, so that rows come in in order.
CREATE INDEX ledger_entries_by_account ON ledger_entries
    (connection_id, account, currency, batch_id, item, position, amount_minor);

CREATE TRIGGER ledger_transactions_keep_update BEFORE UPDATE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'ledger_transactions is append-only'); END;
CREATE TRIGGER ledger_transactions_keep_delete BEFORE DELETE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'ledger_transactions is append-only'); END;
CREATE TRIGGER ledger_entries_keep_update BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE TRIGGER ledger_entries_keep_delete BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;

-- What others are to be told, written in the transaction that made it true.
CREATE TABLE outbox (
    connection_id TEXT NOT NULL,
    outbox_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    delivered_at INTEGER,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    PRIMARY KEY (connection_id, outbox_id)
) STRICT, WITHOUT ROWID;

INSERT INTO outbox SELECT * FROM old_outbox;

CREATE INDEX outbox_waiting ON outbox (connection_id, created_at, outbox_id) WHERE delivered_at IS NULL;

DROP TABLE old_qualifications;
DROP TABLE old_transactions;
DROP TABLE old_entries;
DROP TABLE old_batches;
DROP TABLE old_items;
DROP TABLE old_outbox;
