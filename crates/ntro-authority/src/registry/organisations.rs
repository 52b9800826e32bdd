use uuid::Uuid;

use super::Registry;
use super::tenants::display_name;
use crate::error::Error;
use crate::store::OrganisationRecord;
use ntro_base::{NameError, is_hidden};

impl Registry {
    /// Adds an organisation. `external_id` is its id in the tokens of its admins.
    pub async fn create_organisation(
        &self,
        name: &str,
        external_id: Option<&str>,
    ) -> Result<OrganisationRecord, Error> {
        // Some issuers send an empty id for a user without an organisation.
        let what = "external id";
        if external_id.is_some_and(|id| id.trim().is_empty()) {
            return Err(NameError::Empty { what }.into());
        }
        if let Some(character) = external_id.and_then(|id| id.chars().find(|&c| is_hidden(c))) {
            return Err(NameError::Character { what, character }.into());
        }
        let stamp = self.stamp();
        let row = OrganisationRecord {
            id: Uuid::new_v4(),
            name: display_name(name, "organisation's name")?,
            external_id: external_id.map(str::to_owned),
            created_at: stamp.at,
        };
        self.store().create_organisation(row.clone(), stamp).await?;
        Ok(row)
    }

    /// Renames an organisation.
    pub async fn rename_organisation(
        &self,
        id: Uuid,
        name: &str,
    ) -> Result<OrganisationRecord, Error> {
        let name = display_name(name, "organisation's name")?;
        let renamed = self.store().rename_organisation(id, name, self.stamp());
        renamed.await?.ok_or_else(|| Error::NoOrganisation {
            name: id.to_string(),
        })
    }

    /// Returns every organisation, oldest first.
    pub async fn organisations(&self) -> Result<Vec<OrganisationRecord>, Error> {
        Ok(self.store().organisations().await?)
    }

    /// Returns the organisation with this id or external id.
    pub async fn organisation(&self, name: &str) -> Result<OrganisationRecord, Error> {
        let found = self.find_organisation(name).await?;
        found.ok_or_else(|| Error::NoOrganisation {
            name: name.to_owned(),
        })
    }

    /// Returns the organisation with this id or external id, if there is one.
    pub(crate) async fn find_organisation(
        &self,
        name: &str,
    ) -> Result<Option<OrganisationRecord>, Error> {
        Ok(self.store().organisation(name.to_owned()).await?)
    }
}
