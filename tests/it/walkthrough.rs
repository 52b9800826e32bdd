//! Logging in on a terminal: the prompts, their order, and the state after an interrupt.

use crate::support::{Mode, Reply, Sandbox, SecretService, Stub, Terminal};

const KEY: &str = "ntro_prod_good_k9Zr4MxQ2bLw";

/// A sandbox with the logged-in connections `local` (the default) and `mine`.
fn sandbox_with_two(stub: &Stub) -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["local", "mine"] {
        let options = format!("--store plaintext --default-tenant globex --name {name}");
        sandbox.log_in(&options, &stub.host(), &format!("ntro_prod_good_{name}"));
    }
    sandbox
}

#[test]
fn prompts_appear_in_order_without_key() {
    let stub = Stub::ntropii(&["acme", "globex"]);
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::ntro(&sandbox, "auth login --store plaintext");
    terminal
        .expect("Connection name")
        .line("mine")
        .expect("mine");
    terminal.expect("API host").line(&stub.host());
    terminal.expect("API key").secret(&format!("\t {KEY}  "));
    terminal.expect("Default tenant").expect("acme (ACME Ltd)");
    terminal.expect("globex (GLOBEX Ltd)").choose_second();
    terminal.expect("logged in to `mine` as dev@acme.test");
    terminal.end().exits(0).hides(KEY).shows("globex").done();
    assert!(sandbox.config().contains("default_tenant = \"globex\""));
    assert!(sandbox.config().contains(&format!("\"{KEY}\"")));
    assert!(
        sandbox
            .config()
            .contains("default_connection_name = \"mine\"")
    );
    sandbox.assert_only_in(KEY, &[".ntro/config.toml"]);

    // A default connection adds one more prompt.
    let mut terminal = Terminal::ntro(&sandbox, "auth login --store plaintext");
    terminal.expect("Connection name").line("");
    terminal.expect("API host").line(&stub.host());
    terminal.expect("API key").secret(KEY);
    terminal.expect("Default tenant").line("");
    terminal.expect("Make `local` the default").line("y");
    terminal.end().exits(0).hides(KEY).done();
    assert!(
        sandbox
            .config()
            .contains("default_connection_name = \"local\"")
    );
}

#[test]
fn options_skip_prompts() {
    let stub = Stub::ntropii(&["acme", "globex"]);
    let sandbox = sandbox_with_two(&stub);
    let options = format!(
        "auth login --store plaintext --name new --host {} --default-tenant acme --no-set-default",
        stub.host()
    );
    let mut terminal = Terminal::ntro(&sandbox, &options);
    terminal.expect("API key").secret(KEY);
    terminal
        .end()
        .exits(0)
        .hides("Connection name")
        .hides("API host")
        .hides("Default tenant")
        .hides("Make `new`")
        .hides(KEY)
        .done();

    let mut terminal = Terminal::ntro(&sandbox, &format!("--tenant acme {options}"));
    terminal.expect("has the key").line("n");
    terminal.end().exits(9).shows("was not changed").done();
}

#[test]
fn replacing_key_asks_first() {
    let stub = Stub::ntropii(&["acme", "globex"]);
    let other = Stub::ntropii(&["acme"]);
    let sandbox = sandbox_with_two(&stub);
    let before = sandbox.contents();

    let mut terminal = Terminal::ntro(&sandbox, "auth login --name mine");
    terminal.expect("API host").line(&other.host());
    terminal.expect("`mine` points to").line("n");
    terminal.end().exits(9).shows("was not changed").done();
    assert_eq!(sandbox.contents(), before);
    assert!(other.seen().is_empty());

    let mut terminal = Terminal::ntro(&sandbox, "auth login --name mine --no-set-default");
    terminal.expect("API host").line(&other.host());
    terminal.expect("`mine` points to").line("y");
    terminal.expect("API key").secret(KEY);
    terminal.end().exits(0).hides(KEY).done();
    assert!(sandbox.config().contains(&other.host()));
}

