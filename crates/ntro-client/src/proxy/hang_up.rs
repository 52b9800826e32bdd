//! Notices that a program has closed its connection while nothing is read from it.

#[cfg(unix)]
pub(super) use unix::HangUp;
#[cfg(not(unix))]
pub(super) use unsupported::HangUp;

#[cfg(unix)]
mod unix {
    use std::os::fd::{AsFd, OwnedFd};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// The time between two looks.
    const INTERVAL: Duration = Duration::from_millis(250);

    /// A second descriptor of a connection.
    pub(in super::super) struct HangUp(OwnedFd);

    impl HangUp {
        pub(in super::super) fn of(connection: &impl AsFd) -> Option<Self> {
            connection.as_fd().try_clone_to_owned().ok().map(Self)
        }

        /// Returns once the other end is closed, even if bytes that arrived before are unread.
        pub(in super::super) async fn wait(&self) {
            #[cfg(target_os = "linux")]
            const CLOSED: PollFlags = PollFlags::RDHUP;
            #[cfg(not(target_os = "linux"))]
            const CLOSED: PollFlags = PollFlags::HUP;

            let is_open = || {
                let mut source = [PollFd::new(&self.0, CLOSED)];
                matches!(poll(&mut source, Some(&Timespec::default())), Ok(0))
            };
            while is_open() {
                tokio::time::sleep(INTERVAL).await;
            }
        }
    }
}

#[cfg(not(unix))]
mod unsupported {
    /// Does not exist on this system, where no call waits for a person.
    pub(in super::super) struct HangUp(());

    impl HangUp {
        pub(in super::super) fn of<T>(_: &T) -> Option<Self> {
            None
        }

        pub(in super::super) async fn wait(&self) {
            std::future::pending::<()>().await
        }
    }
}
