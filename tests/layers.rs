//! Holds the library to its layers: which of its modules may use which.
//!
//! The compiler knows no layers inside a crate, so this reads the source. It takes every path
//! that leads from the crate's root into a module, whether it begins with `crate` or climbs there
//! by `super`, stands in a `use`, in code or in a macro's arguments. Comments do not count.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Every module of the library and the others that it may use.
///
/// A new module gets a line here, and the line gets a moment's thought.
const LAYERS: &[(&str, &[&str])] = &[
    // Ground: values, the environment, files, the two wire formats.
    ("domain", &[]),
    ("env", &[]),
    ("disk", &[]),
    ("wire", &["domain"]),
    // What is stored, and where.
    ("config", &["domain", "disk", "env"]),
    ("secrets", &["domain", "disk", "env"]),
    // The client side, from what a call needs to what calls do.
    (
        "connection",
        &["domain", "env", "disk", "config", "secrets"],
    ),
    ("api", &["domain", "env", "wire"]),
    (
        "rotation",
        &[
            "domain",
            "env",
            "disk",
            "config",
            "secrets",
            "connection",
            "api",
        ],
    ),
    // It asks `rotation` for nothing but what is unfinished, which no other change may disturb.
    (
        "login",
        &[
            "domain",
            "env",
            "disk",
            "config",
            "secrets",
            "connection",
            "rotation",
        ],
    ),
    (
        "migration",
        &["domain", "disk", "config", "secrets", "connection", "login"],
    ),
    // The server side, which knows nothing of the client side.
    ("authority", &["domain", "env", "disk", "wire"]),
];

/// What the library must not use at all: arguments, prompts and tables are the binary's, and so
/// are errors that nobody can match on.
const ONLY_IN_THE_BINARY: &[&str] = &[
    "anstyle",
    "anyhow",
    "clap",
    "clap_complete",
    "clap_mangen",
    "comfy_table",
    "dialoguer",
    "indicatif",
];

/// What `domain` must not use: it computes, and neither reads nor waits.
const NOT_IN_DOMAIN: &[&str] = &["reqwest", "rustix", "tokio", "zbus"];

/// The parts of the standard library that `domain` must not use.
const NOT_IN_DOMAIN_STD: &[&str] = &["env", "fs", "io", "process", "thread"];

#[test]
fn modules_use_only_the_layers_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    let mut seen = 0;
    for file in rust_files(&root) {
        let relative = file.strip_prefix(&root).unwrap();
        let source = std::fs::read_to_string(&file).unwrap();
        violations.extend(check(relative, &source));
        seen += 1;
    }
    assert!(seen > 10, "only {seen} files found in {}", root.display());
    assert!(
        violations.is_empty(),
        "{} against the layers in tests/layers.rs:\n{}",
        violations.len(),
        violations
            .iter()
            .map(|violation| format!("  src/{violation}\n"))
            .collect::<String>()
    );
}

/// A command that hands a key to somebody asks the policy of its connection first. That holds as long
/// as it has no other way to the key.
#[test]
fn the_program_gets_a_key_through_its_policy_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    let mut handed_over = 0;
    for file in rust_files(&root) {
        let source = std::fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(&root).unwrap().display();
        let around = source.contains(".for_origin(");
        assert!(!around, "{path}: take the key by `Context::reveal`");
        handed_over += source.matches("connection.reveal(").count();
    }
    assert_eq!(handed_over, 1, "one place asks the person");
}

#[test]
fn every_listed_module_may_use_listed_ones_below_it_only() {
    for (position, (module, allowed)) in LAYERS.iter().enumerate() {
        for used in *allowed {
            let below = LAYERS[..position].iter().any(|(name, _)| name == used);
            assert!(below, "`{module}` may use `{used}`, which is not below it");
        }
    }
}

