-- A key may mint its own successor unless that is switched off. The successor is pending until it
-- has ended its predecessor: until then, both end together.
ALTER TABLE api_keys ADD COLUMN may_rotate BIGINT NOT NULL DEFAULT 1;
ALTER TABLE api_keys ADD COLUMN predecessor TEXT REFERENCES api_keys (id);
ALTER TABLE api_keys ADD COLUMN pending BIGINT NOT NULL DEFAULT 0;
CREATE INDEX api_keys_by_predecessor ON api_keys (predecessor) WHERE predecessor IS NOT NULL;
