-- Answers to requests with an Idempotency-Key that make no key: those are in `idempotency`.
CREATE TABLE responses (
    request    BYTEA PRIMARY KEY,
    body       BYTEA NOT NULL,
    response   TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX responses_by_age ON responses (created_at);
