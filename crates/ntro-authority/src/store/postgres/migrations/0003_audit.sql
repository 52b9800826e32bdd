-- The actor, the time and the object of each change: one row a change, in its transaction. Rows are
-- only added.
CREATE TABLE audit (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              BIGINT NOT NULL,
    -- user, key, command_line, system
    actor_kind      TEXT NOT NULL,
    -- The `iss` of a user's token.
    actor_issuer    TEXT,
    -- The `sub` of a user's token, or the id of a key.
    actor_id        TEXT,
    action          TEXT NOT NULL,
    target_kind     TEXT NOT NULL,
    target_id       TEXT NOT NULL,
    organisation_id TEXT,
    tenant_id       TEXT,
    -- A JSON object.
    details         TEXT NOT NULL
);
