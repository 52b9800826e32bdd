-- The audit table as transparency logs, as in SQLite's step 0005.
CREATE TABLE audit_logs (
    id          TEXT PRIMARY KEY,
    size        BIGINT NOT NULL,
    edge        BYTEA NOT NULL,
    signed_size BIGINT NOT NULL,
    signed_edge BYTEA NOT NULL,
    checkpoint  TEXT
);
CREATE INDEX unsigned_audit_logs ON audit_logs (id) WHERE size > signed_size;

CREATE TABLE audit_hashes (
    log      TEXT NOT NULL,
    level    BIGINT NOT NULL,
    position BIGINT NOT NULL,
    hash     BYTEA NOT NULL,
    event    BIGINT,
    PRIMARY KEY (log, level, position)
);
