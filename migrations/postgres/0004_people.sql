-- Promoters, the referrals they claim, and what admins decided.

CREATE TABLE promoters (
    connection_id TEXT COLLATE "C" NOT NULL,
    promoter_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C",
    folded_email TEXT COLLATE "C",
    code TEXT COLLATE "C",
    stripe_customer_id TEXT COLLATE "C",
    suspended BIGINT NOT NULL CHECK (suspended IN (0, 1)),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, promoter_id)
);

CREATE INDEX promoters_by_email ON promoters (connection_id, email);
CREATE INDEX promoters_by_code ON promoters (connection_id, code);

-- A coupon id belongs to at most one promoter.
CREATE TABLE promoter_coupons (
    connection_id TEXT COLLATE "C" NOT NULL,
    coupon_id TEXT COLLATE "C" NOT NULL,
    promoter_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (connection_id, coupon_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id)
);

CREATE INDEX promoter_coupons_by_promoter ON promoter_coupons (connection_id, promoter_id, coupon_id);

-- Only registered referrals: the ones that a coupon makes are derived.
CREATE TABLE referrals (
    connection_id TEXT COLLATE "C" NOT NULL,
    referral_id TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    promoter_id TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C",
    folded_email TEXT COLLATE "C",
    uid TEXT COLLATE "C",
    stripe_customer_id TEXT COLLATE "C",
    referred_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, referral_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id),
    CHECK (email IS NOT NULL OR uid IS NOT NULL OR stripe_customer_id IS NOT NULL)
);

CREATE INDEX referrals_by_email ON referrals (connection_id, email);
CREATE INDEX referrals_by_folded_email ON referrals (connection_id, folded_email);
CREATE INDEX referrals_by_uid ON referrals (connection_id, uid);
CREATE INDEX referrals_by_stripe_customer ON referrals (connection_id, stripe_customer_id);
CREATE INDEX referrals_by_campaign ON referrals (connection_id, campaign_id, referred_at, referral_id);
CREATE INDEX referrals_by_promoter ON referrals (connection_id, promoter_id, referred_at, referral_id);

CREATE TABLE decisions (
    connection_id TEXT COLLATE "C" NOT NULL,
    decision_id TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C",
    referral_id TEXT COLLATE "C",
    case_id TEXT COLLATE "C",
    choice TEXT COLLATE "C",
    actor TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, decision_id)
);

CREATE INDEX decisions_by_referral ON decisions (connection_id, referral_id);
CREATE INDEX decisions_by_case ON decisions (connection_id, case_id);

CREATE TRIGGER decisions_keep BEFORE UPDATE OR DELETE ON decisions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
