-- Promoters, the referrals they claim, and what admins decided.

CREATE TABLE promoters (
    connection_id TEXT NOT NULL,
    promoter_id TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    folded_email TEXT,
    code TEXT,
    stripe_customer_id TEXT,
    suspended INTEGER NOT NULL CHECK (suspended IN (0, 1)),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, promoter_id)
) STRICT;

CREATE INDEX promoters_by_email ON promoters (connection_id, email);
CREATE INDEX promoters_by_code ON promoters (connection_id, code);

-- A coupon id belongs to at most one promoter.
CREATE TABLE promoter_coupons (
    connection_id TEXT NOT NULL,
    coupon_id TEXT NOT NULL,
    promoter_id TEXT NOT NULL,
    PRIMARY KEY (connection_id, coupon_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX promoter_coupons_by_promoter ON promoter_coupons (connection_id, promoter_id, coupon_id);

-- Only registered referrals: the ones that a coupon makes are derived.
CREATE TABLE referrals (
    connection_id TEXT NOT NULL,
    referral_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    promoter_id TEXT NOT NULL,
    email TEXT,
    folded_email TEXT,
    uid TEXT,
    stripe_customer_id TEXT,
    referred_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, referral_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id),
    CHECK (email IS NOT NULL OR uid IS NOT NULL OR stripe_customer_id IS NOT NULL)
) STRICT;

CREATE INDEX referrals_by_email ON referrals (connection_id, email);
CREATE INDEX referrals_by_folded_email ON referrals (connection_id, folded_email);
CREATE INDEX referrals_by_uid ON referrals (connection_id, uid);
CREATE INDEX referrals_by_stripe_customer ON referrals (connection_id, stripe_customer_id);
CREATE INDEX referrals_by_campaign ON referrals (connection_id, campaign_id, referred_at, referral_id);
CREATE INDEX referrals_by_promoter ON referrals (connection_id, promoter_id, referred_at, referral_id);

CREATE TABLE decisions (
    connection_id TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    campaign_id TEXT,
    referral_id TEXT,
    case_id TEXT,
    choice TEXT,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, decision_id)
) STRICT;

CREATE INDEX decisions_by_referral ON decisions (connection_id, referral_id);
CREATE INDEX decisions_by_case ON decisions (connection_id, case_id);

CREATE TRIGGER decisions_keep_update BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions is append-only'); END;
CREATE TRIGGER decisions_keep_delete BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions is append-only'); END;
