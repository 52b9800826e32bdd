//! The `ntro` command.

fn main() {}
