-- The same tables as those of SQLite. Times are milliseconds since 1970, ids lower-case UUIDs, flags
-- 0 and 1. `rowid` is the order of insertion, which SQLite has by itself.
-- `changed` is the epoch in which a row last changed for those who verify keys.

CREATE TABLE meta (
    one          BIGINT PRIMARY KEY CHECK (one = 1),
    epoch        BIGINT NOT NULL,
    pepper_check BYTEA
);
INSERT INTO meta (one, epoch) VALUES (1, 0);

-- The cluster in which the database was last used.
CREATE TABLE cluster (
    one      BIGINT PRIMARY KEY CHECK (one = 1),
    system   TEXT NOT NULL,
    timeline TEXT NOT NULL
);

-- The serving processes. A process has everything up to `acked` in memory; one that is fenced can
-- acknowledge no more. Logged, as every table here: a lease must not survive what its row does not.
CREATE SEQUENCE lease_generation;
CREATE TABLE lease (
    replica    TEXT PRIMARY KEY,
    generation BIGINT NOT NULL,
    acked      BIGINT NOT NULL,
    fenced     BIGINT NOT NULL
);

CREATE TABLE organisations (
    rowid       BIGINT GENERATED ALWAYS AS IDENTITY,
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    external_id TEXT UNIQUE,
    created_at  BIGINT NOT NULL
);

CREATE TABLE members (
    rowid           BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    user_id         TEXT NOT NULL,
    role            TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, user_id)
);

CREATE TABLE tenants (
    number                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id                      TEXT NOT NULL UNIQUE,
    organisation_id         TEXT NOT NULL REFERENCES organisations (id),
    slug                    TEXT NOT NULL UNIQUE,
    name                    TEXT NOT NULL,
    data_platform           TEXT NOT NULL,
    data_platform_config_id TEXT,
    status                  TEXT NOT NULL,
    config                  TEXT,
    created_at              BIGINT NOT NULL,
    updated_at              BIGINT NOT NULL,
    changed                 BIGINT NOT NULL
);
CREATE INDEX tenants_by_organisation ON tenants (organisation_id);
CREATE INDEX tenants_by_change ON tenants (changed);

CREATE TABLE api_keys (
    number       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    provider     TEXT NOT NULL,
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL UNIQUE,
    hash         BYTEA NOT NULL UNIQUE,
    scopes       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT,
    changed      BIGINT NOT NULL
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, provider, number);
CREATE INDEX api_keys_by_change ON api_keys (changed);

-- Answers to requests with an Idempotency-Key. Never a plaintext key: only which key was made.
CREATE TABLE idempotency (
    request    BYTEA PRIMARY KEY,
    body       BYTEA NOT NULL,
    key_id     TEXT NOT NULL REFERENCES api_keys (id),
    created_at BIGINT NOT NULL
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
