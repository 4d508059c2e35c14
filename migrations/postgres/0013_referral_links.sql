-- Where referral links lead, and how often they were followed.

CREATE TABLE campaign_links (
    connection_id TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    landing_page TEXT COLLATE "C" NOT NULL,
    origins TEXT COLLATE "C" NOT NULL,
    cookie_days BIGINT NOT NULL CHECK (cookie_days >= 1 AND cookie_days <= 365),
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, campaign_id),
    FOREIGN KEY (connection_id, campaign_id) REFERENCES campaigns (connection_id, campaign_id)
);

-- Days are counted from 1970-01-01, in UTC. Nothing of who clicked is kept.
CREATE TABLE clicks (
    connection_id TEXT COLLATE "C" NOT NULL,
    promoter_id TEXT COLLATE "C" NOT NULL,
    day BIGINT NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    clicks BIGINT NOT NULL CHECK (clicks >= 1),
    PRIMARY KEY (connection_id, promoter_id, day, campaign_id),
    FOREIGN KEY (connection_id, promoter_id) REFERENCES promoters (connection_id, promoter_id)
);
