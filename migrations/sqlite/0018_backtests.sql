-- Backtests that were asked for, so that every node can tell how far one is.

CREATE TABLE backtests (
    connection_id TEXT NOT NULL,
    backtest_id TEXT NOT NULL,
    node TEXT NOT NULL,
    draft TEXT NOT NULL,
    days INTEGER CHECK (days >= 1),
    asked_at INTEGER NOT NULL,
    standing TEXT NOT NULL,
    is_over INTEGER NOT NULL CHECK (is_over IN (0, 1)),
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, backtest_id)
) STRICT;

CREATE INDEX backtests_by_time ON backtests (connection_id, asked_at);
