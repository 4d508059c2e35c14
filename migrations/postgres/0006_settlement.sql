-- The queue, the batches that settle it, and the ledger.

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
    PRIMARY KEY (connection_id, qualification_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id),
    CHECK (state IN ('settled', 'reversed') OR sequence = 0)
);

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
    connection_id TEXT COLLATE "C" NOT NULL,
    batch_id TEXT COLLATE "C" NOT NULL,
    batch_key TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('scheduled', 'run_now')),
    slot_at BIGINT NOT NULL,
    cut_off BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('planned', 'executing', 'done')),
    planned_at BIGINT NOT NULL,
    done_at BIGINT,
    plan_items BIGINT NOT NULL CHECK (plan_items >= 0),
    settled BIGINT NOT NULL,
    reversed BIGINT NOT NULL,
    reinstated BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    PRIMARY KEY (connection_id, batch_id)
);

CREATE UNIQUE INDEX batches_one_per_slot ON batches (connection_id, batch_key);
CREATE INDEX batches_by_time ON batches (connection_id, planned_at, batch_id);

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

CREATE INDEX batch_items_by_qualification ON batch_items (connection_id, qualification_id);

CREATE TABLE ledger_transactions (
    connection_id TEXT COLLATE "C" NOT NULL,
    transaction_id TEXT COLLATE "C" NOT NULL,
    qualification_id TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL CHECK (sequence >= 1),
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('accrual', 'reversal', 'reinstatement')),
    cause TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    promoter_id TEXT COLLATE "C" NOT NULL,
    referral_id TEXT COLLATE "C" NOT NULL,
    batch_id TEXT COLLATE "C" NOT NULL,
    revision TEXT COLLATE "C" NOT NULL,
    booked_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, transaction_id),
    FOREIGN KEY (connection_id, qualification_id) REFERENCES qualifications (connection_id, qualification_id)
);

CREATE UNIQUE INDEX ledger_transactions_in_sequence ON ledger_transactions (connection_id, qualification_id, sequence);
CREATE UNIQUE INDEX ledger_transactions_one_accrual ON ledger_transactions (connection_id, qualification_id)
    WHERE kind = 'accrual';
CREATE INDEX ledger_transactions_by_promoter ON ledger_transactions (connection_id, promoter_id, booked_at, transaction_id);
CREATE INDEX ledger_transactions_by_batch ON ledger_transactions (connection_id, batch_id);

-- Positive is owed to the account, negative is taken from it; per transaction and currency
-- the entries sum to zero.
CREATE TABLE ledger_entries (
    connection_id TEXT COLLATE "C" NOT NULL,
    transaction_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL CHECK (position >= 0),
    account TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor <> 0),
    currency TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    PRIMARY KEY (connection_id, transaction_id, position),
    FOREIGN KEY (connection_id, transaction_id) REFERENCES ledger_transactions (connection_id, transaction_id)
);

CREATE INDEX ledger_entries_by_account ON ledger_entries (connection_id, account, currency, amount_minor);

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

CREATE INDEX outbox_waiting ON outbox (connection_id, created_at, outbox_id) WHERE delivered_at IS NULL;
