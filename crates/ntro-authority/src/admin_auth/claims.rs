use serde_json::Value;

use super::Denied;
use crate::settings::Claims;
use crate::store::Role;
use ntro_base::{is_hidden, printable};

/// The longest subject that OpenID Connect allows.
const LONGEST_SUBJECT: usize = 255;

/// Returns a subject as it is shown to others, with invisible characters escaped.
pub(crate) fn shown_subject(subject: &str) -> String {
    printable(subject, LONGEST_SUBJECT)
}

/// Returns the subject, which every token must have. A subject of invisible characters alone
/// counts as missing.
pub(super) fn subject(claims: &Value) -> Result<&str, Denied> {
    claims
        .get("sub")
        .and_then(Value::as_str)
        .filter(|subject| subject.len() <= LONGEST_SUBJECT)
        // PostgreSQL cannot hold one.
        .filter(|subject| !subject.contains('\0'))
        .filter(|subject| !subject.chars().all(|c| c == ' ' || is_hidden(c)))
        .ok_or(Denied::Invalid("no subject"))
}

/// Returns the organisation and the role in it. An unknown or missing role is [`Role::Member`].
pub(super) fn organisation_and_role<'a>(
    claims: &'a Value,
    paths: &Claims,
) -> (Option<&'a str>, Role) {
    let organisation = first(claims, &paths.organisation);
    let role = match organisation {
        // Both versions may be present: take the role from the one that names the organisation.
        Some((version, _)) if *paths == Claims::default() => text(claims, &paths.role[version]),
        _ => first(claims, &paths.role).map(|(_, role)| role),
    };
    let role = role.and_then(|role| role.strip_prefix("org:").unwrap_or(role).parse().ok());
    (
        organisation.map(|(_, organisation)| organisation),
        role.unwrap_or(Role::Member),
    )
}

/// Returns the first path whose claim is present, by its index, and the claim's text.
fn first<'a>(claims: &'a Value, paths: &[String]) -> Option<(usize, &'a str)> {
    let mut found = paths.iter().map(|path| text(claims, path)).enumerate();
    found.find_map(|(index, text)| Some((index, text?)))
}

/// Returns the text of a claim, by its literal name or else by its path.
fn text<'a>(claims: &'a Value, path: &str) -> Option<&'a str> {
    claims
        .get(path)
        .or_else(|| path.split('.').try_fold(claims, |at, part| at.get(part)))
        .and_then(Value::as_str)
}
