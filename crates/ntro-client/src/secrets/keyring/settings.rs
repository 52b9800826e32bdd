use std::time::Duration;

use ntro_base::env::{self, Env};

/// The settings of the keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringSettings {
    /// The total time limit for all calls to the keyring.
    pub timeout: Duration,
    /// The address of the session bus with the Secret Service, on systems with one.
    pub session_bus: Option<String>,
    /// Whether the user can answer the system's prompt.
    pub interactive: bool,
}

impl KeyringSettings {
    /// The default time limit of the keyring.
    pub const TIMEOUT: Duration = Duration::from_secs(3);

    /// The time limit for the system's prompt.
    pub const PROMPT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Returns the address of the session bus from the environment, if it is set.
    #[must_use]
    pub fn session_bus(env: &Env) -> Option<String> {
        if let Ok(Some(address)) = env.text(&env::DBUS_SESSION_BUS_ADDRESS) {
            return Some(address.to_owned());
        }
        let folder = env.path(&env::XDG_RUNTIME_DIR).ok()??;
        // A relative one is invalid, and would name a socket of the working folder.
        let socket = folder.has_root().then(|| folder.join("bus"))?;
        Some(format!("unix:path={}", socket.to_str()?))
    }

    /// Returns the address of the session bus at its usual place, if one is there: editors and AI
    /// tools start programs without the variables of the session.
    #[cfg(unix)]
    #[must_use]
    pub fn usual_session_bus() -> Option<String> {
        let socket = usual_socket();
        std::path::Path::new(&socket)
            .exists()
            .then(|| format!("unix:path={socket}"))
    }

    /// There is no session bus on this system.
    #[cfg(not(unix))]
    #[must_use]
    pub fn usual_session_bus() -> Option<String> {
        None
    }
}

/// Returns the socket of the session bus of this user, where systemd makes it.
#[cfg(unix)]
pub(super) fn usual_socket() -> String {
    format!("/run/user/{}/bus", rustix::process::getuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_gives_bus_address() {
        let bus = |variables: &[(&'static env::EnvVar, &'static str)]| {
            KeyringSettings::session_bus(&Env::from_pairs(variables.iter().copied()))
        };
        let address = (&env::DBUS_SESSION_BUS_ADDRESS, "unix:path=/tmp/bus");
        let folder = (&env::XDG_RUNTIME_DIR, "/run/user/1");
        assert_eq!(bus(&[]), None);
        assert_eq!(bus(&[(&env::XDG_RUNTIME_DIR, "run")]), None);
        assert_eq!(bus(&[(&env::XDG_RUNTIME_DIR, "~/run")]), None);
        assert_eq!(bus(&[folder]).as_deref(), Some("unix:path=/run/user/1/bus"));
        assert_eq!(
            bus(&[folder, address]).as_deref(),
            Some("unix:path=/tmp/bus")
        );
    }
}
