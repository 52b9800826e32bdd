//! Gives a connection to another program: the variables of its environment, and the token that
//! stands for the key where the program must not have it.

#[cfg(target_os = "linux")]
pub mod prove;
pub mod seal;

mod token;
mod variables;

pub use token::OneOffToken;
pub use variables::{
    Selection, SelectionError, Values, Variable, VariableName, VariableNameError, Variables,
};
