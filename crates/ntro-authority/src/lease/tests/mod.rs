//! The protocol as a model, in a simulated network, and in many interleavings of its tasks.

#![allow(clippy::print_stderr, reason = "a run is repeated by its seed")]

#[path = "../../../tests/authority/support/history.rs"]
pub(super) mod history;
mod interleavings;
mod model;
mod simulation;