#[test]
fn a_forbidden_path_is_found_wherever_it_hides() {
    let cases = [
        ("domain/host.rs", "use crate::config::Config;", "`config`"),
        (
            "domain/host.rs",
            "\n\nuse crate :: { env, };",
            "host.rs:3: `domain` uses `env`",
        ),
        (
            "secrets/file.rs",
            "use crate::{disk::{self, Lock}, config::{Config}};",
            "`config`",
        ),
        (
            "secrets/file.rs",
            "fn f() { let a = 1;\n crate::config::f() }",
            "file.rs:2:",
        ),
        (
            "secrets/file.rs",
            "debug!(x = %crate::config::name());",
            "`config`",
        ),
        (
            "secrets/file.rs",
            "use super::super::config::Config;",
            "`config`",
        ),
        ("secrets/mod.rs", "use super::config::Config;", "`config`"),
        (
            "secrets/file.rs",
            "mod inner { use super::super::super::login; }",
            "`login`",
        ),
        (
            "secrets/file.rs",
            "mod inner { use super::{super::{super::login}}; }",
            "`login`",
        ),
        (
            "secrets/file.rs",
            "#[cfg(test)] mod tests { use crate::config::Config; }",
            "`config`",
        ),
        ("authority/mod.rs", "use crate::api::Client;", "`api`"),
        ("connection/mod.rs", "use crate::api;", "`api`"),
        (
            "wire/mod.rs",
            "pub use crate::disk::FileLock as Lock;",
            "`disk`",
        ),
        (
            "utils.rs",
            "",
            "utils.rs:1: `utils` has no line in the table of layers",
        ),
        ("login.rs", "use crate::utils::pad;", "`utils`"),
        (
            "login.rs",
            "use clap::Parser;",
            "`clap` belongs to the binary",
        ),
        (
            "login.rs",
            "fn f() -> anyhow::Result<()> {}",
            "`anyhow` belongs to the binary",
        ),
        ("domain/names.rs", "use std::{fmt, fs::File};", "`std::fs`"),
        (
            "domain/names.rs",
            "async fn f() { tokio::time::sleep(d).await }",
            "`tokio`",
        ),
        (
            "bin/ntro/main.rs",
            "#[path = \"../../login.rs\"] mod login;",
            "`#[path]`",
        ),
        (
            "bin/ntro/main.rs",
            "include!(\"../../login.rs\");",
            "`include!`",
        ),
    ];
    for (file, source, expected) in cases {
        let found: Vec<_> = check(Path::new(file), source)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found.len(), 1, "{file}: {source}: {found:?}");
        assert!(found[0].contains(expected), "{file}: {source}: {found:?}");
    }
}

#[test]
fn what_is_allowed_or_not_a_path_is_left_alone() {
    let cases = [
        (
            "lib.rs",
            "pub mod login; pub use login::Login; pub use crate::config::Config;",
        ),
        (
            "login.rs",
            "use crate::{rotation, secrets::SecretStore, connection::Connection};",
        ),
        (
            "login.rs",
            "use crate::login::journal; use self::journal::x; mod journal;",
        ),
        (
            "login/mod.rs",
            "mod journal; use journal::Step; use super::rotation;",
        ),
        (
            "config/document.rs",
            "use super::schema; mod a { use super::super::schema; }",
        ),
        (
            "config/document.rs",
            "// use crate::login;\n/// crate::login\nconst A: &str = \"crate::login\";",
        ),
        (
            "domain/host.rs",
            "use std::{fmt, net::IpAddr}; use super::names; pub(crate) fn f() {}",
        ),
        (
            "domain/host.rs",
            "fn f(tokio: u8) -> u8 { self.fs.clap + tokio }",
        ),
        (
            "bin/ntro/main.rs",
            "use clap::Parser; use crate::commands; use ntro::login;",
        ),
    ];
    for (file, source) in cases {
        let found = check(Path::new(file), source);
        assert!(found.is_empty(), "{file}: {source}: {}", found[0]);
    }
}

/// A use of something that the layer must not use.
struct Violation {
    file: PathBuf,
    line: usize,
    problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.problem)
    }
}

/// Returns what a file, named relative to `src`, uses and must not use.
fn check(file: &Path, source: &str) -> Vec<Violation> {
    let tokens: TokenStream = source
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let module = module_of(file);
    let mut paths = Vec::new();
    collect(tokens, &module, &mut paths);

    let violation = |line, problem| Violation {
        file: file.to_path_buf(),
        line,
        problem,
    };
    if file.starts_with("bin") {
        return paths
            .iter()
            .filter(|path| path.starts_with(&["#path"]) || path.starts_with(&["include!"]))
            .map(|path| {
                let what = path.segments[0].replace("#path", "#[path]");
                let problem = format!("the binary takes in a library file by `{what}`");
                violation(path.line, problem)
            })
            .collect();
    }
    // The crate's face names every module.
    let Some(layer) = module.first() else {
        return Vec::new();
    };
    let table: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let Some(allowed) = table.get(layer.as_str()) else {
        let problem = format!("`{layer}` has no line in the table of layers");
        return vec![violation(1, problem)];
    };
    paths
        .iter()
        .filter_map(|path| Some((path.line, path.problem(layer, allowed)?)))
        .map(|(line, problem)| violation(line, problem))
        .collect()
}

/// A path in the source: `crate` and what follows, or the names as they stand.
#[derive(Clone)]
struct SourcePath {
    segments: Vec<String>,
    line: usize,
}

impl SourcePath {
    fn starts_with(&self, names: &[&str]) -> bool {
        self.segments.len() >= names.len() && self.segments.iter().zip(names).all(|(a, b)| a == b)
    }

