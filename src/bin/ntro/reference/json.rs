//! What every command prints with `--output json`. `tests/it/json.rs` holds real output to it.

use std::fmt::Write as _;

/// The value that a command prints.
pub(super) struct Shape {
    /// The command, without `ntro`.
    pub(super) command: &'static str,
    /// What it prints: one object, an array of objects, …
    value: &'static str,
    /// The members of the object, nested ones with their path.
    members: &'static [Member],
}

/// Name, type and meaning. Types are `text`, `number`, `boolean`, `time`, `object`, `array of …`
/// and names in quotes; ` or null` says that there may be none.
type Member = (&'static str, &'static str, &'static str);

/// Commands that print something else than JSON, whatever they are told: scripts and pages.
pub(super) const WITHOUT: [&str; 2] = ["completions", "man"];

const OBJECT: &str = "an object";

const CONNECTION: Member = ("connection", "text", "Name of the connection");
const NAME: Member = ("name", "text", "Name of the connection");
const HOST: Member = ("host", "text", "Base URL that is called");
const PROVIDER: Member = (
    "provider",
    "`ntropii` or `ontora`",
    "System that is spoken there",
);
const STORE: &str = "`keyring`, `file`, `keyutils`, `command` or `plaintext`";

/// A key at its server, as far as that tells of it.
macro_rules! key {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            ("id", "text or null", "Id of the key"),
            ("prefix", "text or null", "Displayable head of the key"),
            ("name", "text or null", "Display name of the key"),
            ("status", "`live`, `expired` or `revoked`", "Whether the server accepts it"),
            ("tenant", "text or null", "Tenant that the key reaches"),
            ("scopes", "array of text or null", "What the key may do"),
            ("expires_at", "time or null", "When the key ends"),
            ("created_at", "time or null", "When the key was made"),
            ("created_by", "text or null", "Who made it"),
            ("last_used_at", "time or null", "When it was last accepted"),
            ("revoked_at", "time or null", "When it was revoked"),
        ]
    };
}

/// A key in the authority's registry.
macro_rules! key_in_books {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            ("id", "text", "Id of the key"),
            ("tenant_id", "text", "Id of its tenant"),
            ("tenant", "text or null", "Slug of its tenant, where that was looked up"),
            PROVIDER,
            ("name", "text", "Display name of the key"),
            ("key_prefix", "text", "Displayable head of the key"),
            ("scopes", "array of text", "What the key may do; of Ntropii, empty"),
            ("state", "`live`, `expired` or `revoked`", "Whether it is accepted"),
            ("created_at", "time", "When the key was made"),
            ("created_by", "text or null", "Who made it"),
            ("expires_at", "time or null", "When the key ends"),
            ("last_used_at", "time or null", "When it was last accepted"),
            ("revoked_at", "time or null", "When it was revoked"),
            ("may_rotate", "boolean", "Whether it may mint its own successor"),
        ]
    };
}

const TENANT_IN_BOOKS: &[Member] = &[
    ("id", "text", "Id of the tenant"),
    ("slug", "text", "Name for URLs"),
    ("name", "text", "Display name"),
    (
        "organisation_id",
        "text",
        "Id of the organisation that owns it",
    ),
    (
        "status",
        "`REQUESTED`, `PROVISIONING`, `ACTIVE`, `SUSPENDED`, `DEPROVISIONING`, `FAILED` or `DECOMMISSIONED`",
        "How it stands: its keys are accepted while it is `ACTIVE` only",
    ),
    (
        "data_platform",
        "`managed-postgres`, `snowflake` or `microsoft-fabric`",
        "What its data lies on",
    ),
    (
        "data_platform_config_id",
        "text or null",
        "Id of the platform's configuration",
    ),
    ("created_at", "time", "When it was made"),
    ("updated_at", "time", "When it was last changed"),
];

const ORGANISATION: &[Member] = &[
    ("id", "text", "Id of the organisation"),
    ("name", "text", "Display name"),
    (
        "external_id",
        "text or null",
        "What its admins' tokens call it",
    ),
    ("created_at", "time", "When it was made"),
];

