//! `ntro tenant`: tenants that the key reaches.

mod info;
mod list;
mod use_;

use super::group::group;

group! {
    "list" List(list::ListArgs) => list::run, prints list::TenantList;
    "info" Info(info::InfoArgs) => info::run, prints info::TenantInfo;
    "use" Use(use_::UseArgs) => use_::run, prints use_::DefaultTenant;
}
