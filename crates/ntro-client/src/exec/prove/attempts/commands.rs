//! Commands of `ntro`, which read the store as the user does.

use std::io;
use std::process::{Command, Stdio};

use ntro_base::ParsedKey;
use ntro_base::env::{self, Env};
use zeroize::Zeroizing;

use super::{Grounds, Result};
use crate::exec::Variable;
use crate::exec::prove::outcome::Failure;

/// Prints the key of the user's connection, which is neither shown nor kept.
pub(super) fn auth_token(grounds: &Grounds) -> Result {
    let name = connection(grounds)?;
    let printed = run(grounds, &["auth", "token", "--connection", name])?;
    let key = std::str::from_utf8(printed.trim_ascii()).unwrap_or_default();
    match ParsedKey::parse(key) {
        Some(key) if key.is_one_off() => {
            Err(Failure::Refused("prints the token of the proxy".to_owned()))
        }
        _ => Ok(()),
    }
}

pub(super) fn auth_list(grounds: &Grounds) -> Result {
    let name = connection(grounds)?;
    let printed = run(grounds, &["auth", "list", "--output", "json"])?;
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&printed)?;
    let env = Env::from_process();
    let proxy = env.text(&env::NTRO_HOST).ok().flatten();
    let is_it =
        |row: &serde_json::Value| row["connection"] == *name && row["host"].as_str() != proxy;
    match rows.iter().any(is_it) {
        true => Ok(()),
        false => Err(Failure::Refused("does not list the connection".to_owned())),
    }
}

fn connection(grounds: &Grounds) -> std::result::Result<&str, Failure> {
    let none = Failure::NotTried("there is no connection: name one with `-c`");
    grounds.connection.as_deref().ok_or(none)
}

/// Runs this program with the folder of the user.
fn run(grounds: &Grounds, words: &[&str]) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut command = Command::new("/proc/self/exe");
    for name in Variable::names() {
        command.env_remove(name);
    }
    let output = command
        .args(words)
        .arg("--no-interactive")
        .env(env::NTRO_HOME.name, &grounds.ntro_home)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(output.stdout.into());
    }
    Err(io::Error::other(reason(&output.stderr)))
}

/// Returns the message of an error, as text or as JSON.
fn reason(stderr: &[u8]) -> String {
    if let Ok(error) = serde_json::from_slice::<serde_json::Value>(stderr)
        && let Some(message) = error["error"]["message"].as_str()
    {
        return message.to_owned();
    }
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().find_map(|line| line.strip_prefix("error: "));
    line.unwrap_or("fails").to_owned()
}
