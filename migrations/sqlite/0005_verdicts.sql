-- What is to be judged again, what the rules said last, and what needs a person.

-- The work list of the evaluation. The mark grows with every marking, so that whoever
-- clears a row can tell that it was marked again meanwhile.
CREATE TABLE dirty (
    connection_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('customer', 'referral')),
    id TEXT NOT NULL,
    mark INTEGER NOT NULL,
    marked_at_us INTEGER NOT NULL,
    PRIMARY KEY (connection_id, kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX dirty_by_time ON dirty (connection_id, marked_at_us);

CREATE TABLE verdicts (
    connection_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    referral_id TEXT NOT NULL,
    promoter_id TEXT,
    revision TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('qualified', 'pending', 'rejected', 'review')),
    code TEXT NOT NULL,
    qualified_at INTEGER,
    settle_after INTEGER,
    next_check_at INTEGER,
    verdict TEXT NOT NULL,
    evaluated_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, campaign_id, referral_id),
    CHECK (state <> 'qualified' OR (qualified_at IS NOT NULL AND settle_after IS NOT NULL))
) STRICT;

CREATE INDEX verdicts_to_check ON verdicts (connection_id, next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX verdicts_by_promoter ON verdicts (connection_id, promoter_id, campaign_id, referral_id);
CREATE INDEX verdicts_by_state ON verdicts (connection_id, campaign_id, state, referral_id);
CREATE INDEX verdicts_by_referral ON verdicts (connection_id, referral_id);

CREATE TABLE verdict_customers (
    connection_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    referral_id TEXT NOT NULL,
    PRIMARY KEY (connection_id, customer_id, campaign_id, referral_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX verdict_customers_by_verdict ON verdict_customers (connection_id, campaign_id, referral_id);

CREATE TABLE cases (
    connection_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    referral_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'resolved', 'gone')),
    opened_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, case_id)
) STRICT;

CREATE INDEX cases_by_state ON cases (connection_id, state, opened_at, case_id);
CREATE INDEX cases_by_referral ON cases (connection_id, referral_id);

CREATE TABLE near_misses (
    connection_id TEXT NOT NULL,
    near_miss_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    campaign_id TEXT,
    referral_id TEXT,
    customer_id TEXT,
    detail TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, near_miss_id)
) STRICT;

CREATE INDEX near_misses_by_time ON near_misses (connection_id, found_at, near_miss_id);
CREATE INDEX near_misses_by_referral ON near_misses (connection_id, referral_id);
CREATE INDEX near_misses_by_customer ON near_misses (connection_id, customer_id);
