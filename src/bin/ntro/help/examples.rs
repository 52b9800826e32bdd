/// A command line and its purpose.
pub(crate) struct Example {
    pub(crate) purpose: &'static str,
    pub(crate) line: &'static str,
}

impl Example {
    /// Returns the examples of a command, named by the words after `ntro`.
    pub(crate) fn of(command: &str) -> impl Iterator<Item = Self> {
        script(command).split("\n\n").filter_map(|example| {
            let (purpose, line) = example.split_once('\n')?;
            let purpose = purpose.trim_start_matches("# ");
            Some(Self { purpose, line })
        })
    }
}

/// Defines [`script`].
macro_rules! examples {
    ($($($command:literal)|+ {
        $purpose:literal: $line:literal
        $($next_purpose:literal: $next_line:literal)*
    })+) => {
        /// Returns the examples of a command as a shell script.
        ///
        /// A text for each command, since a table of its parts would be written by every start of a
        /// position-independent program.
        pub(crate) fn script(command: &str) -> &'static str {
            match command {
                $($($command)|+ => concat!(
                    "# ", $purpose, "\n", $line,
                    $("\n\n# ", $next_purpose, "\n", $next_line),*
                ),)+
                _ => "",
            }
        }
    };
}

examples! {
    "" {
        "Try everything on this machine, without an account": "ntro dev"
        "Log in to Ntropii or Ontora": "ntro auth login"
        "Show which connection, host, key and tenant the next call uses, and why":
            "ntro auth explain"
    }
    "auth" {
        "Log in": "ntro auth login"
        "List the connections": "ntro auth list"
        "Show the owner of a key": "ntro auth whoami -c acme-prod"
    }
    "auth login" | "login" {
        "Answer prompts for name, host, key and tenant": "ntro auth login"
        "Replace the key of a connection": "ntro auth login -n acme-prod"
        "Log in without prompts, with the key from another program":
            "pass show acme/key | ntro auth login --no-interactive -n acme-prod \\\n  --host https://api.ntropii.com/v1 --api-key-stdin"
        "Keep the key in an encrypted file": "ntro auth login --store file"
    }
    "auth whoami" | "whoami" {
        "Show the owner of the default connection's key": "ntro auth whoami"
        "Use another connection": "ntro auth whoami -c acme-prod"
        "Use a key without a connection":
            "NTRO_API_KEY=… ntro auth whoami --host https://api.ntropii.com/v1"
    }
    "auth logout" | "logout" {
        "Erase the key of a connection": "ntro auth logout acme-prod"
        "Revoke the key on its server as well": "ntro auth logout acme-prod --revoke"
    }
    "auth list" {
        "List the connections": "ntro auth list"
        "Print the names of those that are logged in":
            "ntro auth list -o json | jq -r '.[] | select(.logged_in).connection'"
    }
    "auth status" {
        "Check the default connection": "ntro auth status"
        "Check all connections, and fail if a key expires within two weeks":
            "ntro auth status --all --warn-within 14d"
        "Check all connections every minute": "ntro auth status --all --watch 1m"
    }
    "auth use" {
        "Use a connection unless another is named": "ntro auth use acme-prod"
        "Pick one of the connections": "ntro auth use"
    }
    "auth set" {
        "Keep programs from reading a key": "ntro auth set acme-prod --policy keyless"
        "Ask before changes on its server": "ntro auth set acme-prod --production true"
    }
    "auth lock" {
        "Forget the passphrase of the key file": "ntro auth lock"
    }
    "auth rename" {
        "Rename a connection": "ntro auth rename acme acme-prod"
    }
    "auth remove" {
        "Remove a connection and its stored key": "ntro auth remove acme-prod"
    }
    "auth test" {
        "Check a key in a script": "ntro auth test -c acme-prod -q"
    }
    "auth token" {
        "Give the key to a program that reads it from its standard input":
            "ntro auth token -c acme-prod | deploy --key-stdin"
    }
    "auth explain" {
        "Show the sources of each value of the next call": "ntro auth explain"
        "Show them for another connection": "ntro auth explain -c acme-prod"
    }
    "auth migrate" {
        "Move all keys out of plain text, into the keyring": "ntro auth migrate --all"
        "Move one key into an encrypted file": "ntro auth migrate acme-prod --to file"
        "Import the key of the official `ontora` command": "ntro auth migrate --ontora"
    }
    "auth rotate" {
        "Replace the key of a connection": "ntro auth rotate acme-prod"
        "Replace all keys older than 60 days": "ntro auth rotate --all --older-than 60d"
        "Show what would be replaced": "ntro auth rotate --all --dry-run"
        "Keep the old key live for an hour, and return immediately":
            "ntro auth rotate acme-prod --grace 1h --no-wait"
    }
    "pin" {
        "Use a connection in this folder and below": "ntro pin acme-prod"
        "Use one of its tenants as well": "ntro pin acme-prod acme-fund-admin"
    }
    "exec" {
        "Run a program with the default connection": "ntro exec -- python report.py"
        "Use another connection": "ntro exec -c acme-ontora -- ontora campaigns list"
        "Give the key under another name, and nothing else":
            "ntro exec --also ACME_TOKEN --only ACME_TOKEN -- ./deploy"
        "Keep the key out of a log": "ntro exec --mask -- make check > check.log 2>&1"
        "Give the program a key that ends with it": "ntro exec --child --ttl 15m -- ./deploy"
        "Run an agent that cannot read the key": "ntro exec --keyless -- claude"
        "Let it read only": "ntro exec --keyless --read-only -- claude"
        "Let it delete only with your approval, asked by `ntro proxy approve`":
            "ntro exec --keyless --ask \"DELETE /v1/*\" -- claude"
    }
    "env" {
        "Set the variables in this shell": "eval \"$(ntro env)\""
        "Set them in fish": "ntro env --shell fish | source"
        "Set them in PowerShell":
            "ntro env --shell powershell | Out-String | Invoke-Expression"
        "Remove them": "eval \"$(ntro env --unset)\""
    }
    "helper" {
        "Print the header of the active connection's key": "ntro helper headers"
    }
    "helper headers" {
        "Print the header of the active connection's key": "ntro helper headers"
        "Print the header for a URL": "ntro helper headers --url https://api.ntropii.com/v1/mcp"
    }
    "helper json" {
        "Print header, value and expiry": "ntro helper json -c acme-prod"
    }
    "helper git" {
        "Show what git would get": "printf 'protocol=https\\nhost=api.ntropii.com\\n' | ntro helper git get"
    }
    "helper cargo" {
        "Answer the requests of a file, as cargo would send them": "ntro helper cargo < requests"
    }
    "helper bazel" {
        "Show what Bazel would get": "echo '{\"uri\": \"https://api.ntropii.com/\"}' | ntro helper bazel get"
    }
    "tenant" {
        "List the tenants that the key reaches": "ntro tenant list"
        "Choose a default": "ntro tenant use acme-fund-admin"
    }
    "tenant list" {
        "List the tenants that the key reaches": "ntro tenant list"
    }
    "tenant info" {
        "Show a tenant": "ntro tenant info acme-fund-admin"
    }
    "tenant use" {
        "Set the default tenant of the default connection": "ntro tenant use acme-fund-admin"
        "Set that of another connection": "ntro tenant use acme-fund-admin -c acme-prod"
    }
    "key" {
        "Show the connection's own key": "ntro key current"
        "List the keys of the tenant": "ntro key list"
    }
    "key list" {
        "List the keys of the connection's tenant": "ntro key list"
        "List those of another tenant, with a token of the authority":
            "ntro admin token | ntro key list -t acme-fund-admin --admin-token-stdin"
    }
    "key create" {
        "Create a key and print it once": "ntro key create --name reporting"
        "Create a key that expires, and store it for a new connection":
            "ntro key create --name ci --expires-in-days 90 --save-as acme-ci"
        "Create an Ontora key with two scopes":
            "ntro key create --name bot --scope interviews --scope exports"
    }
    "key pause" {
        "Refuse a key until it is resumed": "ntro key pause ntro_prod_k9Zr4MxQ2bLw"
    }
    "key resume" {
        "Accept it again": "ntro key resume ntro_prod_k9Zr4MxQ2bLw"
    }
    "key revoke" {
        "Revoke a key by its prefix": "ntro key revoke ntro_prod_k9Zr4MxQ2bLw"
    }
    "key current" {
        "Show the connection's key": "ntro key current"
        "Print when it expires": "ntro key current -o json | jq -r .expires_at"
    }
    "dev" {
        "Start an authority with two connections that are logged in": "ntro dev"
        "Leave nothing behind, on a free port": "ntro dev --ephemeral --listen 127.0.0.1:0"
    }
    "proxy" {
        "Serve a program that gets the printed variables":
            "ntro proxy -c acme-prod"
        "Let it read interviews only": "ntro proxy --read-only --allow \"GET /v1/interviews*\""
        "Listen on a Unix socket, for two programs":
            "ntro proxy --socket ~/.ntro/proxy.sock --child agent --child nightly"
    }
    "proxy approve" {
        "Decide on the calls of a program that runs on another terminal": "ntro proxy approve"
    }
    "proxy log" {
        "Show the last calls": "ntro proxy log --last 20"
        "Check that no line was changed or removed": "ntro proxy log --verify"
    }
    "serve" {
        "Run the authority on this machine": "ntro serve --database sqlite:/var/lib/ntro/authority.db"
        "Run it as one of several on PostgreSQL":
            "ntro serve --database postgres://ntro@db.example.com/ntro \\\n  --key-material /etc/ntro/keys"
        "Accept admins of an OIDC issuer": "ntro serve --issuer https://login.acme.example --audience ntro"
    }
    "admin" {
        "Create an organisation": "ntro admin organisation create Acme"
        "Create a tenant": "ntro admin tenant create acme-fund-admin"
        "Create a key for it":
            "ntro admin key create --provider ntropii -t acme-fund-admin"
    }
    "admin init" {
        "Make a registry in PostgreSQL":
            "ntro admin init --database postgres://ntro@db.example.com/ntro \\\n  --key-material /etc/ntro/keys"
    }
    "admin organisation" {
        "Create an organisation": "ntro admin organisation create Acme"
    }
    "admin organisation create" {
        "Create an organisation": "ntro admin organisation create Acme"
        "Connect it to the organisation of an OIDC issuer":
            "ntro admin organisation create Acme --external-id org_2abc"
    }
    "admin organisation rename" {
        "Give an organisation another name": "ntro admin organisation rename Acme Globex"
    }
    "admin organisation list" {
        "List organisations": "ntro admin organisation list"
    }
    "admin tenant" {
        "List the tenants of all organisations": "ntro admin tenant list"
    }
    "admin tenant create" {
        "Create a tenant of the only organisation": "ntro admin tenant create acme-fund-admin"
        "Name its organisation":
            "ntro admin tenant create acme-fund-admin --organisation Acme"
    }
    "admin tenant rename" {
        "Give a tenant another display name": "ntro admin tenant rename acme-fund-admin Acme"
    }
    "admin tenant list" {
        "List the tenants of one organisation": "ntro admin tenant list --organisation Acme"
    }
    "admin tenant suspend" {
        "Refuse the keys of a tenant": "ntro admin tenant suspend acme-fund-admin"
    }
    "admin tenant resume" {
        "Accept the keys of a tenant again": "ntro admin tenant resume acme-fund-admin"
    }
    "admin key" {
        "List the keys of a tenant": "ntro admin key list -t acme-fund-admin"
    }
    "admin key create" {
        "Create an Ntropii key": "ntro admin key create --provider ntropii -t acme-fund-admin"
        "Create an Ontora key that expires":
            "ntro admin key create --provider ontora -t acme-fund-admin \\\n  --scope interviews --expires-in-days 90"
    }
    "admin key list" {
        "List the keys of all tenants": "ntro admin key list"
        "List the keys of one tenant": "ntro admin key list -t acme-fund-admin"
    }
    "admin key pause" {
        "Refuse a key until it is resumed": "ntro admin key pause ntro_prod_k9Zr4MxQ2bLw"
    }
    "admin key resume" {
        "Accept it again": "ntro admin key resume ntro_prod_k9Zr4MxQ2bLw"
    }
    "admin key revoke" {
        "Revoke a key by its prefix": "ntro admin key revoke ntro_prod_k9Zr4MxQ2bLw"
        "Revoke all keys of a person": "ntro admin key revoke --owner user_2abc"
    }
    "admin policy" {
        "Show the policy of a tenant": "ntro admin policy show -t acme-fund-admin"
    }
    "admin policy show" {
        "Show the policy of a tenant": "ntro admin policy show -t acme-fund-admin"
    }
    "admin policy set" {
        "Limit new keys to 90 days and one scope":
            "ntro admin policy set -t acme-fund-admin \\\n  --longest-life-in-days 90 --allow-scope interviews"
    }
    "admin token" {
        "Print a token that lives for an hour": "ntro admin token --expires-in 1h"
        "List the keys of a tenant with it": "ntro admin token | ntro key list --admin-token-stdin"
    }
    "admin audit" {
        "Verify all audit logs": "ntro admin audit verify"
    }
    "admin audit verify" {
        "Verify all logs": "ntro admin audit verify"
        "Verify a tenant's log against a checkpoint that was kept elsewhere":
            "ntro admin audit verify -t acme-fund-admin --checkpoint acme.checkpoint"
    }
    "admin audit export" {
        "Print a tenant's log": "ntro admin audit export -t acme-fund-admin"
    }
    "admin audit prove" {
        "Write the proof of an event": "ntro admin audit prove 1042 > 1042.tlog-proof"
    }
    "admin audit checkpoint" {
        "Write a checkpoint of a tenant's log":
            "ntro admin audit checkpoint -t acme-fund-admin > acme.checkpoint"
    }
    "prove" {
        "Try to reach the keys from the box of a keyless program": "ntro prove"
        "Try the key of a connection as well, without the network":
            "ntro prove -c acme-prod --seal net"
        "Try a program of your own": "ntro prove -- sh -c 'cat \"$NTRO_PROVE_FILE\"'"
    }
    "doctor" {
        "Check this machine and all connections": "ntro doctor"
        "Repair what can be repaired, without the network": "ntro doctor --fix --offline"
    }
    "completions" {
        "Load completions in every new bash":
            "echo 'source <(ntro completions bash)' >> ~/.bashrc"
        "Load completions in every new zsh, below `compinit`":
            "echo 'source <(ntro completions zsh)' >> ~/.zshrc"
        "Load completions in every new fish":
            "echo 'ntro completions fish | source' \\\n  > ~/.config/fish/completions/ntro.fish"
        "Load completions in every new elvish":
            "echo 'eval (ntro completions elvish | slurp)' >> ~/.config/elvish/rc.elv"
        "Load completions in every new PowerShell":
            "'ntro completions powershell | Out-String | Invoke-Expression' >> $PROFILE"
    }
    "man" {
        "Read the manual page of a command": "ntro man auth login | man -l -"
        "Install all pages for `man`": "ntro man --folder ~/.local/share/man/man1"
    }
}
