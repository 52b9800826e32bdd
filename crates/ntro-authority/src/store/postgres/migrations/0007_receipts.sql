-- The proofs that changes are in effect. One covers every change up to its epoch.
CREATE TABLE receipts (
    epoch   BIGINT PRIMARY KEY,
    -- A JSON object.
    receipt TEXT NOT NULL
);
