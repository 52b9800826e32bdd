-- The rules for the new keys of a tenant. A tenant without a row has none.
CREATE TABLE policies (
    tenant_id       TEXT PRIMARY KEY REFERENCES tenants (id),
    -- In days.
    longest_life    BIGINT,
    expiry_required BIGINT NOT NULL,
    -- As in `api_keys`; NULL is every scope.
    allowed_scopes  TEXT,
    updated_at      BIGINT NOT NULL
);
