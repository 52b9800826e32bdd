use ntro_base::Provider;

use super::client::Client;
use super::error::Error;
use super::identity::Identity;
use super::tenant::Tenant;

/// The owner of a key, and the tenants that it reaches.
#[derive(Clone, Debug)]
pub struct Whoami {
    /// The owner.
    pub identity: Identity,
    /// The tenants.
    pub tenants: Vec<Tenant>,
}

impl Client {
    /// Returns who the key belongs to, and which tenants it reaches.
    pub async fn whoami(&self) -> Result<Whoami, Error> {
        if self.provider() == Provider::Ontora {
            let identity = self.identity().await?;
            let tenants = match &identity.tenants {
                Some(tenants) => tenants.clone(),
                None => self.tenants().await?,
            };
            return Ok(Whoami { identity, tenants });
        }
        let (identity, tenants) = tokio::join!(self.identity(), self.tenants());
        Ok(Whoami {
            identity: identity?,
            tenants: tenants?,
        })
    }
}