#[test]
fn rejected_key_is_asked_again() {
    let stub = Stub::ntropii(&["acme"]);
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::ntro(&sandbox, "auth login --store plaintext --name mine");
    terminal.expect("API host").line(&stub.host());
    terminal.expect("API key").secret("ntro_prod_bad_one");
    terminal
        .expect("rejected the API key")
        .expect("try another key");
    terminal.expect("API key").secret("ntro_prod_bäd_one");
    terminal.expect("not ASCII");
    terminal.expect("API key").secret("");
    terminal.expect("is empty");
    terminal.expect("API key").secret(KEY);
    terminal.expect("logged in to `mine`");
    terminal.end().exits(0).hides("bad_one").hides(KEY).done();
}

#[test]
fn invalid_answer_is_asked_again() {
    let stub = Stub::ntropii(&["acme"]);
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::ntro(&sandbox, "auth login --store plaintext");
    terminal.expect("Connection name").line("--name");
    terminal.expect("begins with `-`");
    terminal.expect("Connection name").line("mine");
    terminal
        .expect("API host")
        .line("https://user@example.test/v1");
    terminal.expect("user name or password before `@`");
    terminal
        .expect("API host")
        .press("\x15")
        .line("http://example.test/v1");
    terminal.expect("use `https`");
    terminal.expect("API host").line(&stub.host());
    terminal.expect("API key").secret(KEY);
    terminal.end().exits(0).done();
}

