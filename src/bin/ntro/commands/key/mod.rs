//! `ntro key`: API keys on the server.

mod admin;
mod create;
mod current;
mod list;
mod pause;
mod revoke;
mod row;

#[cfg(unix)]
pub(super) use self::create::scope_parser;
use super::group::group;

group! {
    "list" List(list::ListArgs) => list::run, prints list::KeyList;
    "create" Create(create::CreateArgs) => create::run, prints create::CreatedKey<'_> | create::SavedKey;
    "pause" Pause(pause::PauseArgs) => pause::run, prints row::KeyRow;
    "resume" Resume(pause::ResumeArgs) => pause::resume, prints row::KeyRow;
    "revoke" Revoke(revoke::RevokeArgs) => revoke::run, prints revoke::RevokedKey;
    "current" Current(current::CurrentArgs) => current::run, prints current::CurrentKey;
}
