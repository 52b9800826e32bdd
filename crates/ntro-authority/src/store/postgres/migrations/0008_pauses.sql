-- A paused key is refused until it is resumed. Keys that would end with it are paused with it.
ALTER TABLE api_keys ADD COLUMN paused_at BIGINT;
-- The key that they are paused with; NULL for a key that is paused by itself.
ALTER TABLE api_keys ADD COLUMN paused_with TEXT REFERENCES api_keys (id);
CREATE INDEX api_keys_by_pause ON api_keys (paused_with) WHERE paused_with IS NOT NULL;
