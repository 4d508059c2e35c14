-- What pages count by time.

CREATE INDEX referrals_by_time ON referrals (connection_id, referred_at, referral_id);
CREATE INDEX verdicts_by_qualified_at ON verdicts (connection_id, qualified_at) WHERE qualified_at IS NOT NULL;
CREATE INDEX ledger_transactions_by_time ON ledger_transactions (connection_id, booked_at);
