-- The audit table as transparency logs (RFC 6962): one for each tenant, and one for each
-- organisation's events without a tenant. Rows are only added, in the transaction of the change.
CREATE TABLE audit_logs (
    -- tenant/ID, organisation/ID or authority
    id          TEXT PRIMARY KEY,
    size        INTEGER NOT NULL,
    -- The perfect subtrees at the right edge of the tree, the largest first: 32 bytes each.
    edge        BLOB NOT NULL,
    -- The last signed checkpoint, and the tree that it is for.
    signed_size INTEGER NOT NULL,
    signed_edge BLOB NOT NULL,
    checkpoint  TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX unsigned_audit_logs ON audit_logs (id) WHERE size > signed_size;

-- The hashes in the tiles of the trees.
CREATE TABLE audit_hashes (
    log      TEXT NOT NULL,
    -- 0: of the entries. n: of the subtrees of height 8n.
    level    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    -- The audit row of an entry.
    event    INTEGER,
    PRIMARY KEY (log, level, position)
) STRICT, WITHOUT ROWID;
