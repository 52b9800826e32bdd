-- The fewest days before its expiry for which a warning of the key was delivered, and when the next
-- attempt may begin.
ALTER TABLE api_keys ADD COLUMN warned_days INTEGER;
ALTER TABLE api_keys ADD COLUMN warn_after INTEGER;
CREATE INDEX api_keys_by_expiry ON api_keys (expires_at)
    WHERE expires_at IS NOT NULL AND revoked_at IS NULL AND parent IS NULL;
