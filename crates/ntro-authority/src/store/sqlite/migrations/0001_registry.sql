-- Times are milliseconds since 1970, ids lower-case UUIDs.
-- `changed` is the epoch in which a row last changed for those who verify keys.

CREATE TABLE meta (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    epoch        INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    pepper_check BLOB
) STRICT;
INSERT INTO meta (one, epoch, acknowledged) VALUES (1, 0, 0);

CREATE TABLE organisations (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    external_id TEXT UNIQUE,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    user_id         TEXT NOT NULL,
    role            TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (organisation_id, user_id)
) STRICT;

CREATE TABLE tenants (
    number                  INTEGER PRIMARY KEY,
    id                      TEXT NOT NULL UNIQUE,
    organisation_id         TEXT NOT NULL REFERENCES organisations (id),
    slug                    TEXT NOT NULL UNIQUE,
    name                    TEXT NOT NULL,
    data_platform           TEXT NOT NULL,
    data_platform_config_id TEXT,
    status                  TEXT NOT NULL,
    config                  TEXT,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    changed                 INTEGER NOT NULL
) STRICT;
CREATE INDEX tenants_by_organisation ON tenants (organisation_id);
CREATE INDEX tenants_by_change ON tenants (changed);

CREATE TABLE api_keys (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    provider     TEXT NOT NULL,
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL UNIQUE,
    hash         BLOB NOT NULL UNIQUE,
    scopes       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    created_by   TEXT,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    changed      INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, provider, number);
CREATE INDEX api_keys_by_change ON api_keys (changed);

-- Answers to requests with an Idempotency-Key. Never a plaintext key: only which key was made.
CREATE TABLE idempotency (
    request    BLOB PRIMARY KEY,
    body       BLOB NOT NULL,
    key_id     TEXT NOT NULL REFERENCES api_keys (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);
