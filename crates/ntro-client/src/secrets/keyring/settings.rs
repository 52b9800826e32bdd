use std::time::Duration;

use ntro_base::env::{self, Env};

/// What a keyring needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringSettings {
    /// How long the keyring may stay silent, over all calls together.
    pub timeout: Duration,
    /// The address of the session bus on which the Secret Service is found, on systems with one.
    pub session_bus: Option<String>,
    /// Whether a person is there to answer the system's prompt.
    pub interactive: bool,
}

impl KeyringSettings {
    /// How long a keyring may stay silent when nothing else is said.
    pub const TIMEOUT: Duration = Duration::from_secs(3);

    /// How long a person may take to answer the system's prompt.
    pub const PROMPT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Returns the address of the session bus that the environment names, if it names one.
    #[must_use]
    pub fn session_bus(env: &Env) -> Option<String> {
        if let Ok(Some(address)) = env.text(&env::DBUS_SESSION_BUS_ADDRESS) {
            return Some(address.to_owned());
        }
        let socket = env.path(&env::XDG_RUNTIME_DIR)?.join("bus");
        Some(format!("unix:path={}", socket.to_str()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bus_is_where_the_environment_says() {
        let bus = |variables: &[(&'static env::EnvVar, &'static str)]| {
            KeyringSettings::session_bus(&Env::from_pairs(variables.iter().copied()))
        };
        let address = (&env::DBUS_SESSION_BUS_ADDRESS, "unix:path=/tmp/bus");
        let folder = (&env::XDG_RUNTIME_DIR, "/run/user/1");
        assert_eq!(bus(&[]), None);
        assert_eq!(bus(&[folder]).as_deref(), Some("unix:path=/run/user/1/bus"));
        assert_eq!(
            bus(&[folder, address]).as_deref(),
            Some("unix:path=/tmp/bus")
        );
    }
}
