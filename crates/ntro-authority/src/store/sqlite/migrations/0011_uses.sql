-- Where a key was last used from, and how often it was used in each hour. Written every half minute
-- by the process that has verified it, so no row of it is a change.
ALTER TABLE api_keys ADD COLUMN last_used_address TEXT;
ALTER TABLE api_keys ADD COLUMN last_used_agent TEXT;
CREATE TABLE key_uses (
    key_id  TEXT NOT NULL,
    -- Its begin.
    hour    INTEGER NOT NULL,
    -- accepted, scope, tenant, limited, paused, suspended, expired
    outcome TEXT NOT NULL,
    times   INTEGER NOT NULL,
    PRIMARY KEY (key_id, hour, outcome)
) STRICT, WITHOUT ROWID;
CREATE INDEX key_uses_by_hour ON key_uses (hour);
