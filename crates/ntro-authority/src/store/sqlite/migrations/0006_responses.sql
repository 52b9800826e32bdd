-- Answers to requests with an Idempotency-Key that make no key: those are in `idempotency`.
CREATE TABLE responses (
    request    BLOB PRIMARY KEY,
    body       BLOB NOT NULL,
    response   TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX responses_by_age ON responses (created_at);
