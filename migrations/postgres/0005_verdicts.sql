-- What is to be judged again, what the rules said last, and what needs a person.

-- The work list of the evaluation. The mark grows with every marking, so that whoever
-- clears a row can tell that it was marked again meanwhile.
CREATE TABLE dirty (
    connection_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('customer', 'referral')),
    id TEXT COLLATE "C" NOT NULL,
    mark BIGINT NOT NULL,
    marked_at_us BIGINT NOT NULL,
    PRIMARY KEY (connection_id, kind, id)
);

CREATE INDEX dirty_by_time ON dirty (connection_id, marked_at_us);

CREATE TABLE verdicts (
    connection_id TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    referral_id TEXT COLLATE "C" NOT NULL,
    promoter_id TEXT COLLATE "C",
    revision TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('qualified', 'pending', 'rejected', 'review')),
    code TEXT COLLATE "C" NOT NULL,
    qualified_at BIGINT,
    settle_after BIGINT,
    next_check_at BIGINT,
    verdict TEXT COLLATE "C" NOT NULL,
    evaluated_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, campaign_id, referral_id),
    CHECK (state <> 'qualified' OR (qualified_at IS NOT NULL AND settle_after IS NOT NULL))
);

CREATE INDEX verdicts_to_check ON verdicts (connection_id, next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX verdicts_by_promoter ON verdicts (connection_id, promoter_id, campaign_id, referral_id);
CREATE INDEX verdicts_by_state ON verdicts (connection_id, campaign_id, state, referral_id);
CREATE INDEX verdicts_by_referral ON verdicts (connection_id, referral_id);

CREATE TABLE verdict_customers (
    connection_id TEXT COLLATE "C" NOT NULL,
    customer_id TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    referral_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (connection_id, customer_id, campaign_id, referral_id)
);

CREATE INDEX verdict_customers_by_verdict ON verdict_customers (connection_id, campaign_id, referral_id);

CREATE TABLE cases (
    connection_id TEXT COLLATE "C" NOT NULL,
    case_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    referral_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'resolved', 'gone')),
    opened_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, case_id)
);

CREATE INDEX cases_by_state ON cases (connection_id, state, opened_at, case_id);
CREATE INDEX cases_by_referral ON cases (connection_id, referral_id);

CREATE TABLE near_misses (
    connection_id TEXT COLLATE "C" NOT NULL,
    near_miss_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C",
    referral_id TEXT COLLATE "C",
    customer_id TEXT COLLATE "C",
    detail TEXT COLLATE "C" NOT NULL,
    found_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, near_miss_id)
);

CREATE INDEX near_misses_by_time ON near_misses (connection_id, found_at, near_miss_id);
CREATE INDEX near_misses_by_referral ON near_misses (connection_id, referral_id);
CREATE INDEX near_misses_by_customer ON near_misses (connection_id, customer_id);
