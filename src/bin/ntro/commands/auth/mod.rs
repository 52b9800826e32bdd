//! `ntro auth`: log in and out, and see what is stored and used.

mod explain;
mod list;
mod login;
mod logout;
mod migrate;
mod remove;
mod rename;
mod rotate;
mod status;
mod test;
mod token;
mod use_;
mod whoami;

use super::group::group;

group! {
    "login" KeyRecord(login::LoginArgs) => login::run;
    "whoami" Whoami(whoami::WhoamiArgs) => whoami::run;
    "logout" Logout(logout::LogoutArgs) => logout::run;
    "list" List(list::ListArgs) => list::run;
    "status" Status(status::StatusArgs) => status::run;
    "use" | "set-default" Use(use_::UseArgs) => use_::run;
    "rename" Rename(rename::RenameArgs) => rename::run;
    "remove" Remove(remove::RemoveArgs) => remove::run;
    "test" Test(test::TestArgs) => test::run;
    "token" Token(token::TokenArgs) => token::run;
    "explain" Explain(explain::ExplainArgs) => explain::run;
    "migrate" Migrate(migrate::MigrateArgs) => migrate::run;
    "rotate" Rotate(rotate::RotateArgs) => rotate::run;
}
