//! The answers of `/v1/authorize` for every kind and state of a credential and every question, as
//! `docs/forward-auth.md` publishes them.

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use ntro_authority::{AuthoritySettings, Limits, TenantStatus};
use ntro_base::{Provider, Scope};

use crate::support::{App, Call, edit_key, new_key, status, with};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/forward-auth.md");
const START: &str = "<!-- answers: written by `published_answers_are_current` -->\n";
const END: &str = "<!-- end of the answers -->\n";
const UPDATE: &str =
    "INSTA_UPDATE=always cargo test -p ntro-authority published_answers_are_current";

/// The keys are those of the tenant `acme-fund-admin`.
const QUESTIONS: [&str; 10] = [
    "",
    "tenant=acme-fund-admin",
    "tenant=globex-capital",
    "tenant=nonexistent",
    "tenant=",
    "scope=exports",
    "scope=mcp",
    "scope=exports&tenant=acme-fund-admin",
    "scope=mcp&tenant=globex-capital",
    "scope=nonexistent",
];

/// A table in the making.
struct Table<'a> {
    app: &'a App,
    text: String,
}

impl<'a> Table<'a> {
    fn new(app: &'a App) -> Self {
        Self {
            app,
            text: String::new(),
        }
    }

    /// Adds a row: the answers to every question, asked with the credential that `add` adds.
    async fn row(&mut self, credential: &str, state: &str, add: impl Fn(Call) -> Call) {
        let state = match state {
            "" => String::new(),
            state => format!("{state} "),
        };
        write!(self.text, "| {credential} | {state}|").unwrap();
        for question in QUESTIONS {
            let call = self.app.get(&format!("/v1/authorize?{question}"));
            let reply = add(call).send().await;
            let is_late = matches!(reply.status, 429 | 503);
            assert_eq!(reply.header("retry-after").is_some(), is_late);
            assert_eq!(reply.header("x-ntro-tenant").is_some(), reply.status == 200);
            let answer = shown(reply.status, reply.body["code"].as_str());
            write!(self.text, " {answer} |").unwrap();
        }
        self.text.push('\n');
    }

    async fn keys(&mut self, state: &str, keys: &[Key]) {
        for key in keys {
            let add = |call| with(call, &key.text);
            self.row(key.title, state, add).await;
        }
    }
}

/// Returns an answer as the table has it. Only 403 has more than one code.
fn shown(status: u16, code: Option<&str>) -> String {
    let reason = match (status, code) {
        (200 | 422, None) => "",
        (401, Some("invalid_api_key")) | (429, Some("rate_limited")) => "",
        (403, Some("insufficient_scope")) => " scope",
        (403, Some("workspace_forbidden")) => " tenant",
        (403, Some("tenant_suspended")) => " suspended",
        (403, Some("key_paused")) => " paused",
        other => panic!("{other:?}"),
    };
    format!("{status}{reason}")
}

struct Key {
    title: &'static str,
    text: String,
    id: String,
}

/// Creates one key of each kind.
async fn keys(app: &App) -> [Key; 3] {
    [
        key(app, "Ontora key, `*`", Provider::Ontora, &[Scope::All]).await,
        key(
            app,
            "Ontora key, `exports`",
            Provider::Ontora,
            &[Scope::Exports],
        )
        .await,
        key(app, "Ntropii key", Provider::Ntropii, &[]).await,
    ]
}

async fn key(app: &App, title: &'static str, provider: Provider, scopes: &[Scope]) -> Key {
    let mut new = new_key(provider);
    new.scopes = scopes.to_vec();
    let made = app.registry().create_key(&app.tenant, new).await.unwrap();
    Key {
        title,
        text: made.key.expose().to_owned(),
        id: made.record.id.to_string(),
    }
}

async fn credentials_without_key(table: &mut Table<'_>) {
    let [live, _, ntropii] = keys(table.app).await;
    let admin = table.app.admin();
    let cut = &live.text[..live.text.len() - 1];
    table.row("none", "", |call| call).await;
    table
        .row("no key", "", |call| call.api_key("ont_live_x"))
        .await;
    table
        .row("part of a key", "", |call| call.api_key(cut))
        .await;
    table
        .row("admin's token", "", |call| call.bearer(&admin))
        .await;
    let other = |call: Call| call.bearer(&live.text);
    table.row("Ontora key as Bearer", "live", other).await;
    let other = |call: Call| call.api_key(&ntropii.text);
    table.row("Ntropii key in `X-API-Key`", "live", other).await;
    let twice = |call: Call| call.api_key(&live.text).api_key(&live.text);
    table.row("`X-API-Key` twice", "live", twice).await;
    let beside = |call: Call| call.api_key("ont_live_x").bearer(&ntropii.text);
    table
        .row("no key, and a Ntropii key as Bearer", "live", beside)
        .await;
}

