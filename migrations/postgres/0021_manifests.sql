-- What a batch's manifest says beside its plan: which node made it, who asked for it, and the
-- digest of its items. Batches from before have none of it.

ALTER TABLE batches ADD COLUMN node TEXT COLLATE "C";
ALTER TABLE batches ADD COLUMN started_by TEXT COLLATE "C";
ALTER TABLE batches ADD COLUMN digest TEXT COLLATE "C";
