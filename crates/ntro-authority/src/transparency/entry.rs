//! The entries of a log: one JSON line for each row of the audit table.

use jiff::Timestamp;
use serde::Serialize;

/// A row of the audit table, as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    pub(crate) id: i64,
    /// In milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) actor_kind: String,
    pub(crate) actor_issuer: Option<String>,
    pub(crate) actor_id: Option<String>,
    pub(crate) action: String,
    pub(crate) target_kind: String,
    pub(crate) target_id: String,
    pub(crate) organisation_id: Option<String>,
    pub(crate) tenant_id: Option<String>,
    /// A JSON object.
    pub(crate) details: String,
}

/// The version of the encoding.
const VERSION: u8 = 1;

/// The members of a line before `details`, in their order.
#[derive(Serialize)]
struct Members<'a> {
    version: u8,
    log: &'a str,
    index: u64,
    id: i64,
    at: String,
    actor: ActorMember<'a>,
    action: &'a str,
    target: TargetMember<'a>,
    organisation_id: Option<&'a str>,
    tenant_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ActorMember<'a> {
    kind: &'a str,
    issuer: Option<&'a str>,
    id: Option<&'a str>,
}

#[derive(Serialize)]
struct TargetMember<'a> {
    kind: &'a str,
    id: &'a str,
}

impl AuditEntry {
    /// Returns the name of the log that the entry belongs to.
    pub(crate) fn log(&self) -> String {
        match (&self.tenant_id, &self.organisation_id) {
            (Some(tenant), _) => format!("tenant/{tenant}"),
            (None, Some(organisation)) => format!("organisation/{organisation}"),
            (None, None) => "authority".to_owned(),
        }
    }

    /// Returns the line, without a newline, for `index` in the log: the bytes that are hashed. A
    /// change of the encoding needs another [`VERSION`], because old lines keep theirs.
    pub(crate) fn line(&self, index: u64) -> String {
        let at = Timestamp::from_millisecond(self.at).unwrap_or(Timestamp::MIN);
        let members = Members {
            version: VERSION,
            log: &self.log(),
            index,
            id: self.id,
            at: format!("{at:.3}"),
            actor: ActorMember {
                kind: &self.actor_kind,
                issuer: self.actor_issuer.as_deref(),
                id: self.actor_id.as_deref(),
            },
            action: &self.action,
            target: TargetMember {
                kind: &self.target_kind,
                id: &self.target_id,
            },
            organisation_id: self.organisation_id.as_deref(),
            tenant_id: self.tenant_id.as_deref(),
        };
        // Strings and numbers always serialise.
        let mut line = serde_json::to_string(&members).unwrap_or_default();
        line.pop();
        // As stored: another version of a JSON library may write it differently.
        line.push_str(r#","details":"#);
        line.push_str(&self.details);
        line.push('}');
        ascii(line)
    }
}

/// Escapes the characters beyond ASCII, and DEL. JSON has them in strings alone. Whether a terminal
/// shows a character depends on its version of Unicode; the line must not.
fn ascii(json: String) -> String {
    let is_plain = |character: char| character.is_ascii() && character != '\u{7f}';
    if json.chars().all(is_plain) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() * 2);
    for character in json.chars() {
        if is_plain(character) {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> AuditEntry {
        AuditEntry {
            id: 7,
            at: 1_767_225_600_000,
            actor_kind: "user".to_owned(),
            actor_issuer: Some("https://idp.example".to_owned()),
            actor_id: Some("a \"b\"\nc".to_owned()),
            action: "key.create".to_owned(),
            target_kind: "key".to_owned(),
            target_id: "k".to_owned(),
            organisation_id: Some("o".to_owned()),
            tenant_id: Some("t".to_owned()),
            details: r#"{"name":"CI"}"#.to_owned(),
        }
    }

    #[test]
    fn line_of_version_one_stays() {
        let expected = concat!(
            r#"{"version":1,"log":"tenant/t","index":3,"id":7,"at":"2026-01-01T00:00:00.000Z","#,
            r#""actor":{"kind":"user","issuer":"https://idp.example","id":"a \"b\"\nc"},"#,
            r#""action":"key.create","target":{"kind":"key","id":"k"},"organisation_id":"o","#,
            r#""tenant_id":"t","details":{"name":"CI"}}"#,
        );
        assert_eq!(entry().line(3), expected);
        let read: serde_json::Value = serde_json::from_str(expected).unwrap();
        assert_eq!(read["details"]["name"], "CI");
    }

    #[test]
    fn line_is_ascii() {
        let mut entry = entry();
        entry.actor_id = Some("é\u{202e}\u{7f}".to_owned());
        entry.details = r#"{"name":"🔑"}"#.to_owned();
        let line = entry.line(0);
        assert!(line.is_ascii());
        assert!(line.contains(r#""id":"\u00e9\u202e\u007f""#), "{line}");
        assert!(
            line.ends_with(r#""details":{"name":"\ud83d\udd11"}}"#),
            "{line}"
        );
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["details"]["name"], "🔑");
    }

    #[test]
    fn event_without_tenant_is_the_organisations() {
        let mut entry = entry();
        entry.tenant_id = None;
        assert_eq!(entry.log(), "organisation/o");
        entry.organisation_id = None;
        assert_eq!(entry.log(), "authority");
    }
}
