//! A newcomer's walk through `ntro auth login` on real terminals, with each mistake one can make.

use ntro_base::Provider;

use crate::support::{Authority, Mode, SIZES, Sandbox, Screen, SecretService, Stub};

const KEY: &str = "ntro_prod_good_k9Zr4MxQ2bLw";
const HOSTS: &str = "API host (arrow keys, then Enter; or type it)";
const LAST_HOST: &str = "  another: type its URL";

/// A sandbox with the logged-in connection `mine`.
fn sandbox_with_mine(stub: &Stub) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.log_in(
        "--store plaintext --name mine",
        &stub.host(),
        "ntro_prod_good_mine",
    );
    sandbox
}

#[test]
#[ignore = "needs tmux: run scripts/test"]
fn mistakes_are_asked_again() {
    for size in SIZES {
        let authority = Authority::start();
        let key = authority.key(Provider::Ntropii, "acme-fund-admin").key;
        let sandbox = Sandbox::new();
        let screen = Screen::start(&sandbox, size);
        screen.line("ntro auth login --store plaintext");
        screen.expect_last("Connection name [local]:");
        screen.key("Escape").expect("Ctrl-C cancels");
        screen.expect_last("Connection name [local]:");
        // The key, at the wrong prompt.
        screen.paste(&key).expect("(API key").key("Enter");
        screen.expect("looks like an API key");
        screen.expect_last("Connection name [local]:");
        screen.line("-x").expect("begins with `-`");
        screen.line("mine").expect_last_row(LAST_HOST);
        // No host, a dead host, a host without an API at its path.
        screen.line("a b").expect("is not a URL");
        screen.expect_last("API host: a b");
        screen.line("localhost:1").expect("error:").expect("hint:");
        screen.expect_last("API host: http://localhost:1");
        // It can be edited.
        screen
            .text_in("\u{7f}")
            .expect_last("API host: http://localhost:");
        screen.key("C-u").expect_last("API host:");
        screen.line(&authority.origin()).expect("the API is at");
        screen.expect_last("API key (not shown):");
        // One question back, and forward again.
        screen
            .key("Escape")
            .expect_last(&format!("API host: {}", authority.origin()));
        screen.key("Enter").expect_last("API key (not shown):");
        screen.line("ntro_prod_wrong").expect("try another key");
        screen.expect_last("API key (not shown):");
        screen.line(&format!("\"{key}\"")).expect("quotation mark");
        screen.expect_last("API key (not shown):");
        // Into the background and back.
        screen
            .text_in("ntro_prod_typed")
            .key("C-z")
            .expect("Stopped");
        screen.expect_last("$").line("fg");
        screen.expect_last("API key (not shown):");
        screen.paste(&format!("{key}\n")).key("Enter");
        screen.expect("logged in to `mine`");
        screen.assert_never_shown("ntro_prod_typed");
        screen.assert_no_doubled_row();
        screen.assert_back_in_shell(&key);
        assert!(sandbox.config().contains(&key), "{size:?}");
    }
}

#[test]
#[ignore = "needs tmux: run scripts/test"]
fn key_pasted_at_yes_or_no_answers_nothing() {
    let stub = Stub::ntropii(&["acme"]);
    for size in SIZES {
        let sandbox = sandbox_with_mine(&stub);
        let before = sandbox.contents();
        let screen = Screen::start(&sandbox, size);
        let login = format!("ntro auth login --name mine --host {}", stub.host());
        screen.line(&login).expect_last("Replace it? (y/n)");
        screen
            .paste(&format!("{KEY}\n"))
            .expect_last("(API key, not shown)");
        screen.key("Enter").expect("type `y` or `n`");
        screen.expect_last("Replace it? (y/n)");
        // A terminal without bracketed paste sends the lines one by one.
        screen.paste_plainly(&format!("{KEY}\ny\necho leaked\n"));
        screen.expect_times("type `y` or `n`", 2);
        screen.expect_last("Enter `mine` has the key ntro_p… already. Replace it? (y/n)");
        screen.assert_no_doubled_row();
        screen.paste(&format!("{KEY}\necho leaked\n")).key("C-c");
        screen.expect("Cancelled; nothing changed");
        screen.assert_never_shown("leaked");
        screen.assert_back_in_shell(KEY);
        assert_eq!(sandbox.contents(), before);
    }
}

