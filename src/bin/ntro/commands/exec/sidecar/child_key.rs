//! The child key of a program.

use ntro_base::ApiKey;
use ntro_client::api::{ChildRequest, Target};
use ntro_client::ops::children::ChildKey;

use crate::context::Context;
use crate::error::CliError;

/// A child key that is revoked when this is dropped.
pub(super) struct MintedKey<'c> {
    /// Taken when this is dropped.
    key: Option<ChildKey>,
    cx: &'c Context,
}

impl<'c> MintedKey<'c> {
    pub(super) fn mint(
        target: &Target,
        request: &ChildRequest,
        cx: &'c Context,
    ) -> Result<Self, CliError> {
        let key = ChildKey::mint(cx.session(), cx.runtime()?, target, request)?;
        Ok(Self { key: Some(key), cx })
    }

    pub(super) fn key(&self) -> Option<&ApiKey> {
        self.key.as_ref().map(ChildKey::key)
    }
}

impl Drop for MintedKey<'_> {
    fn drop(&mut self) {
        let (Some(key), Ok(runtime)) = (self.key.take(), self.cx.runtime()) else {
            return;
        };
        if let Err(error) = key.revoke(self.cx.session(), runtime) {
            tracing::debug!(%error, "the child key is left to the next command");
        }
    }
}
