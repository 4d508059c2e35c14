-- Campaigns: every save is a new immutable revision.

CREATE TABLE campaigns (
    connection_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    revision TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, campaign_id)
) STRICT;

CREATE TABLE campaign_revisions (
    connection_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    revision TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (connection_id, campaign_id, number),
    FOREIGN KEY (connection_id, campaign_id) REFERENCES campaigns (connection_id, campaign_id)
) STRICT;

CREATE INDEX campaign_revisions_by_hash ON campaign_revisions (connection_id, campaign_id, revision);

CREATE TRIGGER campaign_revisions_keep_update BEFORE UPDATE ON campaign_revisions
BEGIN SELECT RAISE(ABORT, 'campaign_revisions is append-only'); END;
CREATE TRIGGER campaign_revisions_keep_delete BEFORE DELETE ON campaign_revisions
BEGIN SELECT RAISE(ABORT, 'campaign_revisions is append-only'); END;
