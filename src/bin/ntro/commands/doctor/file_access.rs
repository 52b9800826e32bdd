//! Who can get at the files: their owner alone, or others too.

use std::path::PathBuf;

use ntro_base::disk;
use ntro_client::config::Config;

use super::Findings;
use crate::context::Context;
use crate::error::CliError;
use crate::shell::quoted;

const CHECK: &str = "access";

pub(super) fn check(cx: &Context, fix: bool, findings: &mut Findings) -> Result<(), CliError> {
    let home = cx.home()?;
    let folder = home.folder().to_owned();
    if let Err(error) = disk::refuse_dangling_link(&folder) {
        findings.failure(CHECK, error);
        return Ok(());
    }
    if !folder.exists() {
        let message = format!("there is no `{}` yet", folder.display());
        findings.warning(CHECK, message, "ntro auth login");
        return Ok(());
    }
    let here: Vec<PathBuf> = std::iter::once(folder.clone())
        .chain(home.files().filter(|file| file.exists()))
        .collect();
    match disk::foreign_owner(&folder) {
        // Root leaves every file to its owner.
        Some(owner) if disk::is_root() => findings.warning(
            CHECK,
            format!(
                "`{}` belongs to the user with the number {owner}, and you are root",
                folder.display()
            ),
            "run `ntro` as that user, or set `NTRO_HOME` to a folder of your own",
        ),
        _ => here.iter().for_each(|path| owned(path, findings)),
    }
    for path in &here {
        restricted(cx, path, fix, findings)?;
    }
    if let Err(error) = disk::ensure_writable(&folder) {
        findings.failure(CHECK, error);
    }
    let message = format!("`{}` is private", folder.display());
    findings.ok_otherwise(CHECK, message);
    Ok(())
}

fn owned(path: &std::path::Path, findings: &mut Findings) {
    let Some(owner) = disk::foreign_owner(path) else {
        return;
    };
    findings.problem(
        CHECK,
        format!(
            "`{}` belongs to the user with the number {owner}",
            path.display()
        ),
        format!(
            "sudo chown -R \"$USER\" {}",
            quoted(&path.display().to_string())
        ),
    );
}

fn restricted(
    cx: &Context,
    path: &std::path::Path,
    fix: bool,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let Some(open) = disk::inspect(path) else {
        return Ok(());
    };
    let home = cx.home()?;
    // Read-only for everyone, as a package manager leaves it, and without a secret.
    let is_public =
        || path == home.config() && Config::read(path).is_ok_and(|config| !config.holds_key());
    if open.is_readonly() && is_public() {
        return Ok(());
    }
    let place = open.path.display();
    let message = format!(
        "`{place}` had the permissions {:04o}, which gave access to others",
        open.mode
    );
    let done = match fix {
        true => disk::restrict(&open, &home.lock()?).is_ok(),
        false => false,
    };
    if done {
        findings.fixed(CHECK, message);
    } else {
        findings.warning(
            CHECK,
            format!(
                "`{place}` has the permissions {:04o}, which give access to others",
                open.mode
            ),
            format!("chmod {:o} {}", open.expected, quoted(&place.to_string())),
        );
    }
    Ok(())
}
