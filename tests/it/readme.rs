//! The README and the pages in `docs`, word for word: output, commands and links.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ntro_base::Provider;

use crate::support::{Authority, Dev, Sandbox, project};

/// Returns the blocks of a language in a page.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let page = fs::read_to_string(project(page)).unwrap();
    let start = format!("```{language}\n");
    let blocks = page.split(&start).skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

/// Replaces the words that differ from run to run.
fn without_accidents(text: &str, home: &str) -> String {
    let word = |word: &str| match word {
        _ if word.len() == 36 && word.matches('-').count() == 4 => "ID".to_owned(),
        _ if word.starts_with("ntro_dev_") => "KEY".to_owned(),
        "keyring" | "file" | "dev" => "STORE".to_owned(),
        _ => match word.split_once("localhost:") {
            Some((before, rest)) => {
                let path = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}localhost:PORT{path}")
            }
            None => word.replace(home, "HOME"),
        },
    };
    let words = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect::<Vec<_>>().join("\n")
}

#[test]
fn readme_shows_what_dev_prints() {
    let sandbox = Sandbox::new();
    let dev = Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]);
    let blocks = blocks("README.md", "console");
    let shown = blocks[0].strip_prefix("$ ntro dev\n").unwrap();
    let home = sandbox.home();
    assert_eq!(
        without_accidents(shown, "/home/ada"),
        without_accidents(&dev.output, home.to_str().unwrap())
    );
    let commands: Vec<_> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("  ntro "))
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        sandbox.ntro(command).run().success().done();
    }
}

#[test]
fn ci_lines_work_without_keyring() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme");
    let ntro = Path::new(env!("CARGO_BIN_EXE_ntro")).parent().unwrap();
    let path = std::env::join_paths([ntro, "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    let readme = blocks("README.md", "sh").into_iter();
    let readme = readme.filter(|block| block.contains("$KEY"));
    let readme: Vec<_> = readme.collect();
    assert_eq!(readme.len(), 1, "{readme:?}");
    let page = blocks("docs/ci.md", "sh");
    assert!(page.len() >= 2, "{page:?}");
    for block in readme.into_iter().chain(page) {
        let sandbox = Sandbox::new();
        let host = authority.host(Provider::Ntropii);
        let script = block.replace("https://api.ntropii.com/v1", &host);
        assert_ne!(script, block);
        let run = sandbox.program("sh".as_ref()).arg("-ec").arg(&script);
        let run = run
            .env("PATH", path.to_str().unwrap())
            .env("KEY", &key.key)
            .env("PASSPHRASE", "correct horse");
        run.run().success().says("acme").done();
    }
}

#[test]
fn links_lead_somewhere() {
    let mut pages = BTreeSet::from(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(project));
    for entry in fs::read_dir(project("docs")).unwrap() {
        let page = entry.unwrap().path();
        pages.extend(
            page.extension()
                .is_some_and(|end| end == "md")
                .then_some(page),
        );
    }
    let mut links = 0;
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let target = fs::read_to_string(&target);
            let target =
                target.unwrap_or_else(|error| panic!("{}: {link}: {error}", page.display()));
            let found = anchor.is_empty() || headings(&target).any(|heading| heading == anchor);
            assert!(found, "{}: {link}", page.display());
        }
    }
    assert!(links > 20, "{links}");
}

/// Returns the anchors of a page's headings.
fn headings(page: &str) -> impl Iterator<Item = String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        heading
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    })
}
