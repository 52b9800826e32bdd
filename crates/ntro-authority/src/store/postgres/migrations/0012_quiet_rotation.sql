-- A pending successor may ask that its predecessor ends once that was unused for so many seconds,
-- counted from the request at the earliest.
ALTER TABLE api_keys ADD COLUMN quiet_seconds BIGINT;
ALTER TABLE api_keys ADD COLUMN quiet_from BIGINT;
CREATE INDEX quiet_rotations ON api_keys (id) WHERE quiet_seconds IS NOT NULL;
