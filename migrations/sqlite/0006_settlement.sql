-- The queue, the batches that settle it, and the ledger.

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
    PRIMARY KEY (connection_id, qualification_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id),
    CHECK (state IN ('settled', 'reversed') OR sequence = 0)
) STRICT;

-- One reward per person, and per referral, in a campaign.
CREATE UNIQUE INDEX qualifications_one_per_person ON qualifications (connection_id, campaign_id, person)
    WHERE state IN ('queued', 'settled');
CREATE UNIQUE INDEX qualifications_one_per_referral ON qualifications (connection_id, campaign_id, referral_id)
    WHERE state IN ('queued', 'settled');
CREATE INDEX qualifications_due ON qualifications (connection_id, state, settle_after, qualification_id);
CREATE INDEX qualifications_to_adjust ON qualifications (connection_id, changed_at, qualification_id) WHERE adjust_due = 1;
CREATE INDEX qualifications_by_referral ON qualifications (connection_id, referral_id, campaign_id);
CREATE INDEX qualifications_by_promoter ON qualifications (connection_id, promoter_id, campaign_id, state);

CREATE TABLE batches (
    connection_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    batch_key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('scheduled', 'run_now')),
    slot_at INTEGER NOT NULL,
    cut_off INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'executing', 'done')),
    planned_at INTEGER NOT NULL,
    done_at INTEGER,
    plan_items INTEGER NOT NULL CHECK (plan_items >= 0),
    settled INTEGER NOT NULL,
    reversed INTEGER NOT NULL,
    reinstated INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    PRIMARY KEY (connection_id, batch_id)
) STRICT;

CREATE UNIQUE INDEX batches_one_per_slot ON batches (connection_id, batch_key);
CREATE INDEX batches_by_time ON batches (connection_id, planned_at, batch_id);

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

CREATE INDEX batch_items_by_qualification ON batch_items (connection_id, qualification_id);

CREATE TABLE ledger_transactions (
    connection_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    qualification_id TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    kind TEXT NOT NULL CHECK (kind IN ('accrual', 'reversal', 'reinstatement')),
    cause TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    promoter_id TEXT NOT NULL,
    referral_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    revision TEXT NOT NULL,
    booked_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, transaction_id),
    FOREIGN KEY (connection_id, qualification_id) REFERENCES qualifications (connection_id, qualification_id)
) STRICT;

CREATE UNIQUE INDEX ledger_transactions_in_sequence ON ledger_transactions (connection_id, qualification_id, sequence);
CREATE UNIQUE INDEX ledger_transactions_one_accrual ON ledger_transactions (connection_id, qualification_id)
    WHERE kind = 'accrual';
CREATE INDEX ledger_transactions_by_promoter ON ledger_transactions (connection_id, promoter_id, booked_at, transaction_id);
CREATE INDEX ledger_transactions_by_batch ON ledger_transactions (connection_id, batch_id);

-- Positive is owed to the account, negative is taken from it; per transaction and currency
-- the entries sum to zero.
CREATE TABLE ledger_entries (
    connection_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0),
    account TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    PRIMARY KEY (connection_id, transaction_id, position),
    FOREIGN KEY (connection_id, transaction_id) REFERENCES ledger_transactions (connection_id, transaction_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_entries_by_account ON ledger_entries (connection_id, account, currency, amount_minor);

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
) STRICT;

CREATE INDEX outbox_waiting ON outbox (connection_id, created_at, outbox_id) WHERE delivered_at IS NULL;
