-- Settling writes as few index pages as possible: an entry in the order of accounts or promoters
-- lies at a place of its own for nearly every item of a batch.

-- What the entries of an account sum to, changed in the transaction that adds them.
CREATE TABLE ledger_balances (
    connection_id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount_minor BIGINT NOT NULL,
    PRIMARY KEY (connection_id, account, currency)
);

INSERT INTO ledger_balances (connection_id, account, currency, amount_minor)
    SELECT connection_id, account, currency, CAST(SUM(amount_minor) AS BIGINT)
    FROM ledger_entries GROUP BY connection_id, account, currency;

DROP INDEX ledger_entries_by_account;
-- A promoter's transactions are found by qualifications_by_promoter.
DROP INDEX ledger_transactions_by_promoter;
