-- Campaigns: every save is a new immutable revision.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;

CREATE TABLE campaigns (
    connection_id TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    revision TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, campaign_id)
);

CREATE TABLE campaign_revisions (
    connection_id TEXT COLLATE "C" NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    revision TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (connection_id, campaign_id, number),
    FOREIGN KEY (connection_id, campaign_id) REFERENCES campaigns (connection_id, campaign_id)
);

CREATE INDEX campaign_revisions_by_hash ON campaign_revisions (connection_id, campaign_id, revision);

CREATE TRIGGER campaign_revisions_keep BEFORE UPDATE OR DELETE ON campaign_revisions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
