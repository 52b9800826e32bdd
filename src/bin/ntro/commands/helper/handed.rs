//! Decides which key a tool gets.

use jiff::Timestamp;
use ntro_base::env::{self, Env};
use ntro_base::{ApiKey, ConnectionName, Origin, Provider};
use ntro_client::api;
use ntro_client::helper::{connections_with, url_origin};
use ntro_client::resolve::Connection;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::prompt;

/// A key that a tool gets.
pub(super) struct Handed {
    pub(super) provider: Provider,
    pub(super) key: ApiKey,
    /// When it expires, as the server said at the login.
    pub(super) expires: Option<Timestamp>,
}

impl Handed {
    /// Returns the key of the active connection.
    pub(super) fn active(cx: &Context) -> Result<Self, CliError> {
        Self::reveal(cx, &cx.connection()?)
    }

    /// Returns the key for an origin: that of the active connection if the origin is its own, or
    /// else, where no option names a connection or host, that of the one connection that has the
    /// origin. `None` if there is none.
    pub(super) fn for_origin(cx: &Context, origin: &Origin) -> Result<Option<Self>, CliError> {
        let global = cx.global();
        let is_named = global.connection.is_some() || global.host.is_some();
        let resolution = cx.resolution()?;
        let has_key = match resolution.name() {
            Ok(Some(_)) => true,
            Ok(None) => cx.env().is_set(&env::NTRO_API_KEY),
            Err(error) if is_named => return Err(error.into()),
            Err(_) => false,
        };
        let is_active = |host: &ntro_base::Host| host.origin() == *origin;
        if has_key && resolution.host().is_ok_and(|host| is_active(&host.value)) {
            return Self::active(cx).map(Some);
        }
        if is_named {
            return Ok(None);
        }
        match connections_with(&cx.inputs()?, origin).as_slice() {
            [] => Ok(None),
            [name] => Self::reveal(cx, &cx.session().stored_connection(name)?).map(Some),
            names => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                let message = format!("several connections have `{origin}`: {}", names.join(", "));
                Err(CliError::new(Kind::Config, message).hint("name one of them: `-c NAME`"))
            }
        }
    }

    /// Returns the key for a URL that another tool names, or an error.
    pub(super) fn for_url(cx: &Context, url: &str) -> Result<Self, CliError> {
        let origin = url_origin(url).ok_or_else(|| {
            CliError::new(Kind::Forbidden, "no connection can have this URL")
                .hint("give one that begins with `https://` and has no user name")
        })?;
        Self::for_origin(cx, &origin)?.ok_or_else(|| {
            let message = format!("`{origin}` belongs to no connection that may be used here");
            CliError::new(Kind::Forbidden, message).hint("see the connections: `ntro auth list`")
        })
    }

    fn reveal(cx: &Context, connection: &Connection) -> Result<Self, CliError> {
        let host = &connection.host.value;
        if !host.is_safe_transport() && !cx.global().insecure_http {
            let origin = host.origin();
            return Err(api::Error::InsecureTransport { origin }.into());
        }
        let key = connection.reveal(|name| confirm(cx, name))?;
        let login = match &connection.name {
            Some(name) => cx.logins()?.get(name.value.as_str()),
            None => None,
        };
        let expires = login
            .filter(|login| login.key_prefix == key.prefix().as_str())
            .and_then(|login| login.expires_at);
        Ok(Self {
            provider: connection.provider.value,
            key: key.clone(),
            expires,
        })
    }
}

/// Asks on the terminal itself: standard input and output carry the protocol.
fn confirm(cx: &Context, name: &ConnectionName) -> Result<bool, CliError> {
    let refused = || {
        let message = format!("the policy of `{name}` is `confirm`, and no terminal can be asked");
        CliError::new(Kind::Forbidden, message)
            .hint("run the tool on a terminal, without `--no-interactive`")
    };
    if cx.global().no_interactive {
        return Err(refused());
    }
    let question = format!("Give the API key of `{name}` to another program?");
    prompt::confirm_beside(&question).map_err(|_| refused())
}

/// Returns the URL that an MCP client says it connects to.
pub(super) fn mcp_url(env: &Env) -> Result<Option<String>, CliError> {
    Ok(env.text(&env::CLAUDE_CODE_MCP_SERVER_URL)?.map(Into::into))
}
