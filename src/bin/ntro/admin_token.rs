//! Reads an administrator's token from the source that the library resolves.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ntro_base::env;
use ntro_base::{ConnectionName, Origin};
use ntro_client::api::AdminToken;
use ntro_client::resolve::{self, AdminTokenCommand, AdminTokenSource, Resolution};
use secrecy::ExposeSecret as _;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::process::with_users_umask;
use crate::stdin;

/// Timeout for the command of a connection. A person may have to confirm something.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Larger than any token; leaves room to report by how much the output is too long.
const LONGEST: u64 = 64 * 1024;

/// Returns the admin token of a call to `origin`.
pub(crate) fn get(cx: &Context, on_stdin: bool, origin: Origin) -> Result<AdminToken, CliError> {
    of(cx, cx.resolution()?, on_stdin, origin)
}

/// Returns the admin token of the named connection, active or not; `None` if it has no source for
/// one.
pub(crate) fn of_connection(
    cx: &Context,
    name: &ConnectionName,
    on_stdin: bool,
    origin: Origin,
) -> Result<Option<AdminToken>, CliError> {
    if_any(cx, &cx.inputs()?.resolve_for(name), on_stdin, origin)
}

/// Returns the admin token that the connection's own command prints; `None` if it has no command.
///
/// Ignores `NTRO_ADMIN_TOKEN`, which is for one server and must not be sent to others.
pub(crate) fn of_each(
    cx: &Context,
    name: &ConnectionName,
    origin: Origin,
) -> Result<Option<AdminToken>, CliError> {
    if_any(cx, &cx.inputs()?.alone(name), false, origin)
}

fn if_any(
    cx: &Context,
    resolution: &Resolution,
    on_stdin: bool,
    origin: Origin,
) -> Result<Option<AdminToken>, CliError> {
    match resolution.admin_token(on_stdin) {
        Err(resolve::Error::NoAdminToken { .. }) => Ok(None),
        _ => of(cx, resolution, on_stdin, origin).map(Some),
    }
}

fn of(
    cx: &Context,
    resolution: &Resolution,
    on_stdin: bool,
    origin: Origin,
) -> Result<AdminToken, CliError> {
    let (text, source) = match resolution.admin_token(on_stdin)? {
        AdminTokenSource::Stdin => (
            stdin::secret("token", "--admin-token-stdin")?,
            "standard input".to_owned(),
        ),
        AdminTokenSource::Given(token) => (
            Zeroizing::new(token.expose_secret().to_owned()),
            format!("the variable `{}`", env::NTRO_ADMIN_TOKEN.name),
        ),
        AdminTokenSource::Command(command) => (
            cx.block_on(printed(&command, TIMEOUT))??,
            format!("{}, which ran `{}`", command.source, command.program),
        ),
    };
    AdminToken::bind(text.to_string(), origin).map_err(|error| {
        CliError::new(Kind::NotAuthenticated, format!("{source}: {error}"))
            .hint("an administrator's JWT is needed, and nothing else beside it")
    })
}

/// Runs a command and returns its standard output. Its standard error goes to the terminal.
async fn printed(
    command: &AdminTokenCommand,
    timeout: Duration,
) -> Result<Zeroizing<String>, CliError> {
    let failed = |what: String| {
        let AdminTokenCommand {
            program, source, ..
        } = command;
        CliError::new(
            Kind::NotAuthenticated,
            format!("{source}: `{program}` {what}"),
        )
        .hint("run the command by itself to see why, or set `NTRO_ADMIN_TOKEN`")
    };
    let mut process = Command::new(&command.program);
    process
        .args(&command.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    for variable in env::SECRETS {
        process.env_remove(variable.name);
    }
    let mut child = with_users_umask(|| process.spawn()).map_err(|error| {
        let error = failed(format!("cannot be run: {error}"));
        CliError {
            kind: Kind::Config,
            ..error.hint(format!("correct {}", command.source))
        }
    })?;
    let output = child.stdout.take();
    let run = async {
        let mut text = Zeroizing::new(Vec::with_capacity(1024));
        if let Some(output) = output {
            output.take(LONGEST).read_to_end(&mut text).await?;
        }
        Ok::<_, std::io::Error>((text, child.wait().await?))
    };
    let (text, status) = tokio::time::timeout(timeout, run)
        .await
        .map_err(|_| failed(format!("did not end within {} s", timeout.as_secs_f32())))?
        .map_err(|error| failed(format!("failed: {error}")))?;
    if !status.success() {
        return Err(failed(ended(status)));
    }
    if text.trim_ascii().is_empty() {
        return Err(failed("printed nothing".to_owned()));
    }
    String::from_utf8(text.to_vec())
        .map(Zeroizing::new)
        .map_err(|_| failed("did not print text".to_owned()))
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("failed with exit code {code}"),
        None => format!("was ended: {status}"),
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use ntro_client::resolve::Source;

    use super::*;

    /// Returns the output of a shell script, with a timeout of at most 10 seconds.
    fn shell(script: &str, timeout: Duration) -> Result<String, CliError> {
        run("sh", &["-c", script], timeout)
    }

    fn run(program: &str, arguments: &[&str], timeout: Duration) -> Result<String, CliError> {
        let command = AdminTokenCommand {
            program: program.to_owned(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            source: Source::Flag("test"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let printed = runtime.block_on(printed(&command, timeout))?;
        Ok(printed.to_string())
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn output_of_command_is_token() {
        assert_eq!(shell("echo a.b.c", LONG).unwrap(), "a.b.c\n");
        // No shell expands the arguments.
        assert_eq!(run("echo", &["$HOME  x"], LONG).unwrap(), "$HOME  x\n");
    }

    #[test]
    fn failure_of_command_is_reported() {
        let message = |script: &str| shell(script, LONG).unwrap_err().message;
        assert_eq!(message("exit 3"), "`test`: `sh` failed with exit code 3");
        assert_eq!(
            message("echo a.b.c; exit 1"),
            "`test`: `sh` failed with exit code 1"
        );
        assert_eq!(message("echo"), "`test`: `sh` printed nothing");
        assert_eq!(message(r"printf '\377'"), "`test`: `sh` did not print text");
        assert!(message("kill -9 $$").contains("was ended"));
        let error = run("no-such-program", &[], LONG).unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.message.contains("cannot be run"), "{}", error.message);
    }

    #[test]
    fn one_that_hangs_is_given_up() {
        let timeout = Duration::from_millis(200);
        for script in ["exec sleep 600", "exec >&-; exec sleep 600"] {
            let error = shell(script, timeout).unwrap_err();
            assert_eq!(error.message, "`test`: `sh` did not end within 0.2 s");
        }
        let endless = shell("exec yes", LONG).unwrap_err();
        assert!(
            endless.message.contains("`sh` was ended"),
            "{}",
            endless.message
        );
    }
}
