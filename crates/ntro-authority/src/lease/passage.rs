use std::future::Future;

tokio::task_local! {
    static PASSAGE: Passage;
}

/// The proof that the memory has every change that was committed before the proof was asked for. A
/// look-up after it needs no lease.
#[derive(Debug)]
pub(crate) struct Passage(());

impl Passage {
    pub(super) const fn new() -> Self {
        Self(())
    }

    /// Runs the future of a request that came before the proof was asked for.
    pub(crate) async fn hold<T>(self, request: impl Future<Output = T>) -> T {
        PASSAGE.scope(self, request).await
    }

    /// Returns whether the request that runs now has a proof.
    pub(crate) fn is_held() -> bool {
        PASSAGE.try_with(|_| ()).is_ok()
    }
}
