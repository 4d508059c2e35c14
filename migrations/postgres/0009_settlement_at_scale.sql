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
    connection_id TEXT COLLATE "C" NOT NULL,
    qualification_id TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    referral_id TEXT COLLATE "C" NOT NULL,
    person TEXT COLLATE "C" NOT NULL,
    promoter_id TEXT COLLATE "C" NOT NULL,
    revision TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'withdrawn', 'settled', 'reversed')),
    reason TEXT COLLATE "C" NOT NULL,
    qualified_at BIGINT NOT NULL,
    settle_after BIGINT NOT NULL,
    rewards TEXT COLLATE "C" NOT NULL,
    given TEXT COLLATE "C" NOT NULL,
    adjust_due BIGINT NOT NULL CHECK (adjust_due IN (0, 1)),
    sequence BIGINT NOT NULL CHECK (sequence >= 0),
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    active BIGINT NOT NULL CHECK (active IN (0, 1)),
    PRIMARY KEY (connection_id, qualification_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id),
    CHECK (state IN ('settled', 'reversed') OR sequence = 0),
    CHECK ((active = 1) = (state IN ('queued', 'settled')))
);

INSERT INTO qualifications
    SELECT q.*, CASE WHEN q.state IN ('queued', 'settled') THEN 1 ELSE 0 END
    FROM old_qualifications AS q;

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
    connection_id TEXT COLLATE "C" NOT NULL,
    batch_id TEXT COLLATE "C" NOT NULL,
    batch_key TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('scheduled', 'run_now')),
    slot_at BIGINT NOT NULL,
    cut_off BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('planning', 'planned', 'executing', 'done')),
    planned_at BIGINT NOT NULL,
    done_at BIGINT,
    plan_items BIGINT NOT NULL CHECK (plan_items >= 0),
    settled BIGINT NOT NULL,
    reversed BIGINT NOT NULL,
    reinstated BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    PRIMARY KEY (connection_id, batch_id)
);

INSERT INTO batches SELECT * FROM old_batches;

CREATE UNIQUE INDEX batches_one_per_slot ON batches (connection_id, batch_key);
CREATE INDEX batches_by_time ON batches (connection_id, planned_at, batch_id);
-- What is to be resumed: looked for every time that a schedule is.
CREATE INDEX batches_open ON batches (connection_id, planned_at, batch_id) WHERE state <> 'done';

CREATE TABLE batch_items (
    connection_id TEXT COLLATE "C" NOT NULL,
    batch_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL CHECK (position >= 0),
    qualification_id TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL CHECK (action IN ('settle', 'reverse', 'reinstate', 'skip')),
    amounts TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'done', 'superseded')),
    outcome TEXT COLLATE "C",
    PRIMARY KEY (connection_id, batch_id, position),
    FOREIGN KEY (connection_id, batch_id) REFERENCES batches (connection_id, batch_id)
);

INSERT INTO batch_items SELECT * FROM old_items;

-- Items that booked nothing; those that did are found by their transaction. With what it is
-- looked at for in it, or SQLite would rather read all items of the connection.
CREATE INDEX batch_items_without_booking ON batch_items (connection_id, qualification_id, action, state)
    WHERE action = 'skip' OR state = 'superseded';

-- A transaction lies where the item that booked it stands in its plan. An accrual is the first
-- one of its qualification, so that the unique sequence allows one.
CREATE TABLE ledger_transactions (
    connection_id TEXT COLLATE "C" NOT NULL,
    batch_id TEXT COLLATE "C" NOT NULL,
    item BIGINT NOT NULL CHECK (item >= 0),
    qualification_id TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL CHECK (sequence >= 1),
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('accrual', 'reversal', 'reinstatement')),
    cause TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    promoter_id TEXT COLLATE "C" NOT NULL,
    referral_id TEXT COLLATE "C" NOT NULL,
    revision TEXT COLLATE "C" NOT NULL,
    booked_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, batch_id, item),
    FOREIGN KEY (connection_id, qualification_id) REFERENCES qualifications (connection_id, qualification_id),
    CHECK ((kind = 'accrual') = (sequence = 1))
);

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
    connection_id TEXT COLLATE "C" NOT NULL,
    batch_id TEXT COLLATE "C" NOT NULL,
    item BIGINT NOT NULL,
    position BIGINT NOT NULL CHECK (position >= 0),
    account TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor <> 0),
    currency TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    PRIMARY KEY (connection_id, batch_id, item, position),
    FOREIGN KEY (connection_id, batch_id, item) REFERENCES ledger_transactions (connection_id, batch_id, item)
);

INSERT INTO ledger_entries
    SELECT e.connection_id, t.batch_id, t.item, e.position, e.account, e.amount_minor, e.currency
    FROM old_entries AS e
    JOIN old_transactions AS t
      ON t.connection_id = e.connection_id AND t.transaction_id = e.transaction_id;

-- Balances, read from this index alone; the amount stands last, so that rows come in in order.
CREATE INDEX ledger_entries_by_account ON ledger_entries
    (connection_id, account, currency, batch_id, item, position, amount_minor);

CREATE TRIGGER ledger_transactions_keep BEFORE UPDATE OR DELETE ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entries_keep BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What others are to be told, written in the transaction that made it true.
CREATE TABLE outbox (
    connection_id TEXT COLLATE "C" NOT NULL,
    outbox_id TEXT COLLATE "C" NOT NULL,
    topic TEXT COLLATE "C" NOT NULL,
    subject_id TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    delivered_at BIGINT,
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    PRIMARY KEY (connection_id, outbox_id)
);

INSERT INTO outbox SELECT * FROM old_outbox;

CREATE INDEX outbox_waiting ON outbox (connection_id, created_at, outbox_id) WHERE delivered_at IS NULL;

DROP TABLE old_qualifications;
DROP TABLE old_transactions;
DROP TABLE old_entries;
DROP TABLE old_batches;
DROP TABLE old_items;
DROP TABLE old_outbox;