    /// Returns what is wrong with this path in a layer, if anything is.
    fn problem(&self, layer: &str, allowed: &[&str]) -> Option<String> {
        let first = self.segments.first()?.as_str();
        let second = self.segments.get(1)?.as_str();
        if first == "crate" {
            let fine = second == layer || allowed.contains(&second) || !is_module_name(second);
            return (!fine).then(|| format!("`{layer}` uses `{second}`"));
        }
        if ONLY_IN_THE_BINARY.contains(&first) {
            return Some(format!("`{first}` belongs to the binary"));
        }
        if layer == "domain" && NOT_IN_DOMAIN.contains(&first) {
            return Some(format!("`domain` uses `{first}`"));
        }
        if layer == "domain" && first == "std" && NOT_IN_DOMAIN_STD.contains(&second) {
            return Some(format!("`domain` uses `std::{second}`"));
        }
        None
    }
}

/// Types that the crate's root re-exports are no modules, and neither is a glob.
fn is_module_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
}

/// Returns the module that a file holds, as names from the crate's root.
fn module_of(file: &Path) -> Vec<String> {
    let mut names: Vec<_> = file
        .with_extension("")
        .iter()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    if names.last().is_some_and(|name| name == "mod") || names == ["lib"] {
        names.pop();
    }
    names
}

/// Collects the paths of a stream of tokens, which stands in the given module.
fn collect(tokens: TokenStream, module: &[String], paths: &mut Vec<SourcePath>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut position = 0;
    while let Some(token) = tokens.get(position) {
        position += 1;
        match token {
            TokenTree::Group(group) => {
                let inner = inner_module(&tokens[..position - 1]);
                if let (Some(name), Delimiter::Brace) = (inner, group.delimiter()) {
                    let module: Vec<_> = module.iter().cloned().chain([name]).collect();
                    collect(group.stream(), &module, paths);
                } else {
                    collect(group.stream(), module, paths);
                }
            }
            TokenTree::Ident(name) => {
                let line = name.span().start().line;
                let name = name.to_string();
                let next = tokens.get(position).map(ToString::to_string);
                // `let path = …` is no attribute, and no attribute's value is anything but a text.
                let value = tokens.get(position + 1).map(ToString::to_string);
                let is_text = value.is_some_and(|value| value.starts_with('"'));
                let special = match (name.as_str(), next.as_deref()) {
                    ("path", Some("=")) if is_text => Some("#path"),
                    ("include", Some("!")) => Some("include!"),
                    _ => None,
                };
                if let Some(name) = special {
                    let segments = vec![name.to_owned()];
                    paths.push(SourcePath { segments, line });
                } else if separator_at(&tokens, position) {
                    let start = SourcePath {
                        segments: vec![name],
                        line,
                    };
                    position = follow(&tokens, position + 2, &start, module, paths);
                }
            }
            _ => {}
        }
    }
}

/// Follows a path from behind its separator to its end, or to its ends if it is a `use` tree.
/// Returns the position behind it.
fn follow(
    tokens: &[TokenTree],
    mut position: usize,
    start: &SourcePath,
    module: &[String],
    paths: &mut Vec<SourcePath>,
) -> usize {
    let mut path = start.clone();
    loop {
        match tokens.get(position) {
            Some(TokenTree::Ident(name)) => {
                path.segments.push(name.to_string());
                path.line = name.span().start().line;
                position += 1;
                if !separator_at(tokens, position) {
                    break;
                }
                position += 2;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let branches: Vec<_> = group.stream().into_iter().collect();
                let mut branch = 0;
                while branch < branches.len() {
                    let end = follow(&branches, branch, &path, module, paths);
                    // Past `as name` and the comma.
                    branch = (end..branches.len())
                        .find(|&at| branches[at].to_string() == ",")
                        .map_or(branches.len(), |comma| comma + 1);
                }
                return position + 1;
            }
            // A glob, generic arguments, or something that was no path.
            _ => break,
        }
    }
    path.segments = from_root(path.segments, module);
    paths.push(path);
    position
}

/// Returns a path as seen from the crate's root, if it leads there.
fn from_root(segments: Vec<String>, module: &[String]) -> Vec<String> {
    let climbs = segments.iter().take_while(|name| *name == "super").count();
    if climbs == 0 || climbs > module.len() {
        return segments;
    }
    let mut absolute = vec!["crate".to_owned()];
    absolute.extend_from_slice(&module[..module.len() - climbs]);
    absolute.extend_from_slice(&segments[climbs..]);
    absolute
}

/// Returns whether `::` stands at a position.
fn separator_at(tokens: &[TokenTree], position: usize) -> bool {
    let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon(position) && is_colon(position + 1)
}

/// Returns the name in `mod name`, if that is what stands before a brace.
fn inner_module(before: &[TokenTree]) -> Option<String> {
    match before {
        [.., TokenTree::Ident(keyword), TokenTree::Ident(name)] if keyword == "mod" => {
            Some(name.to_string())
        }
        _ => None,
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
