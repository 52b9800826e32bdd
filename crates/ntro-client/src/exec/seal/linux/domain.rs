//! The Landlock domain: signals, abstract sockets, tracing, and where there is no mount namespace,
//! files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope,
};

/// Keeps the process from signals to processes outside and from their abstract sockets. Fails where
/// the kernel is older than 6.12.
///
/// It handles no file: a domain that does refuses each mount, and the sandboxes of browsers and
/// agents mount.
pub(super) fn enter() -> io::Result<()> {
    let ruleset = strict().scope(Scope::from_all(ABI::V6));
    let created = ruleset.and_then(Ruleset::create);
    created
        .and_then(|created| created.restrict_self())
        .map(drop)
        .map_err(io::Error::other)
}

/// What the domain of [`enter_without_mounts`] holds.
pub(super) struct Held {
    pub(super) scopes: bool,
    /// Sockets that are bound to paths.
    pub(super) paths_of_sockets: bool,
}

/// A part of the tree of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Hidden,
    ReadOnly,
}

/// Hides files with Landlock alone. Fails where the kernel has none.
///
/// Landlock can only grant, and a right to a folder extends to all below it. So each folder above a
/// hidden one can be listed, its other entries get every right, and new entries in it get none.
pub(super) fn enter_without_mounts(
    rules: &[(PathBuf, Rule)],
    generated_home: Option<&Path>,
) -> io::Result<Held> {
    let scopes = strict().scope(Scope::from_all(ABI::V6)).is_ok();
    let resolve = strict().handle_access(AccessFs::ResolveUnix);
    let held = Held {
        scopes,
        paths_of_sockets: resolve.is_ok(),
    };
    strict()
        .handle_access(AccessFs::from_all(ABI::V1))
        .map_err(|_| io::Error::other("the kernel has no Landlock"))?;
    restrict(rules, generated_home, scopes).map_err(io::Error::other)?;
    Ok(held)
}

fn strict() -> Ruleset {
    Ruleset::default().set_compatibility(CompatLevel::HardRequirement)
}

fn restrict(
    rules: &[(PathBuf, Rule)],
    generated_home: Option<&Path>,
    scopes: bool,
) -> Result<(), RulesetError> {
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(ABI::V9))?;
    if scopes {
        ruleset = ruleset.scope(Scope::from_all(ABI::V6))?;
    }
    let mut tree = Node::default();
    for (path, rule) in rules {
        tree.insert(path, *rule);
    }
    let mut grants = Vec::new();
    // It may be in a hidden folder.
    grants.extend(generated_home.map(|path| (path.to_owned(), everything())));
    tree.grant(Path::new("/"), everything(), &mut grants);
    let mut created = ruleset.create()?;
    for (path, access) in grants {
        // A path that vanished meanwhile needs no rule.
        if let Ok(file) = PathFd::new(path) {
            created = created.add_rule(PathBeneath::new(file, access))?;
        }
    }
    created.restrict_self()?;
    Ok(())
}

/// A folder with rules in it.
#[derive(Default)]
struct Node {
    rule: Option<Rule>,
    inner: BTreeMap<std::ffi::OsString, Node>,
}

impl Node {
    fn insert(&mut self, path: &Path, rule: Rule) {
        let mut node = self;
        for name in path.strip_prefix("/").unwrap_or(path) {
            node = node.inner.entry(name.to_owned()).or_default();
        }
        // A path that is hidden and read-only is hidden.
        if node.rule != Some(Rule::Hidden) {
            node.rule = Some(rule);
        }
    }

    /// Grants `rights` to what is in the folder and has no rule.
    fn grant(
        &self,
        folder: &Path,
        rights: BitFlags<AccessFs>,
        grants: &mut Vec<(PathBuf, BitFlags<AccessFs>)>,
    ) {
        grants.push((folder.to_owned(), AccessFs::ReadDir.into()));
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // A link has no rights; its target is granted by its own name.
            if path.is_symlink() {
                continue;
            }
            let Some(node) = self.inner.get(&entry.file_name()) else {
                grants.push((path, rights));
                continue;
            };
            let rights = match node.rule {
                Some(Rule::Hidden) => continue,
                Some(Rule::ReadOnly) => AccessFs::from_read(ABI::V1),
                None => rights,
            };
            match node.inner.is_empty() {
                true => grants.push((path, rights)),
                false => node.grant(&path, rights, grants),
            }
        }
    }
}

/// Every right but connecting to a socket of a program outside.
fn everything() -> BitFlags<AccessFs> {
    AccessFs::from_all(ABI::V8)
}