macro_rules! whoami {
    ($path:literal) => {
        [
            (
                concat!($path, "connection"),
                "text or null",
                "Name of the connection, if one is used",
            ),
            (concat!($path, "provider"), PROVIDER.1, PROVIDER.2),
            (concat!($path, "host"), HOST.1, HOST.2),
            (
                concat!($path, "id"),
                "text",
                "Id of whom the key belongs to",
            ),
            (concat!($path, "name"), "text", "Their name"),
            (
                concat!($path, "email"),
                "text or null",
                "Their e-mail address",
            ),
            (
                concat!($path, "organisation"),
                "text or null",
                "Their organisation",
            ),
            (concat!($path, "roles"), "array of text", "Their roles"),
            (
                concat!($path, "tenant"),
                "text or null",
                "Slug of the tenant that a call would use",
            ),
            (
                concat!($path, "tenants"),
                "array of objects",
                "Tenants that the key reaches",
            ),
            (concat!($path, "tenants[].id"), "text", "Id of a tenant"),
            (concat!($path, "tenants[].slug"), "text", "Its slug"),
            (
                concat!($path, "tenants[].name"),
                "text or null",
                "Its display name",
            ),
            (
                concat!($path, "key_prefix"),
                "text",
                "Displayable head of the key",
            ),
            (
                concat!($path, "key_source"),
                "text",
                "Where the key came from, in words",
            ),
            (
                concat!($path, "scopes"),
                "array of text or null",
                "What the key may do, where the server tells",
            ),
            (
                concat!($path, "expires_at"),
                "time or null",
                "When the key ends, where the server tells",
            ),
            (
                concat!($path, "region"),
                "text or null",
                "Where the server is",
            ),
        ]
    };
}

const STARTED: &[Member] = &{
    let own: [Member; 4] = [
        ("listening", "text", "Base URL of the authority"),
        ("database", "text", "Where its database lies"),
        (
            "connections",
            "array of text",
            "Names of the connections that are logged in",
        ),
        (
            "whoami",
            "object",
            "What `ntro auth whoami` says of the first",
        ),
    ];
    let whoami: [Member; 18] = whoami!("whoami.");
    let mut all = [own[0]; 22];
    let mut index = 0;
    while index < all.len() {
        all[index] = match index {
            0..4 => own[index],
            _ => whoami[index - 4],
        };
        index += 1;
    }
    all
};

/// Every value that is decided, with the same members.
macro_rules! explained {
    ($($name:literal),*) => {
        &[
            $(
                ($name, "object", concat!("How the ", $name, " was decided")),
                (concat!($name, ".value"), "text or null", "What a call would use; of the key, its head"),
                (concat!($name, ".error"), "text or null", "Why it cannot be used"),
                (concat!($name, ".overrides"), "text or null", "What a variable hides"),
                (concat!($name, ".sources"), "array of objects", "Every place looked at, in order"),
                (concat!($name, ".sources[].source"), "text", "The place, in words"),
                (concat!($name, ".sources[].found"), "text or null", "What stood there"),
                (concat!($name, ".sources[].wins"), "boolean", "Whether it is what is used"),
            )*
        ]
    };
}

/// What came of one key's rotation.
const ROTATED: &[Member] = &[
    NAME,
    (
        "state",
        "`rotated`, `finished`, `in_grace`, `manual`, `skipped`, `due`, `unfinished`, `abandoned` or `failed`",
        "What came of it",
    ),
    (
        "method",
        "`self`, `admin`, `walkthrough` or null",
        "How the new key was had",
    ),
    (
        "old_prefix",
        "text or null",
        "Displayable head of the old key",
    ),
    (
        "new_prefix",
        "text or null",
        "Displayable head of the new key",
    ),
    (
        "revoke_after",
        "time or null",
        "With `in_grace`, from when on the old key is to be revoked",
    ),
    (
        "created_at",
        "time or null",
        "With `--dry-run`, when the key was made",
    ),
    ("message", "text or null", "What else there is to say"),
];