#[test]
#[ignore = "needs tmux: run scripts/test"]
fn every_prompt_can_be_left() {
    let stub = Stub::ntropii(&["acme", "globex"]);
    for size in SIZES {
        let sandbox = sandbox_with_mine(&stub);
        let before = sandbox.contents();
        let screen = Screen::start(&sandbox, size);
        let host = stub.host();
        let steps: [(&str, &[&str]); 6] = [
            ("Connection name [local]:", &["other", "Enter"]),
            (HOSTS, &[&host, "Enter"]),
            ("kept instead? (arrow keys, then Enter)", &["Up", "Enter"]),
            ("program of yours? (y/n)", &["y", "Enter"]),
            ("API key (not shown):", &[KEY, "Enter"]),
            ("Default tenant (arrow keys, then Enter)", &["Enter"]),
        ];
        for leave in ["C-c", "C-d"] {
            for last in 0..steps.len() {
                screen.line("ntro auth login --no-set-default");
                for (question, keys) in &steps[..last] {
                    screen.expect(question);
                    for key in *keys {
                        screen.key(key);
                    }
                }
                screen.expect(steps[last].0).key(leave);
                screen.expect("Cancelled; nothing changed");
                let rows = screen.rows();
                assert!(
                    rows.contains(&"Cancelled; nothing changed".to_owned()),
                    "{rows:#?}"
                );
                screen.assert_no_doubled_row();
                screen.assert_back_in_shell(KEY);
                assert_eq!(sandbox.contents(), before);
            }
        }
    }
}

#[test]
#[ignore = "needs tmux: run scripts/test"]
fn escape_goes_back_to_first_question() {
    let stub = Stub::ntropii(&["acme", "globex"]);
    for size in SIZES {
        let sandbox = sandbox_with_mine(&stub);
        let screen = Screen::start(&sandbox, size);
        screen.line("ntro auth login --store plaintext");
        screen.expect_last("Connection name [local]:").line("other");
        screen.expect_last_row(LAST_HOST).line(&stub.host());
        screen.expect_last("API key (not shown):").line(KEY);
        screen.expect_last_row("  globex (GLOBEX Ltd)");
        screen
            .key("Escape")
            .expect_last("API key (not shown):")
            .line(KEY);
        screen.expect_last_row("  globex (GLOBEX Ltd)").key("Enter");
        screen.expect_last("instead of `mine`? (y/n)").key("Escape");
        screen
            .expect_last_row("  globex (GLOBEX Ltd)")
            .key("Escape");
        screen.expect_last("API key (not shown):").key("Escape");
        screen.expect_last(&format!("API host: {}", stub.host()));
        screen.key("Escape").expect_last_row(LAST_HOST);
        screen
            .key("Escape")
            .expect_last("Connection name [local]: other");
        screen
            .line("again")
            .expect_last_row(LAST_HOST)
            .line(&stub.host());
        screen.expect_last("API key (not shown):").line(KEY);
        screen.expect_last_row("  globex (GLOBEX Ltd)");
        screen.key("Down").expect_last_row("> globex").key("Enter");
        screen.expect_last("instead of `mine`? (y/n)").line("no");
        screen.expect("logged in to `again`");
        screen.assert_back_in_shell(KEY);
        let config = sandbox.config();
        assert!(config.contains("[connections.again]"), "{config}");
        assert!(config.contains("default_tenant = \"globex\""), "{config}");
        assert!(!config.contains("other"), "{config}");
    }
}

#[test]
#[ignore = "needs tmux: run scripts/test"]
fn stopped_prompt_hides_secret_again() {
    let stub = Stub::ntropii(&["acme"]);
    for size in SIZES {
        let sandbox = Sandbox::new();
        let screen = Screen::start(&sandbox, size);
        let login = format!(
            "ntro auth login --name mine --store file --host {}",
            stub.host()
        );
        screen
            .line(&login)
            .expect_last("New passphrase for the key file:");
        screen.key("C-z").expect("Stopped").expect_last("$");
        // The shell has its echo.
        screen.line("echo $((40+2))").expect_last("42 $");
        screen
            .line("fg")
            .expect_last("New passphrase for the key file:");
        screen
            .line("open sesame")
            .expect_last("The same passphrase again:");
        screen
            .line("open sesame")
            .expect_last("API key (not shown):");
        // Stopped by another process, and continued in the background first.
        screen.key("C-z").expect_last("$");
        screen.line("bg").expect("Stopped").line("fg");
        screen.expect_last("API key (not shown):");
        screen.line(KEY).expect("logged in to `mine`");
        screen.assert_never_shown("open sesame");
        screen.assert_no_doubled_row();
        screen.assert_back_in_shell(KEY);

        screen
            .line("ntro auth token")
            .expect_last("Passphrase of the key file:");
        screen.text_in("open").key("C-\\").expect_last("$");
        screen.assert_back_in_shell("open");
    }
}

