use jiff::SignedDuration;
use secrecy::SecretString;

use super::{Registry, now};
use crate::error::Error;
use crate::store::{OrganisationRecord, Role};

impl Registry {
    /// Makes an admin token of the built-in issuer. It changes nothing in the registry; the changes
    /// made with it are audited under its issuer and subject.
    pub fn mint_admin_token(
        &self,
        organisation: &OrganisationRecord,
        role: Role,
        subject: &str,
        life: SignedDuration,
    ) -> Result<SecretString, Error> {
        let issuer = &self.shared.issuer;
        issuer.mint(organisation, role, subject, life, now())
    }
}