/// Every command that prints JSON, in the order of the reference page.
pub(super) const SHAPES: &[Shape] = &[
    Shape {
        command: "auth login",
        value: OBJECT,
        members: &[
            CONNECTION,
            HOST,
            PROVIDER,
            ("key_prefix", "text", "Displayable head of the key"),
            ("store", STORE, "Where the key lies"),
            (
                "is_default",
                "boolean",
                "Whether it is the default connection",
            ),
            ("verified", "boolean", "Whether the server was asked"),
            (
                "default_tenant",
                "text or null",
                "Tenant that was chosen now",
            ),
            (
                "identity",
                "text or null",
                "E-mail address or name of whom the key belongs to, if the server was asked",
            ),
            (
                "tenants",
                "array of objects or null",
                "Tenants that the key reaches, if the server was asked",
            ),
            ("tenants[].id", "text", "Id of a tenant"),
            ("tenants[].slug", "text", "Its slug"),
            ("tenants[].name", "text or null", "Its display name"),
            (
                "expires_at",
                "time or null",
                "When the key ends, where the server tells",
            ),
        ],
    },
    Shape {
        command: "auth whoami",
        value: OBJECT,
        members: &whoami!(""),
    },
    Shape {
        command: "auth logout",
        value: "an array of objects, one for each connection",
        members: &[
            NAME,
            (
                "had_key",
                "boolean or null",
                "Whether there was a key to forget; null where it stays logged in",
            ),
            (
                "revoked",
                "boolean",
                "Whether the key was revoked at its server",
            ),
            (
                "store",
                "`keyring`, `file`, `keyutils`, `command`, `plaintext` or null",
                "Where the key lay",
            ),
            (
                "code",
                "text or null",
                "Of a failure, the `code` that is listed below the exit codes",
            ),
            ("message", "text or null", "Why it stays logged in"),
        ],
    },
    Shape {
        command: "auth list",
        value: "an array of objects, one for each connection",
        members: &[
            NAME,
            (
                "active",
                "boolean",
                "Whether it is the one that would be used",
            ),
            (
                "provider",
                "`ntropii`, `ontora` or null",
                "System that is spoken there; one that is unknown, as it stands in the file",
            ),
            (
                "host",
                "text or null",
                "Base URL; of one that cannot be used, what holds no secret",
            ),
            (
                "default_tenant",
                "text or null",
                "Tenant used where no other is named",
            ),
            (
                "store",
                "`keyring`, `file`, `keyutils`, `command`, `plaintext` or null",
                "Where the key lies, or would lie; an unknown one as it stands in the file",
            ),
            (
                "policy",
                "`none`, `keyless` or `confirm`",
                "What may become of the key",
            ),
            ("production", "boolean", "Whether it counts as production"),
            ("logged_in", "boolean", "Whether it has a key"),
            (
                "key_prefix",
                "text or null",
                "Displayable head of the key stored at login",
            ),
            (
                "expires_at",
                "time or null",
                "When that key ends, where the server told",
            ),
        ],
    },
    Shape {
        command: "auth status",
        value: "an array of objects, one for each connection; with `--watch`, line by line an object for each round: `checked_at` (time), `ok` (boolean) and that array as `connections`",
        members: &[
            NAME,
            (
                "state",
                "`valid`, `expiring`, `expired`, `rejected`, `forbidden`, `unreachable`, `locked`, `store_unavailable`, `no_key` or `failed`",
                "How it stands; `expiring`: valid, and ends soon",
            ),
            (
                "ok",
                "boolean",
                "Whether it counts as well for the exit code",
            ),
            ("host", "text or null", "Base URL that was called"),
            ("message", "text or null", "Why it is not valid"),
            (
                "expires_at",
                "time or null",
                "When the key ends, where the server tells",
            ),
            (
                "expires_in_days",
                "number or null",
                "Whole days until then; below zero when they are over",
            ),
        ],
    },
    Shape {
        command: "auth use",
        value: OBJECT,
        members: &[("default_connection_name", "text", "Name of the connection")],
    },
    Shape {
        command: "auth rename",
        value: OBJECT,
        members: &[
            ("from", "text", "Name that it had"),
            ("to", "text", "Name that it has"),
        ],
    },
    Shape {
        command: "auth remove",
        value: OBJECT,
        members: &[
            NAME,
            ("had_key", "boolean", "Whether a key was erased with it"),
        ],
    },
    Shape {
        command: "auth test",
        value: OBJECT,
        members: &[
            (
                "connection",
                "text or null",
                "Name of the connection, if one is used",
            ),
            HOST,
            ("name", "text", "Name of whom the key belongs to"),
            ("organisation", "text or null", "Their organisation"),
        ],
    },
    Shape {
        command: "auth token",
        value: OBJECT,
        members: &[("api_key", "text", "The key itself")],
    },
    Shape {
        command: "auth explain",
        value: OBJECT,
        members: explained!(
            "connection",
            "host",
            "key",
            "tenant",
            "provider",
            "policy",
            "production"
        ),
    },
    Shape {
        command: "auth rotate",
        value: "an object; with `--all`, an array of such, one for each connection",
        members: ROTATED,
    },
    Shape {
        command: "auth migrate",
        value: "an array of objects, one for each connection",
        members: &[
            CONNECTION,
            (
                "from",
                "array of text",
                "Places that had the key: a store, or `ontora`",
            ),
            ("to", STORE, "Where the key was to go"),
            (
                "result",
                "`moved`, `copied`, `would_move`, `already_there`, `no_key`, `copy_left`, `conflict` or `failed`",
                "What came of it; `copied` with `--keep`, `would_move` with `--dry-run`",
            ),
            ("key_prefix", "text or null", "Displayable head of the key"),
            (
                "code",
                "text or null",
                "Of a failure, the `code` that is listed below the exit codes",
            ),
            ("message", "text or null", "Why it was not moved"),
        ],
    },
    Shape {
        command: "tenant list",
        value: "an array of objects, one for each tenant",
        members: &[
            ("slug", "text", "Name for URLs and settings"),
            (
                "active",
                "boolean",
                "Whether it is the one that a call would use",
            ),
            ("name", "text or null", "Display name"),
            (
                "status",
                "text or null",
                "How it stands, in the server's words",
            ),
            ("id", "text", "Id of the tenant"),
        ],
    },
    Shape {
        command: "tenant info",
        value: OBJECT,
        members: &[
            ("slug", "text", "Name for URLs and settings"),
            ("name", "text or null", "Display name"),
            (
                "status",
                "text or null",
                "How it stands, in the server's words",
            ),
            ("id", "text", "Id of the tenant"),
            ("data_platform", "text or null", "What its data lies on"),
            ("entity_count", "number or null", "How many entities it has"),
            ("created_at", "time or null", "When it was made"),
        ],
    },
    Shape {
        command: "tenant use",
        value: OBJECT,
        members: &[
            CONNECTION,
            (
                "default_tenant",
                "text",
                "Slug of the tenant that it uses now",
            ),
        ],
    },
    Shape {
        command: "key list",
        value: "an array of objects, one for each key",
        members: key!((
            "current",
            "boolean",
            "Whether it is the one that the connection uses"
        )),
    },
    Shape {
        command: "key create",
        value: "an object; with `--save-as`, without `key` and with `connection` (text), `store` (as at `ntro auth login`) and `is_default` (boolean)",
        members: key!(("key", "text", "The key itself, this once")),
    },
    Shape {
        command: "key revoke",
        value: OBJECT,
        members: &[
            ("id", "text", "Id of the key"),
            (
                "prefix",
                "text or null",
                "Its displayable head, if it was looked up",
            ),
            (
                "name",
                "text or null",
                "Its display name, if it was looked up",
            ),
            ("revoked", "boolean", "Always true"),
        ],
    },
    Shape {
        command: "key current",
        value: OBJECT,
        members: key!(
            (
                "connection",
                "text or null",
                "Name of the connection, if one is used"
            ),
            PROVIDER,
            HOST,
        ),
    },
    Shape {
        command: "dev",
        value: "an object, as soon as it serves",
        members: STARTED,
    },
    Shape {
        command: "serve",
        value: "an object, as soon as it serves",
        members: &[
            ("url", "text", "Where the server is"),
            ("address", "text", "Address and port that it listens on"),
        ],
    },
    Shape {
        command: "admin organisation create",
        value: OBJECT,
        members: ORGANISATION,
    },
    Shape {
        command: "admin organisation list",
        value: "an array of objects, one for each organisation",
        members: ORGANISATION,
    },
    Shape {
        command: "admin tenant create",
        value: OBJECT,
        members: TENANT_IN_BOOKS,
    },
    Shape {
        command: "admin tenant list",
        value: "an array of objects, one for each tenant",
        members: TENANT_IN_BOOKS,
    },
    Shape {
        command: "admin tenant suspend",
        value: OBJECT,
        members: TENANT_IN_BOOKS,
    },
    Shape {
        command: "admin tenant resume",
        value: OBJECT,
        members: TENANT_IN_BOOKS,
    },
    Shape {
        command: "admin key create",
        value: OBJECT,
        members: key_in_books!(("key", "text", "The key itself, this once")),
    },
    Shape {
        command: "admin key list",
        value: "an array of objects, one for each key",
        members: key_in_books!(),
    },
    Shape {
        command: "admin key revoke",
        value: OBJECT,
        members: key_in_books!(),
    },
    Shape {
        command: "admin token",
        value: OBJECT,
        members: &[
            ("token", "text", "The admin token"),
            (
                "organisation_id",
                "text",
                "Id of the organisation that it speaks for",
            ),
            ("role", "`admin` or `member`", "What it allows"),
            (
                "subject",
                "text",
                "Whose name its deeds are written down under",
            ),
            ("expires_at", "time or null", "When it ends"),
        ],
    },
    Shape {
        command: "doctor",
        value: OBJECT,
        members: &[
            (
                "findings",
                "array of objects",
                "What was found, in the order of the checks",
            ),
            ("findings[].check", "text", "Name of the check"),
            (
                "findings[].level",
                "`ok`, `warning` or `problem`",
                "How bad it is",
            ),
            ("findings[].message", "text", "What was found"),
            ("findings[].fix", "text or null", "How to fix it"),
            (
                "findings[].fixed",
                "boolean",
                "Whether `--fix` has fixed it",
            ),
        ],
    },
];

impl Shape {
    pub(super) fn of(command: &str) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.command == command)
    }

    /// Returns the paragraph and the table of the reference page.
    pub(super) fn described(&self) -> String {
        let mut text = format!(
            "\nWith `--output json`: {}.\n\n| member | type | what it is |\n| --- | --- | --- |\n",
            self.value
        );
        for (name, kind, meaning) in self.members {
            let _ = writeln!(text, "| `{name}` | {kind} | {meaning} |");
        }
        text
    }
}
