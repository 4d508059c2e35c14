-- Backtests that were asked for, so that every node can tell how far one is.

CREATE TABLE backtests (
    connection_id TEXT COLLATE "C" NOT NULL,
    backtest_id TEXT COLLATE "C" NOT NULL,
    node TEXT COLLATE "C" NOT NULL,
    draft TEXT COLLATE "C" NOT NULL,
    days BIGINT CHECK (days >= 1),
    asked_at BIGINT NOT NULL,
    standing TEXT COLLATE "C" NOT NULL,
    is_over BIGINT NOT NULL CHECK (is_over IN (0, 1)),
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, backtest_id)
);

CREATE INDEX backtests_by_time ON backtests (connection_id, asked_at);