/// An answer to one prompt of the walkthrough.
enum Answer {
    Line(&'static str),
    Secret(&'static str),
    Press(&'static str),
}

/// Answers the first prompts and presses Ctrl-C at the next one, for each of them.
fn break_off_at_each(sandbox: &Sandbox, arguments: &str, questions: &[(&str, Answer)]) {
    let before = sandbox.contents();
    for (last, (question, _)) in questions.iter().enumerate() {
        let mut terminal = Terminal::ntro(sandbox, arguments);
        for (question, answer) in &questions[..last] {
            terminal.expect(question);
            match answer {
                Answer::Line(text) => terminal.line(text),
                Answer::Secret(text) => terminal.secret(text),
                Answer::Press(keys) => terminal.press(keys),
            };
        }
        terminal.expect(question).interrupt();
        let ended = terminal.end().exits(130).hides(KEY);
        ended.shows("Cancelled; nothing changed").done();
        assert_eq!(sandbox.contents(), before, "after Ctrl-C at {question:?}");
    }
}

#[test]
fn interrupt_at_prompt_changes_nothing() {
    let stub = Stub::ntropii(&["acme", "globex"]);
    let sandbox = sandbox_with_two(&stub);
    break_off_at_each(
        &sandbox,
        "auth login",
        &[
            ("Connection name", Answer::Line("mine")),
            ("API host", Answer::Line("")),
            ("has the key", Answer::Line("y")),
            ("API key", Answer::Secret(KEY)),
            ("Default tenant", Answer::Press("\r")),
            ("Make `mine` the default", Answer::Line("y")),
        ],
    );
}

#[test]
fn pasted_key_selects_no_store() {
    let stub = Stub::ntropii(&["acme"]);
    let sandbox = Sandbox::new();
    let arguments = format!("auth login --name mine --host {}", stub.host());
    let mut terminal = Terminal::ntro(&sandbox, &arguments);
    terminal.expect("kept instead").line(KEY).expect("\x07");
    // The last item is above the first.
    terminal.press("\x1b[A\r");
    terminal.expect("Really in plain text").line("n");
    terminal.expect("kept instead").line(KEY).expect("\x07");
    terminal.press("\x1b[A\r");
    terminal.expect("Really in plain text").line("");
    terminal.expect("type `y` or `n`");
    terminal.expect("Really in plain text").interrupt();
    terminal.end().exits(130).hides(KEY).done();
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
fn missing_keyring_offers_other_stores() {
    let stub = Stub::ntropii(&["acme"]);
    let sandbox = Sandbox::new();
    let arguments = format!("auth login --name mine --host {}", stub.host());
    break_off_at_each(
        &sandbox,
        &arguments,
        &[
            ("kept instead", Answer::Press("\r")),
            ("New passphrase", Answer::Secret("open sesame")),
            ("again", Answer::Secret("open sesame")),
            ("API key", Answer::Secret(KEY)),
        ],
    );
    assert_eq!(sandbox.files(), Vec::<String>::new());

    let mut terminal = Terminal::ntro(&sandbox, &arguments);
    terminal
        .expect("the keyring store is not available")
        .expect("kept instead");
    terminal
        .press("\r")
        .expect("New passphrase")
        .secret("open sesame");
    terminal.expect("again").secret("open simsim");
    terminal.expect("The two differ. New passphrase");
    terminal.secret("open sesame");
    terminal.expect("again").secret("open sesame");
    terminal.expect("API key").secret(KEY);
    terminal.expect("an encrypted file");
    terminal.end().exits(0).hides("open s").hides(KEY).done();
    assert!(sandbox.files().contains(&".ntro/keys.age".to_owned()));
    sandbox.assert_nowhere(KEY);

    // The passphrase reveals the key.
    let mut terminal = Terminal::ntro(&sandbox, "auth token");
    terminal
        .expect("Passphrase of the key file")
        .secret("open sesame");
    terminal.expect(KEY);
    terminal.end().exits(0).hides("open s").done();
    let mut terminal = Terminal::ntro(&sandbox, "auth logout");
    terminal.expect("Passphrase of the key file").interrupt();
    let ended = terminal.end().exits(130);
    ended
        .shows("Cancelled; nothing changed")
        .hides("error")
        .done();
}

#[test]
fn interrupt_during_check_stores_nothing() {
    let stub = Stub::start(|_| Reply::Silence);
    let sandbox = Sandbox::new();
    let arguments = format!(
        "auth login --store plaintext --name mine --host {}",
        stub.host()
    );
    let mut terminal = Terminal::ntro(&sandbox, &arguments);
    terminal.expect("API key").secret(KEY);
    terminal.expect("checking the key").interrupt();
    let ended = terminal.end().exits(130).hides(KEY);
    ended.shows("\x1b[KCancelled; nothing changed").done();
    // Without a question before, and where the host is looked at.
    for options in [&format!("--api-key {KEY}"), ""] {
        let line = match options {
            "" => "auth login --store plaintext --name mine".to_owned(),
            options => format!("{arguments} {options}"),
        };
        let mut terminal = Terminal::ntro(&sandbox, &line);
        match options {
            "" => terminal
                .expect("API host")
                .line(&stub.host())
                .expect("calling"),
            _ => terminal.expect("checking the key"),
        };
        terminal.interrupt();
        let ended = terminal.end().exits(130);
        ended.shows("\x1b[KCancelled; nothing changed").done();
    }
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
fn known_hosts_are_offered() {
    const OTHER: &str = "https://api.acme.example/v1";
    let sandbox = Sandbox::new();
    let arguments = "auth login --store plaintext --no-verify --no-set-default --name";
    let finish = |mut terminal: Terminal<'_>, name: &str, host: &str| {
        terminal.expect("API key").secret(KEY);
        terminal.expect("logged in to");
        terminal.end().exits(0).hides(KEY).done();
        let list = sandbox.ntro(&format!("auth list -o json -c {name}"));
        assert_eq!(list.run().success().json()[0]["host"], host);
    };
    let (ntropii, local) = ("https://api.ntropii.com/v1", "http://localhost:3000/v1");
    for (name, shown, keys, host) in [
        ("a", "> Ntropii: https://api.ntropii.com/v1", "\r", ntropii),
        (
            "b",
            "another: type its URL",
            "\x1b[B\r",
            "https://api.ontora.com",
        ),
        (
            "local",
            "> this machine: http://localhost:3000/v1",
            "\r",
            local,
        ),
        ("production", "> Ntropii", "\r", ntropii),
        ("c", "> Ntropii", &format!("{OTHER}\r"), OTHER),
        (
            "d",
            "> Ntropii",
            &format!("\x1b[200~{OTHER}\x1b[201~\r"),
            OTHER,
        ),
        // Pasted where brackets are unknown, a line too much.
        ("e", "> Ntropii", &format!("{OTHER}\n\n"), OTHER),
    ] {
        let mut terminal = Terminal::ntro(&sandbox, &format!("{arguments} {name}"));
        terminal.expect("API host").expect(shown).press(keys);
        finish(terminal, name, host);
    }
    // Esc leaves the line for the menu, and the menu for the question before.
    let mut terminal = Terminal::ntro(&sandbox, &format!("{arguments} f"));
    terminal.expect("another: type its URL").press("\x1b[A\r");
    terminal
        .expect("> another")
        .expect("API host:")
        .press("x\x1b");
    terminal.expect("> Ntropii").press("y\x1b");
    terminal.expect("> Ntropii").press("\x1b");
    terminal.expect("This is the first question");
    terminal.expect("another: type its URL").press("\x1b[A\r");
    terminal.expect("> another").expect("API host:").line(OTHER);
    finish(terminal, "f", OTHER);
    // The host of a connection comes first.
    let mut terminal = Terminal::ntro(&sandbox, &format!("{arguments} c"));
    terminal.expect(&format!("> as before: {OTHER}"));
    terminal.expect("another: type its URL").press("\r");
    terminal.expect("Replace it").line("y");
    finish(terminal, "c", OTHER);
}

#[test]
fn login_without_terminal_never_waits() {
    let sandbox = Sandbox::new();
    for line in [
        "ntro auth login </dev/null",
        "ntro auth login <&-",
        "ntro auth login 2>/dev/null",
        "ntro auth login --no-interactive",
        "ntro auth login --store plaintext --name mine --host http://localhost:1 --api-key-stdin </dev/null",
        "ntro auth login --store plaintext --name mine --host http://localhost:1 --api-key-stdin <&-",
        "ntro auth login --store plaintext --name mine --host http://localhost:1 --api-key-stdin",
    ] {
        let ended = Terminal::shell(&sandbox, line).end();
        assert!([2, 8].contains(&ended.code), "{line}: {:?}", ended.heard);
    }
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn open_keyring_adds_no_prompt() {
    let service = SecretService::start(Mode::Unlocked);
    let stub = Stub::ntropii(&["acme"]);
    let mut sandbox = Sandbox::new();
    sandbox.plug_in(&service);
    let mut terminal = Terminal::ntro(&sandbox, "auth login");
    terminal.expect("Connection name").line("mine");
    terminal.expect("API host").line(&stub.host());
    terminal.expect("API key").secret(KEY);
    terminal.expect("the keyring of this system");
    terminal.end().exits(0).hides(KEY).done();
    sandbox.assert_nowhere(KEY);
    assert_eq!(service.lookup(&["service", "ntro"]).as_deref(), Some(KEY));
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn locked_keyring_offers_other_stores() {
    let service = SecretService::start(Mode::Locked);
    let stub = Stub::ntropii(&["acme"]);
    let mut sandbox = Sandbox::new();
    sandbox.plug_in(&service);
    sandbox.set("NTRO_KEYRING_TIMEOUT", "1");
    let arguments = format!("auth login --name mine --host {}", stub.host());
    let mut terminal = Terminal::ntro(&sandbox, &arguments);
    terminal.expect("kept instead").interrupt();
    terminal.end().exits(130).done();
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
fn use_without_name_picks() {
    let stub = Stub::ntropii(&["acme", "globex"]);
    let sandbox = sandbox_with_two(&stub);
    let refused = sandbox.ntro("auth use").run().exits(2);
    refused.complains("name one: `ntro auth use NAME`").done();
    let mut terminal = Terminal::ntro(&sandbox, "auth use");
    terminal
        .expect("Default connection")
        .expect("mine")
        .choose_second();
    terminal.expect("`mine` is the default connection now");
    terminal.end().exits(0).done();
    let config = sandbox.config();
    assert!(
        config.contains("default_connection_name = \"mine\""),
        "{config}"
    );
}