#[test]
#[ignore = "needs tmux: run scripts/test"]
fn wrong_passphrase_is_asked_three_times() {
    let stub = Stub::ntropii(&["acme"]);
    for size in SIZES {
        let mut sandbox = Sandbox::new();
        sandbox.set("NTRO_PASSPHRASE", "open sesame");
        sandbox.log_in("--store file --name mine", &stub.host(), KEY);
        sandbox.set("NTRO_PASSPHRASE", "");
        let screen = Screen::start(&sandbox, size);
        let login = format!("ntro auth login --name mine --host {}", stub.host());
        screen
            .line(&login)
            .expect_last("Replace it? (y/n)")
            .line("y");
        screen
            .expect_last("Passphrase of the key file:")
            .line("one");
        screen
            .expect_last("Wrong passphrase. Passphrase of the key file:")
            .line("two");
        screen.expect_last("Wrong passphrase. Passphrase of the key file: Wrong passphrase. Passphrase of the key file:");
        screen.line("three").expect_last_row("  plaintext");
        // The key file can be tried again, and an absent keyring is chosen by nothing.
        screen.expect("> file: an encrypted file").key("Enter");
        screen
            .expect_last("Passphrase of the key file:")
            .key("Escape");
        screen.expect_last_row("  plaintext").key("Up");
        screen.expect("> keyring").key("Enter");
        screen.expect("the keyring store is not available");
        screen.expect_last_row("  plaintext").key("Enter");
        screen
            .expect_last("Passphrase of the key file:")
            .line("open sesame");
        screen.expect_last("API key (not shown):").line(KEY);
        screen.expect("logged in to `mine`");
        screen.assert_back_in_shell(KEY);
    }
}

#[test]
#[ignore = "needs tmux, D-Bus and gnome-keyring: run scripts/test"]
fn closed_keyring_is_no_dead_end() {
    let service = SecretService::start(Mode::Locked);
    let stub = Stub::ntropii(&["acme"]);
    for size in SIZES {
        let mut sandbox = Sandbox::new();
        sandbox.plug_in(&service);
        sandbox.set("NTRO_KEYRING_TIMEOUT", "1");
        let screen = Screen::start(&sandbox, size);
        let login = format!("ntro auth login --name mine --host {}", stub.host());
        screen.line(&login).expect_last_row("  plaintext");
        screen.expect("> file: an encrypted file").key("Enter");
        screen
            .expect_last("New passphrase for the key file:")
            .line("one");
        screen
            .expect_last("The same passphrase again:")
            .line("other");
        screen
            .expect_last("The two differ. New passphrase for the key file:")
            .line("two");
        screen.expect_last("The same passphrase again:").line("two");
        screen.expect_last("API key (not shown):").line(KEY);
        screen.expect("logged in to `mine`");
        screen.assert_back_in_shell(KEY);
    }
}

#[test]
#[ignore = "needs tmux: run scripts/test"]
fn resize_redraws_question() {
    let stub = Stub::ntropii(&["acme"]);
    let sandbox = Sandbox::new();
    let screen = Screen::start(&sandbox, SIZES[1]);
    screen.line("seq 15").expect_last("15 $");
    screen.line("ntro auth login --store plaintext --name mine");
    screen.expect_row(HOSTS).expect_last_row(LAST_HOST);
    screen.resize(SIZES[2]);
    screen
        .expect_row("API host (arrow keys, then Enter; or")
        .expect_row("type it)");
    screen.resize(SIZES[0]);
    screen.expect_row(HOSTS).expect_last_row(LAST_HOST);
    screen.expect_times("API host", 1);
    screen
        .line(&stub.host())
        .expect_last("API key (not shown):");
    // Hidden input stays.
    let (first, rest) = KEY.split_at(10);
    screen.text_in(first).resize(SIZES[2]);
    screen.expect_last("API key (not shown):").line(rest);
    screen.expect("logged in to `mine`");
    screen.expect_times("API key (not shown):", 1);
    screen.assert_back_in_shell(KEY);
}
