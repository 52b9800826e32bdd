//! `ntro key`: API keys at their server.

mod admin;
mod create;
mod current;
mod list;
mod revoke;
mod row;

use super::group::group;

group! {
    "list" List(list::ListArgs) => list::run;
    "create" Create(create::CreateArgs) => create::run;
    "revoke" Revoke(revoke::RevokeArgs) => revoke::run;
    "current" Current(current::CurrentArgs) => current::run;
}
