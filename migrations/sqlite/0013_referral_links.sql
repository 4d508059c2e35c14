-- Where referral links lead, and how often they were followed.

CREATE TABLE campaign_links (
    connection_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    landing_page TEXT NOT NULL,
    origins TEXT NOT NULL,
    cookie_days INTEGER NOT NULL CHECK (cookie_days >= 1 AND cookie_days <= 365),
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, campaign_id),
    FOREIGN KEY (connection_id, campaign_id) REFERENCES campaigns (connection_id, campaign_id)
) STRICT;

-- Days are counted from 1970-01-01, in UTC. Nothing of who clicked is kept.
CREATE TABLE clicks (
    connection_id TEXT NOT NULL,
    promoter_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    campaign_id TEXT NOT NULL,
    clicks INTEGER NOT NULL CHECK (clicks >= 1),
    PRIMARY KEY (connection_id, promoter_id, day, campaign_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id)
) STRICT, WITHOUT ROWID;
