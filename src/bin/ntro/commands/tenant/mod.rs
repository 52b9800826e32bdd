//! `ntro tenant`: what the key reaches.

mod info;
mod list;
mod use_;

use super::group::group;

group! {
    "list" List(list::ListArgs) => list::run;
    "info" Info(info::InfoArgs) => info::run;
    "use" Use(use_::UseArgs) => use_::run;
}
