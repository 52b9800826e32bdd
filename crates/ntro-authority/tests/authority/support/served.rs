use std::net::SocketAddr;

use ntro_authority::{AuthoritySettings, Limits, Listener, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::App;

/// An authority that serves on a free port until `end`.
pub(crate) struct Served {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    pub(crate) end: oneshot::Sender<()>,
    pub(crate) serving: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(settings: AuthoritySettings) -> Self {
        Self::start_on(settings, Listener::from).await
    }

    pub(crate) async fn start_on(
        settings: AuthoritySettings,
        listener: impl FnOnce(TcpListener) -> Listener,
    ) -> Self {
        let app = App::start_with(AuthoritySettings {
            limits: Limits::OFF,
            ..settings
        })
        .await;
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let listener = listener(socket);
        let (end, ended) = oneshot::channel();
        let authority = app.authority.clone();
        let serving = tokio::spawn(async move {
            let end = async move { ended.await.unwrap() };
            serve(listener, authority, end).await.unwrap();
        });
        Self {
            app,
            address,
            end,
            serving,
        }
    }
}
