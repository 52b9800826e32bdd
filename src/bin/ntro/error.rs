//! Errors as the user sees them: their kind, and a hint to fix them.
//!
//! Every error type of the library has one `From` here. Together they define all exit codes and
//! hints. A new variant falls into the last arm of its `match`; check here when adding one.

use ntro_base::descriptors::is_shortage;
use ntro_base::disk;
use ntro_base::env::{self, Env, NotUnicode, Unexpanded};
use ntro_base::{Policy, Provider};
use ntro_client::exec::seal::SealError;
use ntro_client::ops::migrate::KeyLocation;
use ntro_client::ops::{self, children, migrate, rotate};
use ntro_client::secrets::{HelperCall, HelperFault, StoreKind};
use ntro_client::{api, config, resolve, secrets};

use crate::exit::Kind;
use crate::shell::quoted;
use crate::suggest::{known_connections, listed};

/// An error ready to print.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) request_id: Option<String>,
    /// Whether a server rejected the API key of the call.
    pub(crate) is_key_rejected: bool,
}

impl CliError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            request_id: None,
            is_key_rejected: false,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A connection is required, but only environment variables select the server.
    pub(crate) fn no_connection() -> Self {
        Self::new(Kind::Config, "no connection is chosen")
            .hint("name one with `-c`; `NTRO_HOST` and `NTRO_API_KEY` are not one")
    }

    /// A signal ended a wait.
    pub(crate) fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    /// A person left a question.
    pub(crate) fn cancelled() -> Self {
        Self::new(Kind::Interrupted, "Cancelled; nothing changed")
    }

    /// Adds whether a new key that could not be delivered was revoked; `fix` is the command that
    /// revokes it.
    pub(crate) fn after_revoking(self, revoked: Result<(), Self>, fix: &str) -> Self {
        let message = &self.message;
        match revoked {
            Ok(()) => Self {
                message: format!("{message}; the new key was revoked"),
                ..self
            },
            Err(second) => Self {
                message: format!(
                    "{message}; the new key is still live, since it could not be revoked: {}",
                    second.message
                ),
                ..self
            }
            .hint(format!("revoke it: `{fix}`")),
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Hint for a process that can open no more files.
pub(crate) const DESCRIPTORS: &str = "raise the limit on open files, `ulimit -n`";

fn permissions(error: &disk::Error) -> Option<String> {
    let disk::Error::Io {
        source,
        path,
        action,
    } = error
    else {
        return None;
    };
    use std::io::ErrorKind;
    let home = Env::from_process().path(&env::NTRO_HOME).ok().flatten();
    let no_folder = *action == "create the folder" || source.kind() == ErrorKind::NotADirectory;
    if no_folder && home.is_some_and(|home| path.starts_with(home)) {
        return Some(
            "`NTRO_HOME` names no folder: set it to one that can be made and written".to_owned(),
        );
    }
    if *action == "create the folder"
        && matches!(
            source.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
        )
    {
        return Some("set `NTRO_HOME` to a folder of your own".to_owned());
    }
    if is_shortage(source) {
        return Some(DESCRIPTORS.to_owned());
    }
    // Files are replaced by a new file in the same folder, so the folder needs the permission.
    let refusing = match (*action, path.parent()) {
        ("write" | "remove", Some(folder)) => folder,
        _ => path,
    };
    let path = path.display();
    Some(match source.kind() {
        ErrorKind::PermissionDenied => match disk::other_owner(refusing) {
            Some(owner) => format!(
                "it belongs to the user with the number {owner}; if it should be yours, `sudo chown \"$USER\" {}`",
                quoted(&refusing.display().to_string())
            ),
            None => format!(
                "make `{}` readable and writable for yourself",
                refusing.display()
            ),
        },
        ErrorKind::ResourceBusy if *action == "write" => format!(
            "if it is mounted by itself, as into a container, mount the folder `{}`, not the file: a file can only be replaced whole",
            refusing.display()
        ),
        ErrorKind::ReadOnlyFilesystem => {
            "set `NTRO_HOME` to a folder that can be written".to_owned()
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room on the disk; nothing was changed".to_owned()
        }
        ErrorKind::FileTooLarge => {
            "raise the limit on the size of files, `ulimit -f`; nothing was changed".to_owned()
        }
        ErrorKind::IsADirectory => format!("`{path}` is a folder: move it away"),
        ErrorKind::NotADirectory => format!("something on the way to `{path}` is not a folder"),
        _ => return None,
    })
}

impl From<disk::Error> for CliError {
    fn from(error: disk::Error) -> Self {
        let hint = match &error {
            disk::Error::Locked { holder, .. } => Some(match holder {
                Some(pid) => format!(
                    "see what it does: `ps -fp {pid}`; end it, or wait for it, and try again"
                ),
                None => "end the other `ntro`, or wait for it, and try again".to_owned(),
            }),
            disk::Error::TooLarge { path, .. } => Some(format!(
                "`{}` is not a file of `ntro`: move it away",
                path.display()
            )),
            disk::Error::NotAFile { .. } => {
                Some("take it away, or run the command in another folder".to_owned())
            }
            disk::Error::Foreign { .. } => Some(
                "take it away, or run the command in another folder; if you trust what it says, make it yours with `chown`".to_owned(),
            ),
            disk::Error::DanglingLink { .. } => {
                Some("create its target, or remove the link".to_owned())
            }
            disk::Error::ManagedElsewhere { .. } => Some(
                "nothing was changed; make the change there, or set `NTRO_HOME` to a folder of your own"
                    .to_owned(),
            ),
            error => permissions(error),
        };
        let kind = match &error {
            disk::Error::Io { source, .. } if is_shortage(source) => Kind::Failure,
            _ => Kind::Config,
        };
        Self {
            hint,
            ..Self::new(kind, error.to_string())
        }
    }
}

impl From<config::Error> for CliError {
    fn from(error: config::Error) -> Self {
        let this = Self::new(Kind::Config, error.to_string());
        match error {
            config::Error::Disk(error) => error.into(),
            config::Error::NoConnection { .. } => Self {
                kind: Kind::UnknownConnection,
                ..this
            },
            config::Error::Entangled { path } => this.hint(format!(
                "nothing was changed; make the change with an editor: `{}`",
                path.display()
            )),
            config::Error::NotEditable { path, .. } => this.hint(format!(
                "take the key out of `{}` with an editor, after `--keep` has copied it; nothing was changed",
                path.display()
            )),
            config::Error::NotUtf8 { path } => {
                this.hint(format!("save `{}` as UTF-8", path.display()))
            }
            _ => this.hint("correct the file with an editor; nothing was changed"),
        }
    }
}

impl From<config::NoHome> for CliError {
    fn from(error: config::NoHome) -> Self {
        let hint = match error {
            config::NoHome::Unset => "set `NTRO_HOME` to a folder of your own",
            config::NoHome::Relative { .. } => "set it to a path that begins with `/`",
        };
        Self::new(Kind::Config, error.to_string()).hint(hint)
    }
}

fn helper_hint(call: HelperCall, fault: &HelperFault) -> String {
    let name = call.as_str();
    match (call, fault) {
        (HelperCall::Store, HelperFault::Failed(_)) | (_, HelperFault::Ended(_)) => {
            format!("run what `{name}` in `[stores.command]` says by itself to see why")
        }
        (_, HelperFault::Failed(code)) => format!(
            "if this is how it tells that there is no such item, add `{code}`, or better a part of what it says, to `missing` in `[stores.command]`; else run what `{name}` says by itself to see why"
        ),
        (_, HelperFault::NotKept) => {
            "`store` in `[stores.command]` has to keep what it reads on standard input, and `get` has to print it".to_owned()
        }
        _ => format!("let `{name}` in `[stores.command]` print the key alone, on one line"),
    }
}

impl From<secrets::Error> for CliError {
    fn from(error: secrets::Error) -> Self {
        use secrets::Error as E;
        let this = Self::new(Kind::Store, error.to_string());
        match error {
            E::Disk(error) => Self {
                kind: Kind::Store,
                ..error.into()
            },
            E::Cancelled | E::SteppedBack => Self::cancelled(),
            E::NotConfigured { .. } => Self {
                kind: Kind::Config,
                ..this.hint(
                    "write a table `[stores.command]` into `config.toml`, with `get`, `store` and `erase`, for instance `get = [\"pass\", \"show\", \"ntro/{item}\"]`; docs/stores.md has one for each of the usual secret managers",
                )
            },
            E::Helper { call, fault, .. } => this.hint(helper_hint(call, &fault)),
            E::Absent {
                store: StoreKind::Command,
                ..
            } => this.hint("install it, or correct `[stores.command]` in `config.toml`"),
            E::TimedOut {
                store: StoreKind::Command,
                ..
            } => this.hint(
                "a helper cannot ask on the terminal: unlock the secret manager first; `timeout` in `[stores.command]` gives it more time",
            ),
            E::Absent { .. } => this.hint(
                "store the key elsewhere: `ntro auth login --store file` (encrypted) or `--store plaintext`; or give it as `NTRO_API_KEY`",
            ),
            E::Locked { .. } => this.hint(
                "unlock it, or run the command on a terminal in your desktop session; `ntro auth login --store file` and `NTRO_API_KEY` do without it",
            ),
            E::TimedOut { .. } => this.hint(
                "restart the keyring's service; `ntro auth login --store file` and `NTRO_API_KEY` do without it, `NTRO_KEYRING_TIMEOUT` gives it more time",
            ),
            E::Empty { .. } => this.hint(
                "open your keyring's window and make a default keyring, or use `ntro auth login --store file`",
            ),
            E::Refused { .. } | E::Unavailable { .. } => {
                this.hint("`ntro auth login --store file` and `NTRO_API_KEY` do without it")
            }
            E::PassphraseRequired { .. } => this.hint(
                "set `NTRO_PASSPHRASE` or `NTRO_PASSPHRASE_FILE`, or name an age identity or an SSH key in `NTRO_IDENTITY_FILE`",
            ),
            E::WrongPassphrase { .. } | E::BadPassphrase { .. } => {
                this.hint("check `NTRO_PASSPHRASE` and `NTRO_PASSPHRASE_FILE`, or type it again")
            }
            E::WrongIdentity { .. } | E::BadIdentity { .. } => {
                this.hint("name the right age identity or SSH key in `NTRO_IDENTITY_FILE`")
            }
            E::NotAKey { .. } => this.hint("log in again: `ntro auth login`"),
            E::NotAPlainKey { .. } => Self {
                kind: Kind::Config,
                ..this.hint("correct it with an editor, or log in again: `ntro auth login`")
            },
            E::Corrupt { path, .. } => this.hint(format!(
                "put a copy of `{0}` back, or move it away and log in again: without one its keys are lost",
                path.display()
            )),
            E::ForeignRecipients { path, .. } => this.hint(format!(
                "add their identities to the identity file, or seal `{}` anew for your identity alone",
                path.display()
            )),
            E::TooMuchWork { path, .. } => this.hint(format!(
                "seal `{}` anew with less, or move it away and log in again",
                path.display()
            )),
            _ => this,
        }
    }
}

impl From<resolve::Error> for CliError {
    fn from(error: resolve::Error) -> Self {
        use resolve::Error as E;
        let of = |kind| Self::new(kind, error.to_string());
        match &error {
            E::Invalid { source_of_value, .. } => {
                let kind = match source_of_value {
                    resolve::Source::Config { .. }
                    | resolve::Source::KeyRecord(_)
                    | resolve::Source::Pin(_) => Kind::Config,
                    _ => Kind::Usage,
                };
                of(kind).hint(format!("correct {source_of_value}"))
            }
            E::NoConnection { known } if known.is_empty() => of(Kind::Config)
                .hint("run `ntro auth login`, or set `NTRO_HOST` and `NTRO_API_KEY`"),
            E::NoConnection { known } => of(Kind::Config).hint(format!(
                "name one with `-c`, or make one the default with `ntro auth use`; {}",
                listed(known)
            )),
            E::UnknownConnection { name, known, .. } => {
                of(Kind::UnknownConnection).hint(known_connections(name.as_ref(), known))
            }
            E::NoHost { name, .. } => of(Kind::Config)
                .hint(format!("run `ntro auth login --name {} --host URL`", quoted(name.as_str()))),
            E::NoKey { connection: Some(name), .. } => of(Kind::NotAuthenticated)
                .hint(format!(
                    "run `ntro auth login --name {}`, or set `NTRO_API_KEY`",
                    quoted(name.as_str())
                )),
            E::NoKey { connection: None, .. } => {
                of(Kind::NotAuthenticated).hint("set `NTRO_API_KEY`, or run `ntro auth login`")
            }
            E::KeyBoundElsewhere { connection, wanted, .. } => of(Kind::NotAuthenticated).hint(format!(
                "a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name {} --host {} --overwrite`",
                quoted(connection.as_str()),
                quoted(wanted)
            )),
            E::KeyElsewhere { .. } => of(Kind::NotAuthenticated),
            E::KeyOfOtherProvider { key, .. } => of(Kind::Conflict).hint(format!(
                "give the key's own server with `--host`, name a connection of `{key}` with `-c`, or unset `NTRO_API_KEY`"
            )),
            E::Keyless { connection } => of(Kind::Forbidden).hint(format!(
                "give a program a token in its place with `ntro -c {0} exec --keyless`; to allow more, log in again with `ntro auth login --name {0} --policy none`",
                quoted(connection.as_str())
            )),
            E::NotConfirmed { .. } => of(Kind::Conflict),
            E::NoAdminToken { .. } => of(Kind::NotAuthenticated).hint(
                "set `NTRO_ADMIN_TOKEN`, give `--admin-token-stdin`, or set `admin_token_command` of the connection in `config.toml`",
            ),
            E::AdminTokenBoundElsewhere { .. } => of(Kind::NotAuthenticated)
                .hint("set `NTRO_ADMIN_TOKEN`, or give `--admin-token-stdin`, for this call"),
            E::NotUnlocked { .. } => of(Kind::Usage).hint("set it to, for instance, `15m`, or unset it"),
            E::NotSeconds { .. } => of(Kind::Usage).hint("set it to, for instance, `10`"),
            E::Strict { variable, .. } => {
                of(Kind::Conflict).hint(format!("unset `{variable}`, or unset `NTRO_STRICT`"))
            }
            _ => match error {
                E::NoHome(error) => error.into(),
                E::Config(error) => error.into(),
                E::Variable(error) => error.into(),
                E::Unexpanded(error) => error.into(),
                E::Store(error) => error.into(),
                error => Self::new(Kind::Failure, error.to_string()),
            },
        }
    }
}

impl From<SealError> for CliError {
    fn from(error: SealError) -> Self {
        let hint = match &error {
            SealError::Unavailable { .. } => {
                "leave `--seal` out for what this system can do, or give `--seal off`"
            }
            SealError::WorkingFolder(_) => "start it in another folder, or give `--seal off`",
            _ => "`--seal off` starts the program without a seal",
        };
        Self::new(Kind::Failure, error.to_string()).hint(hint)
    }
}

impl From<NotUnicode> for CliError {
    fn from(error: NotUnicode) -> Self {
        Self::usage(error.to_string()).hint("unset it, or set it to text")
    }
}

impl From<Unexpanded> for CliError {
    fn from(error: Unexpanded) -> Self {
        Self::usage(error.to_string()).hint("give the whole path, for instance with `$HOME`")
    }
}

impl From<ops::Error> for CliError {
    fn from(error: ops::Error) -> Self {
        use ops::Error as E;
        let of = |kind| Self::new(kind, error.to_string());
        match &error {
            E::UnknownConnection { name, known, .. } => {
                of(Kind::UnknownConnection).hint(known_connections(name.as_ref(), known))
            }
            E::OtherOrigin { .. } | E::OtherProvider { .. } => {
                of(Kind::Conflict).hint("give `--overwrite`, or another `--name`")
            }
            E::RotationUnfinished { name, until } => {
                let name = quoted(name.as_str());
                // Before this time only a shorter grace period finishes it.
                let finish = match until {
                    Some(_) => format!("`ntro auth rotate {name} --grace 0s` revokes it now"),
                    None => format!("finish it first: `ntro auth rotate {name}`"),
                };
                of(Kind::Conflict).hint(format!(
                    "{finish}; where that cannot be, `ntro auth rotate {name} --abandon` forgets it"
                ))
            }
            E::NameTaken { name } => of(Kind::Conflict).hint(format!(
                "choose another name, or remove that connection and its key first: `ntro auth remove {}`",
                quoted(name.as_str())
            )),
            E::SameName { .. } => of(Kind::Conflict).hint("choose another name"),
            E::HalfDone { .. } => of(Kind::Store).hint("log in again to make both agree"),
            _ => match error {
                E::Config(error) => error.into(),
                E::Connection(error) => (*error).into(),
                E::Store(error) => error.into(),
                error => Self::new(Kind::Failure, error.to_string()),
            },
        }
    }
}

impl From<migrate::Error> for CliError {
    fn from(error: migrate::Error) -> Self {
        use migrate::Error as E;
        let of = |kind| Self::new(kind, error.to_string());
        match &error {
            E::Conflict { keys, .. } if keys.iter().any(|(_, place)| *place == KeyLocation::Ontora) => {
                of(Kind::Conflict).hint(
                    "nothing was changed; import it under another name, `--ontora --name NAME`, or take one of the keys away",
                )
            }
            E::Gone { name } => of(Kind::UnknownConnection).hint(format!(
                "nothing was changed; to erase what is left of it, `ntro auth remove {0}`; to have it again, put it back into `config.toml` and run `ntro auth migrate {0}`",
                quoted(name.as_str())
            )),
            E::KeyRecord(ops::Error::OtherOrigin { .. }) => of(Kind::Conflict)
                .hint("nothing was changed; import it under another name, `--ontora --name NAME`"),
            E::Conflict { name, to, .. } => of(Kind::Conflict).hint(format!(
                "nothing was changed; log in with the key that is to stay, `ntro auth login --name {} --store {to}`, or take the other one away",
                quoted(name.as_str())
            )),
            E::NotKept { .. } => of(Kind::Store).hint("choose another store: `--to STORE`"),
            E::Guarded { policy: Policy::Confirm, .. } => of(Kind::Forbidden)
                .hint("run the command on a terminal, without `--no-interactive`"),
            E::Guarded { name, .. } => of(Kind::Forbidden).hint(format!(
                "choose another store, `--to STORE`; to allow it, log in again with `ntro auth login --name {name} --store plaintext --policy none`"
            )),
            E::NothingToImport { .. } => {
                of(Kind::NotAuthenticated).hint("it is written by `ontora auth login`")
            }
            E::KeyRecord(ops::Error::Store(secrets::Error::Absent { store, .. }))
                if *store != StoreKind::Command =>
            {
                of(Kind::Store)
                    .hint("to move keys elsewhere than there, name another store: `--to file`")
            }
            _ => match error {
                E::KeyRecord(error) => error.into(),
                error => Self::new(Kind::Failure, error.to_string()),
            },
        }
    }
}

impl From<children::Error> for CliError {
    fn from(error: children::Error) -> Self {
        use children::Error as E;
        match error {
            E::Config(error) => error.into(),
            E::Connection(error) => (*error).into(),
            E::Api(error) => match *error {
                api::Error::NotOffered { .. } => Self::new(Kind::Failure, error.to_string()).hint(
                    "an authority of `ntro serve` has them; without `--child` the program gets the connection's own key, and with `--keyless` a token for a proxy",
                ),
                api::Error::Forbidden(ref refusal)
                    if refusal.code.as_deref() == Some("exceeds_parent") =>
                {
                    Self::new(Kind::Forbidden, error.to_string())
                        .hint("give a shorter `--ttl`, or other scopes with `--scope`")
                }
                error => error.into(),
            },
            error => Self::new(Kind::Failure, error.to_string()),
        }
    }
}

impl From<rotate::Error> for CliError {
    fn from(error: rotate::Error) -> Self {
        use rotate::Error as E;
        let of = |kind| Self::new(kind, error.to_string());
        match &error {
            E::Busy { .. } => of(Kind::Conflict).hint("wait for it, or end it, and try again"),
            E::Changed { .. } => of(Kind::Conflict).hint("see what is stored now: `ntro auth list`"),
            E::Stranded { name, .. } => of(Kind::Conflict).hint(format!(
                "both keys may still be live at the server: revoke there what you do not need, then run `ntro auth rotate {} --abandon`",
                quoted(name.as_str())
            )),
            E::NotKept { .. } => of(Kind::Store),
            E::AnswerLost { .. } => of(Kind::Unreachable).hint("try again"),
            E::Lost { name, .. } => of(Kind::Store).hint(format!(
                "run `ntro auth rotate {0} --abandon`, then log in again: `ntro auth login --name {0}`",
                quoted(name.as_str())
            )),
            E::SameKey => of(Kind::Usage).hint("make a new key and give that one"),
            E::OtherTenant { .. } | E::FewerScopes { .. } => of(Kind::Conflict)
                .hint("make a new key like the old one; `ntro auth login` takes any other"),
            E::Undescribed { .. } => {
                of(Kind::Failure).hint("make the new key yourself and give it with `--api-key-stdin`")
            }
            E::TokenRejected { refusal } => Self {
                request_id: refusal.request_id.clone(),
                ..of(Kind::NotAuthenticated)
            }
            .hint("it may have expired, or be for another server: get a fresh one"),
            E::AdminNeeded { .. } => of(Kind::NotAuthenticated).hint(
                "set `NTRO_ADMIN_TOKEN`, give `--admin-token-stdin`, or set `admin_token_command` of the connection in `config.toml`",
            ),
            _ => match error {
                E::Config(error) => error.into(),
                E::Connection(error) => (*error).into(),
                E::Store(error) => error.into(),
                E::Api(error) => (*error).into(),
                E::NotRolledBack { first, second } => {
                    let message =
                        format!("{first}; what was made before could not be taken back: {second}");
                    Self {
                        message,
                        ..(*first).into()
                    }
                }
                error => Self::new(Kind::Failure, error.to_string()),
            },
        }
    }
}

/// Returns the hint when another service answers.
pub(crate) fn not_there(expected: &api::Expected) -> String {
    let host = expected.host.as_str();
    match (expected.provider, host.strip_suffix("/v1")) {
        (Provider::Ntropii, _) => {
            "check the host: most Ntropii APIs have a path that ends in `/v1`".to_owned()
        }
        (Provider::Ontora, Some(base)) => {
            format!("check the host: Ontora's has no `/v1` at its end, so `{base}`")
        }
        (Provider::Ontora, None) => "check the host: Ontora's has no path, usually".to_owned(),
    }
}

/// Returns whether a base URL has the version of the other system's at its end.
pub(crate) fn has_wrong_version(expected: &api::Expected) -> bool {
    expected.provider == Provider::Ontora && expected.host.as_str().ends_with("/v1")
}

/// Hint when a web page answers.
const WEB_PAGE: &str = "a web page answered: check the host, and whether the network has a log-in page or a firewall in between";

/// Returns the hint for a variable with an invalid proxy.
pub(crate) fn proxy_hint(bad: &api::BadProxy) -> String {
    let upper = bad.variable;
    format!(
        "set `{upper}`, or `{}` where that is what is set, to `http://HOST:PORT`, or unset it",
        upper.to_lowercase()
    )
}

impl From<api::Error> for CliError {
    fn from(error: api::Error) -> Self {
        use api::Error as E;
        let of = |kind| Self {
            request_id: error.request_id().map(str::to_owned),
            ..Self::new(kind, error.to_string())
        };
        match &error {
            E::Rejected(refusal) if refusal.is_web_page => of(Kind::NotAuthenticated).hint(WEB_PAGE),
            E::Forbidden(refusal) if refusal.is_web_page => of(Kind::Forbidden).hint(WEB_PAGE),
            E::Unexpected(refusal) if refusal.is_web_page => of(Kind::Failure).hint(WEB_PAGE),
            E::NotUnderstood { misfit, .. } if misfit.is_web_page() => {
                of(Kind::Failure).hint(WEB_PAGE)
            }
            E::NotUnderstood {
                misfit: api::InvalidResponse::Compressed { .. },
                ..
            } => of(Kind::Failure).hint("a proxy or the server compresses it: let it heed `Accept-Encoding: identity`"),
            E::Rejected(refusal) if has_wrong_version(&refusal.expected) => {
                of(Kind::NotAuthenticated).hint(format!(
                    "{}; else the key may be revoked or expired",
                    not_there(&refusal.expected)
                ))
            }
            E::NotFound(refusal) if has_wrong_version(&refusal.expected) => {
                of(Kind::Failure).hint(not_there(&refusal.expected))
            }
            E::Rejected(_) => Self {
                is_key_rejected: true,
                ..of(Kind::NotAuthenticated)
            }
            .hint("it may be revoked, expired or for another server: run `ntro auth login` with a new key"),
            E::Forbidden(_) => of(Kind::Forbidden).hint("use a key that has the right to do this"),
            E::OutOfReach { .. } => of(Kind::Forbidden),
            E::UnknownApi(refusal) => of(Kind::Failure).hint(not_there(&refusal.expected)),
            E::NotFound(_) => of(Kind::Failure).hint("list the tenants of the key: `ntro tenant list`"),
            E::Conflict(_) => of(Kind::Conflict),
            E::Invalid(_) => of(Kind::Usage),
            E::RateLimited { .. } => of(Kind::RateLimited).hint("try again later"),
            E::Unavailable { .. } => of(Kind::Unreachable).hint("try again later"),
            E::Unreachable { cause, .. } => of(Kind::Unreachable).hint(match cause {
                api::Cause::Tls => "check the certificate; `SSL_CERT_FILE` names the file with your own CA",
                api::Cause::Dns => "check the host's name, and the network",
                api::Cause::Proxy => "check the variable, or name the server in `NO_PROXY`",
                api::Cause::TimedOut => "check the host, and that the server is running; for a slow server, raise `NTRO_TIMEOUT`",
                _ => "check the host, and that the server is running",
            }),
            E::Proxy { bad, .. } => of(Kind::Usage).hint(proxy_hint(bad)),
            E::InsecureTransport { .. } => of(Kind::Usage)
                .hint("use `https`; `--insecure-http` allows it"),
            E::WrongOrigin { .. } => {
                of(Kind::NotAuthenticated).hint("set `NTRO_API_KEY` for this call")
            }
            E::Redirected { base: Some(base), .. } => of(Kind::Failure).hint(format!(
                "the API is below `{base}`: give that as the host, `--host {}`",
                quoted(base.as_str())
            )),
            E::Redirected { location, .. } => of(Kind::Failure).hint(match location {
                Some(_) => "log in with the host that it points to, if you trust it",
                None => "check the host",
            }),
            E::NotUnderstood { expected, .. } => of(Kind::Failure).hint(not_there(expected)),
            E::KeyLost { id, .. } => {
                of(Kind::Failure).hint(format!("revoke it: `ntro key revoke {id}`"))
            }
            _ => of(Kind::Failure),
        }
    }
}

#[cfg(feature = "authority")]
impl From<ntro_authority::Error> for CliError {
    fn from(error: ntro_authority::Error) -> Self {
        use ntro_authority::{Error as E, StoreError as S};
        let of = |kind| Self::new(kind, error.to_string());
        match &error {
            E::NoOrganisation { .. } => {
                of(Kind::Failure).hint("list them: `ntro admin organisation list`")
            }
            E::NoTenant { .. } => of(Kind::Failure).hint("list them: `ntro admin tenant list`"),
            E::KeyRevoked { .. } | E::KeyPaused | E::PausedWithAnother => of(Kind::Conflict),
            E::NoKey { .. } => of(Kind::Failure).hint("list them: `ntro admin key list`"),
            E::TenantClosed {
                slug,
                status: ntro_authority::TenantStatus::Suspended,
            } => of(Kind::Conflict).hint(format!("resume it: `ntro admin tenant resume {slug}`")),
            E::TenantClosed { .. } | E::TenantGone { .. } => {
                of(Kind::Conflict).hint("create another: `ntro admin tenant create`")
            }
            E::NoKeyMaterial => of(Kind::Usage).hint(
                "give `--key-material DIR`; every server of the database needs the files in it",
            ),
            E::IssuerKey { path } => of(Kind::Config).hint(format!(
                "move `{}` away to create a new one; tokens signed with the old one are then rejected",
                path.display()
            )),
            E::AuditKey { path } => of(Kind::Config).hint(format!(
                "restore `{}`; a new key cannot continue the logs that the old one has signed",
                path.display()
            )),
            E::AuditLog { .. } => of(Kind::Failure).hint("see all of it: `ntro admin audit verify`"),
            E::NoAuditEvent { .. } => {
                of(Kind::Failure).hint("list the events: `ntro admin audit export`")
            }
            E::SharedFolder { path } => {
                of(Kind::Config).hint(format!("`chmod 700 {}`", path.display()))
            }
            E::Name(_) | E::Slug { .. } | E::Life { .. } | E::ReservedEnvironment => {
                of(Kind::Usage)
            }
            E::PlatformConfigMissing => of(Kind::Usage).hint("give `--data-platform-config ID`"),
            E::PlatformConfigForbidden => {
                of(Kind::Usage).hint("remove `--data-platform-config`")
            }
            E::WebhookUrl { .. } => of(Kind::Usage).hint("give `--expiry-webhook` an https URL"),
            E::WebhookSecret => {
                of(Kind::Usage).hint("make another one, such as with `openssl rand -hex 32`")
            }
            E::ScopesUnknown => of(Kind::Usage).hint("remove `--scope`"),
            E::ScopesMissing => of(Kind::Usage).hint("give `--scope`; `*` is all of them"),
            E::KeySetUrl { .. } => of(Kind::Usage).hint("give `--jwks` an https URL or a file"),
            E::DiscoveryUrl { .. } => of(Kind::Usage).hint("name its key set with `--jwks`"),
            E::IssuerTwice { .. } => of(Kind::Usage).hint("give each `--issuer` once"),
            E::Store(store) => match store {
                S::Policy(_) => of(Kind::Conflict).hint("see the policy: `ntro admin policy show`"),
                S::Conflict { .. } => of(Kind::Conflict).hint("choose another one"),
                S::Served { .. } => {
                    of(Kind::Conflict).hint("end it first, or serve another `--database`")
                }
                S::Unconfirmed { .. } => of(Kind::Failure).hint(
                    "until it does, what was revoked may still be accepted: see whether the server hangs, end it if it does, and run this again",
                ),
                S::NewerSchema { .. } => of(Kind::Config).hint("use a newer `ntro`"),
                S::NoRegistry { .. } => of(Kind::Config).hint(
                    "make its tables and key material once, with `ntro admin init` and the same options",
                ),
                S::OtherCluster { .. } => of(Kind::Config).hint(
                    "name the cluster that it was copied from in `--database`; after a restore, end all servers, accept the cluster with the SQL `DELETE FROM cluster`, and revoke again what was revoked since the backup",
                ),
                S::Unknown { .. } => of(Kind::Failure).hint(
                    "see with `list` whether the change was made; a revocation can always be repeated",
                ),
                S::Gap => of(Kind::Failure).hint("restart `ntro serve`"),
                S::NotOurs { .. } => {
                    of(Kind::Config).hint("name another one in `--database`; it was not changed")
                }
                S::WrongPepper { .. } | S::NoPepper { .. } => of(Kind::Config).hint(
                    "a copy or a backup needs this folder too: restore the folder that the database was last used with, or name it with `--key-material`",
                ),
                S::Disk(_) => match error {
                    E::Store(S::Disk(error)) => error.into(),
                    error => Self::new(Kind::Failure, error.to_string()),
                },
                S::Postgres(_) => of(Kind::Failure).hint(
                    "see whether PostgreSQL runs, and `--database` names its primary, its database and a user of it",
                ),
                store if store.is_unavailability() => of(Kind::Failure).hint(
                    "free disk space and make the file writable, then try again",
                ),
                _ => of(Kind::Failure),
            },
            E::Disk(_) => match error {
                E::Disk(error) => error.into(),
                error => Self::new(Kind::Failure, error.to_string()),
            },
            _ => of(Kind::Failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Most commands that open a store have no option to choose another one.
    #[test]
    fn store_hint_needs_a_choice() {
        let store = StoreKind::Keyring;
        let reason = String::new;
        for error in [
            secrets::Error::Absent {
                store,
                reason: reason(),
            },
            secrets::Error::Locked { store },
            secrets::Error::TimedOut {
                store,
                after: Duration::from_secs(3),
                in_doubt: false,
            },
            secrets::Error::Empty { store },
            secrets::Error::Refused {
                store,
                reason: reason(),
            },
            secrets::Error::Unavailable {
                store,
                reason: reason(),
            },
        ] {
            let told = CliError::from(error).hint.unwrap();
            assert!(told.contains("`ntro auth login --store file`"), "{told}");
        }
    }
}
