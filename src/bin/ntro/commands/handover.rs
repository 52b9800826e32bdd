//! The variables of the active connection, for a program or a shell.

use ntro_base::{ApiKey, Provider};
use ntro_client::api;
use ntro_client::exec::{Selection, SelectionError, Values, Variables};
use ntro_client::resolve::ResolvedValue;

use crate::context::Context;
use crate::error::CliError;

/// The values that a program gets, if the connection's policy allows it.
pub(super) struct Handover {
    pub(super) provider: Provider,
    pub(super) variables: Variables,
    /// The key, if a variable holds it.
    pub(super) key: Option<ApiKey>,
}

impl Handover {
    /// Makes no call: where only the server knows the tenant, no variable has it.
    pub(super) fn new(cx: &Context, selection: &Selection) -> Result<Self, CliError> {
        let resolution = cx.resolution()?;
        let provider = resolution.provider()?.value;
        selection.check(provider)?;
        let connection = match selection.needs_key(provider) {
            true => Some(cx.connection()?),
            false => {
                use ResolvedValue::{Connection, Host, Tenant};
                cx.check_shadows(&[Connection, Host, Tenant])?;
                None
            }
        };
        let (name, host, tenant) = match &connection {
            Some(found) => (found.name.as_ref(), &found.host, found.tenant.as_ref()),
            None => (resolution.name()?, resolution.host()?, resolution.tenant()?),
        };
        if !host.value.is_safe_transport() && !cx.global().insecure_http {
            let origin = host.value.origin();
            return Err(api::Error::InsecureTransport { origin }.into());
        }
        let key = match &connection {
            Some(connection) => Some(cx.reveal(connection)?.clone()),
            None => None,
        };
        let values = Values {
            connection: name.map(|name| &name.value),
            host: &host.value,
            key: key.as_ref(),
            tenant: tenant.map(|tenant| &tenant.value),
        };
        Ok(Self {
            provider,
            variables: Variables::new(provider, &values, selection, cx.env())?,
            key,
        })
    }
}

impl From<SelectionError> for CliError {
    fn from(error: SelectionError) -> Self {
        let hint = match error {
            SelectionError::Unknown { .. } => {
                "`--also NAME` sets a variable of any other name to the key"
            }
            _ => "choose another name",
        };
        Self::usage(error.to_string()).hint(hint)
    }
}
