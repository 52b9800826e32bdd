//! `ntro admin`, on books that nobody serves.

use insta::assert_snapshot;

use crate::support::{Outcome, Sandbox};

const BOOKS: &str = "--database sqlite:books/authority.db";

fn admin(sandbox: &Sandbox, line: &str) -> Outcome {
    sandbox.ntro(&format!("admin {BOOKS} {line}")).run()
}

#[test]
fn books_that_are_not_there_are_made_only_where_they_begin() {
    let sandbox = Sandbox::new();
    assert_snapshot!(admin(&sandbox, "tenant list"), @r"
        exit code: 3
        ----- stderr -----
        error: there is no database `books/authority.db`
          hint: name another one with `--database`, or make it: `ntro serve` does, and `ntro admin organisation create NAME`
        ");
    for line in [
        "organisation list",
        "tenant create acme",
        "tenant suspend acme",
        "tenant resume acme",
        "key list",
        "key create --tenant acme --provider ntropii",
        "key revoke 3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f",
        "token",
    ] {
        let refused = admin(&sandbox, line).exits(3);
        refused.complains("no database `books/authority.db`").done();
    }
    assert!(!sandbox.home().join("books").exists());
    admin(&sandbox, "organisation create Acme").success().done();
    admin(&sandbox, "tenant create acme").success().done();
    admin(&sandbox, "tenant list").success().says("acme").done();
}
