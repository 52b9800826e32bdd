//! `ntro auth`: logins and connections.

mod explain;
mod list;
mod lock;
mod login;
mod logout;
mod migrate;
mod remove;
mod rename;
mod rotate;
mod set;
mod status;
mod test;
mod token;
mod use_;
mod whoami;

pub(crate) use login::LoginArgs;
pub(crate) use logout::LogoutArgs;
pub(crate) use whoami::WhoamiArgs;

use super::group::group;
#[cfg(test)]
use super::identity::Whoami;

group! {
    "login" Login(login::LoginArgs) => login::run, prints login::LoginSummary;
    "whoami" Whoami(whoami::WhoamiArgs) => whoami::run, prints Whoami;
    "logout" Logout(logout::LogoutArgs) => logout::run, prints logout::Logouts;
    "list" List(list::ListArgs) => list::run, prints list::Connections;
    "status" Status(status::StatusArgs) => status::run, prints status::Statuses | status::WatchRound<'_>;
    "use" | "set-default" Use(use_::UseArgs) => use_::run, prints use_::DefaultConnection;
    "set" Set(set::SetArgs) => set::run, prints set::ConnectionSafety;
    "rename" Rename(rename::RenameArgs) => rename::run, prints rename::RenamedConnection;
    "remove" Remove(remove::RemoveArgs) => remove::run, prints remove::RemovedConnection;
    "test" Test(test::TestArgs) => test::run, prints test::TestedConnection;
    "token" Token(token::TokenArgs) => token::run, prints token::RevealedKey<'_>;
    "explain" Explain(explain::ExplainArgs) => explain::run, prints explain::Explanation;
    "lock" Lock(lock::LockArgs) => lock::run, prints lock::LockedStore;
    "migrate" Migrate(migrate::MigrateArgs) => migrate::run, prints migrate::Moves;
    "rotate" Rotate(rotate::RotateArgs) => rotate::run, prints rotate::RotationRow | rotate::Rotations;
}
