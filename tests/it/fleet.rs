//! Thirty connections on real terminals.

use ntro_base::Provider;

use crate::support::{Authority, SIZES, Sandbox, Screen};

const CUSTOMERS: [&str; 6] = ["acme", "beta", "cyan", "delta", "echo", "foxtrot"];
const STAGES: [&str; 5] = ["dev", "eu-prod", "reports", "uat", "us-prod"];

/// Thirty logged-in connections. Those of `uat` expire soon, and twelve are production.
fn logged_in(authority: &Authority) -> Sandbox {
    let sandbox = Sandbox::new();
    for customer in CUSTOMERS {
        for stage in STAGES {
            let key = authority.key_with(Provider::Ntropii, customer, |new| {
                new.expires_in_days = match stage {
                    "uat" => Some(10),
                    _ => Some(200),
                };
            });
            let options = format!("--store plaintext --no-set-default --name {customer}-{stage}");
            let host = authority.host(Provider::Ntropii);
            sandbox.log_in(&options, &host, &key.key);
            if stage.contains("prod") {
                // By its name, if it were not on this machine.
                let set = format!("auth set {customer}-{stage} --production true");
                sandbox.ntro(&set).run().success().done();
            }
        }
    }
    sandbox
}

#[test]
#[ignore = "needs tmux: run scripts/test"]
fn rows_are_readable_at_every_size() {
    let authority = Authority::start();
    let sandbox = logged_in(&authority);
    for size in SIZES {
        let screen = Screen::start(&sandbox, size);
        let shown = |start: &str| {
            let rows = screen.rows();
            let row = rows.iter().rfind(|row| row.contains(start));
            row.unwrap_or_else(|| panic!("no {start:?} in {rows:#?}"))
                .clone()
        };
        screen.line("ntro auth list").expect_last("$");
        screen.assert_no_broken_row();
        for customer in CUSTOMERS {
            for stage in STAGES {
                let row = shown(&format!(" {customer}-{stage} "));
                assert_eq!(row.contains(" yes"), stage.contains("prod"), "{row}");
                assert_eq!(row.contains("in 9 days"), stage == "uat", "{row}");
            }
        }
        screen.line("clear").expect_last("$");
        screen.line("ntro auth status --all").expect("us-prod");
        screen.expect_last("$").assert_no_broken_row();
        for customer in CUSTOMERS {
            let row = shown(&format!("{customer}-uat "));
            assert!(row.contains("expires in 9 days"), "{row}");
            let row = shown(&format!("{customer}-eu-prod "));
            assert!(row.contains("valid") && row.contains(" yes"), "{row}");
        }
        screen.line("clear").expect_last("$");
        screen.line("ntro auth rotate --all");
        screen.expect_last(
            "Replace the keys of 30 connections (12 of them are production) and revoke the old? \
             (y/n)",
        );
        screen.line("y").expect("30 rotated").expect_last("$");
        screen.assert_no_broken_row();
        shown("✓ `foxtrot-us-prod` (production):");
        screen.expect_times("and revoked", 30);
    }
}
