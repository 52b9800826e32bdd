//! systemd's notifications: the state of the service, and its watchdog.

use std::convert::Infallible;
#[cfg(target_os = "linux")]
use std::time::Duration;

#[cfg(target_os = "linux")]
use sd_notify::NotifyState;

/// The service manager that has started the process, if it waits for notifications.
#[derive(Clone, Copy)]
pub(super) struct ServiceManager {
    is_there: bool,
}

#[cfg(target_os = "linux")]
impl ServiceManager {
    pub(super) fn from_env(env: &ntro_base::env::Env) -> Self {
        let socket = env.text(&ntro_base::env::NOTIFY_SOCKET);
        Self {
            is_there: socket.is_ok_and(|socket| socket.is_some()),
        }
    }

    /// Returns whether a service manager has started the process.
    pub(super) fn is_there(self) -> bool {
        self.is_there
    }

    pub(super) fn ready(self) {
        self.notify(&[NotifyState::Ready]);
    }

    pub(super) fn stopping(self) {
        self.notify(&[NotifyState::Stopping]);
    }

    pub(super) fn reloading(self) {
        // The clock cannot fail; systemd needs its time here.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.notify(&[NotifyState::Reloading, now]);
        }
    }

    /// Shows that the process runs, as often as the service manager asks for. Never ends.
    pub(super) async fn keep_alive(self) -> Infallible {
        let Some(limit) = sd_notify::watchdog_enabled().filter(|_| self.is_there) else {
            return std::future::pending().await;
        };
        loop {
            self.notify(&[NotifyState::Watchdog]);
            tokio::time::sleep((limit / 2).max(Duration::from_millis(1))).await;
        }
    }

    fn notify(self, state: &[NotifyState<'_>]) {
        if self.is_there
            && let Err(error) = sd_notify::notify(state)
        {
            tracing::warn!(%error, "the service manager cannot be notified");
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl ServiceManager {
    pub(super) fn from_env(_env: &ntro_base::env::Env) -> Self {
        Self { is_there: false }
    }

    pub(super) fn is_there(self) -> bool {
        self.is_there
    }

    pub(super) fn ready(self) {}

    pub(super) fn stopping(self) {}

    pub(super) fn reloading(self) {}

    pub(super) async fn keep_alive(self) -> Infallible {
        std::future::pending().await
    }
}
