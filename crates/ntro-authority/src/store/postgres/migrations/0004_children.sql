-- A key may create child keys. A child ends with its parent, whatever ends the parent, so the
-- database itself carries the end over. Children have no children.
ALTER TABLE api_keys ADD COLUMN parent TEXT REFERENCES api_keys (id);
CREATE INDEX api_keys_by_parent ON api_keys (parent) WHERE parent IS NOT NULL;
CREATE INDEX children_by_expiry ON api_keys (expires_at)
    WHERE parent IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX children_by_end ON api_keys (revoked_at)
    WHERE parent IS NOT NULL AND revoked_at IS NOT NULL;
CREATE INDEX idempotency_by_key ON idempotency (key_id);
CREATE FUNCTION children_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE api_keys SET revoked_at = NEW.revoked_at, changed = NEW.changed
    WHERE parent = NEW.id AND revoked_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER children_end AFTER UPDATE OF revoked_at ON api_keys FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL AND NEW.parent IS NULL)
    EXECUTE FUNCTION children_end();

-- When a tripwire of the key was last presented.
ALTER TABLE api_keys ADD COLUMN tripped_at BIGINT;

-- Hashes of one-off tokens that must not be presented to the authority.
CREATE TABLE tripwires (
    -- The SHA-256 of the token.
    hash       BYTEA PRIMARY KEY,
    key_id     TEXT NOT NULL REFERENCES api_keys (id),
    expires_at BIGINT NOT NULL,
    changed    BIGINT NOT NULL
);
CREATE INDEX tripwires_by_key ON tripwires (key_id);
CREATE INDEX tripwires_by_expiry ON tripwires (expires_at);
CREATE INDEX tripwires_by_change ON tripwires (changed);
