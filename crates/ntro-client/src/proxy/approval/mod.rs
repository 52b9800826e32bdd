//! A person who decides on calls.
//!
//! The person's process listens, and a proxy connects for each question: a program that connects
//! can only ask. Closing the connection withdraws the question.

mod approver;
#[cfg(unix)]
mod question;
#[cfg(target_os = "linux")]
mod terminal;

pub use approver::Approver;
pub(super) use approver::Unapproved;
#[cfg(unix)]
pub use question::{ApprovalMessage, AskedCall, PendingAnswer};
