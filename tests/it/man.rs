//! The manual pages, from their source and as a terminal shows them.

use std::collections::BTreeSet;

use crate::support::Sandbox;

/// The sections of every page, in their order.
const SECTIONS: [&str; 10] = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "GLOBAL OPTIONS",
    "EXAMPLES",
    "ENVIRONMENT",
    "FILES",
    "EXIT STATUS",
    "SEE ALSO",
];

#[test]
fn every_page_is_complete() {
    let sandbox = Sandbox::new();
    sandbox.ntro("man --folder man").run().success().done();
    let folder = sandbox.home().join("man");
    let mut pages = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let title = name.strip_suffix(".1").unwrap();
        let words = title.replace('-', " ");
        let alone = sandbox.ntro(&format!("man {}", &words["ntro".len()..]));
        assert_eq!(alone.run().success().stdout, text, "{name}");
        check(title, &text);
        pages.insert(name);
    }
    assert!(pages.len() > 30, "{pages:?}");
    assert!(pages.contains("ntro-admin-key-create.1"), "{pages:?}");
    for name in &pages {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let (_, others) = text.split_once(".SH \"SEE ALSO\"").unwrap();
        for other in others.lines().filter(|line| line.contains("(1)")) {
            let other = other.replace("\\fB", "").replace("\\fR(1),", "");
            let other = other.replace("\\fR(1)", "").replace("\\-", "-");
            assert!(pages.contains(&format!("{other}.1")), "{name}: {other}");
        }
    }
}

fn check(title: &str, page: &str) {
    assert!(page.contains(&format!(".TH {title} 1 ")), "{page}");
    assert!(!page.contains('`'), "{title}: {page}");
    let sections: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .map(|heading| heading.trim_matches('"'))
        .filter(|heading| SECTIONS.contains(heading))
        .collect();
    assert_eq!(sections, SECTIONS, "{title}");
    let lines: Vec<_> = page.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        // A tagged paragraph is a name and its description.
        if *line == ".TP" {
            let description = lines[index + 2];
            assert!(!description.is_empty(), "{title}: {}", lines[index + 1]);
            assert!(
                !description.starts_with('.'),
                "{title}: {}",
                lines[index + 1]
            );
        }
    }
}

#[test]
#[ignore = "needs groff: run scripts/test"]
fn groff_renders_page() {
    let sandbox = Sandbox::new();
    let ntro = env!("CARGO_BIN_EXE_ntro");
    let script = format!("'{ntro}' man auth login | groff -man -Tutf8 -ww -rLL=80n -P-cbu");
    let shell = sandbox.program("sh".as_ref()).arg("-c").arg(script);
    let outcome = shell.run().success();
    assert_eq!(outcome.stderr, "");
    let page = &outcome.stdout;
    for line in [
        "       ntro auth login [OPTIONS]",
        "           pass show acme/key | ntro auth login --no-interactive -n acme-prod \\",
        "       NTRO_API_KEY",
        "       8 secret_store",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
}
