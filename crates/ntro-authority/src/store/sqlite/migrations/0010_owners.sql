-- The person whose key it is, by the `sub` of their tokens, so that all keys of a person can be
-- revoked. A successor and a child have the owner of the key that created them.
ALTER TABLE api_keys ADD COLUMN owner TEXT;
CREATE INDEX api_keys_by_owner ON api_keys (owner) WHERE owner IS NOT NULL;
UPDATE api_keys SET owner = created_by WHERE created_by IN (
    SELECT user_id FROM members JOIN tenants ON tenants.organisation_id = members.organisation_id
    WHERE tenants.id = api_keys.tenant_id
);
WITH RECURSIVE line (id, owner) AS (
    SELECT id, owner FROM api_keys WHERE owner IS NOT NULL
    UNION
    SELECT api_keys.id, line.owner FROM line
    JOIN api_keys ON api_keys.predecessor = line.id OR api_keys.parent = line.id
)
UPDATE api_keys SET owner = line.owner FROM line
WHERE line.id = api_keys.id AND api_keys.owner IS NULL;