async fn rotated(app: &App, key: &Key) -> String {
    let made = with(app.call("POST", "/v1/api-keys/current/rotate"), &key.text);
    let made = made.expect(StatusCode::CREATED).await;
    made.body["key"].as_str().unwrap().to_owned()
}

async fn keys_in_all_states(table: &mut Table<'_>) {
    let app = table.app;
    let live = keys(app).await;
    table.keys("live", &live).await;

    let rotating = keys(app).await;
    let mut successors = Vec::new();
    for key in &rotating {
        successors.push(rotated(app, key).await);
    }
    table.keys("has a successor", &rotating).await;
    for successor in successors {
        with(app.delete("/v1/api-keys/current/predecessor"), &successor)
            .expect(StatusCode::NO_CONTENT)
            .await;
        assert_eq!(status(app, &successor).await, 200);
    }
    table.keys("replaced", &rotating).await;

    let paused = keys(app).await;
    for key in &paused {
        let id = key.id.parse().unwrap();
        app.registry().pause_key(id).await.unwrap();
    }
    table.keys("paused", &paused).await;
    for key in &paused {
        let id = key.id.parse().unwrap();
        app.registry().resume_key(id).await.unwrap();
    }
    table.keys("resumed", &paused).await;

    let revoked = keys(app).await;
    for key in &revoked {
        let id = key.id.parse().unwrap();
        app.registry().pause_key(id).await.unwrap();
        app.registry().revoke_key(id).await.unwrap();
    }
    table.keys("paused, then revoked", &revoked).await;
    let revoked = keys(app).await;
    for key in &revoked {
        let id = key.id.parse().unwrap();
        app.registry().revoke_key(id).await.unwrap();
    }
    table.keys("revoked", &revoked).await;

    let expired = keys(app).await;
    for key in &expired {
        edit_key(app, &key.id, "expires_at = 1000");
        while status(app, &key.text).await != 401 {
            tokio::task::yield_now().await;
        }
    }
    table.keys("expired", &expired).await;

    let set = |status| app.registry().set_tenant_status(app.tenant.id, status);
    set(TenantStatus::Suspended).await.unwrap();
    table.keys("tenant suspended", &live).await;
    table.keys("revoked, tenant suspended", &revoked).await;
    set(TenantStatus::Active).await.unwrap();
}

fn limits(tenant_per_minute: u32, failures_per_minute: u32) -> AuthoritySettings {
    AuthoritySettings {
        limits: Limits {
            tenant_per_minute,
            failures_per_minute,
            ..Limits::OFF
        },
        ..AuthoritySettings::default()
    }
}

/// Adds the rows of an authority whose limits are used up.
async fn limited() -> String {
    let app = App::start_with(limits(1, 1)).await;
    let keys = keys(&app).await;
    let mut table = Table::new(&app);
    status(&app, &keys[0].text).await;
    table.keys("over the tenant's limit", &keys).await;
    let address: SocketAddr = "192.0.2.1:40000".parse().unwrap();
    let strange = |call: Call| call.api_key("ont_live_x").extension(ConnectInfo(address));
    strange(app.get("/v1/authorize")).send().await;
    let state = "over the address's limit";
    table.row("no key", state, strange).await;
    let address = |call: Call| call.extension(ConnectInfo(address));
    table.row("none", state, address).await;
    table.text
}

fn heading() -> String {
    let mut text = "| credential | state |".to_owned();
    for question in QUESTIONS {
        match question {
            "" => text.push_str(" no condition |"),
            question => write!(text, " `{question}` |").unwrap(),
        }
    }
    text.push_str("\n| --- | --- |");
    text.push_str(&" --- |".repeat(QUESTIONS.len()));
    text.push('\n');
    text
}

#[tokio::test]
async fn published_answers_are_current() {
    let app = App::start().await;
    app.stranger().await;
    let mut table = Table::new(&app);
    credentials_without_key(&mut table).await;
    keys_in_all_states(&mut table).await;
    let table = heading() + &table.text + &limited().await;

    let page = std::fs::read_to_string(PAGE).unwrap();
    let start = page.find(START).unwrap() + START.len();
    let end = page.find(END).unwrap();
    if std::env::var("INSTA_UPDATE").is_ok_and(|wish| wish == "always") {
        let page = format!("{}{table}{}", &page[..start], &page[end..]);
        std::fs::write(PAGE, page).unwrap();
        return;
    }
    assert_eq!(&page[start..end], table, "run {UPDATE}");
}
