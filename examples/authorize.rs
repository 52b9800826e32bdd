//! Serves a greeting to the holders of keys with the scope `exports`.
//!
//! ```sh
//! cargo run --example authorize --features tower -- http://127.0.0.1:3000
//! ```

use axum::routing::get;
use axum::{Extension, Router};
use ntro::authorize::{AuthorizeLayer, AuthorizedKey};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the address is the example's output")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let authority = std::env::args().nth(1).ok_or("name the authority")?;
    let keys = AuthorizeLayer::new(authority.parse()?)?.scope("exports");
    let router = Router::new().route("/", get(greet)).layer(keys);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn greet(Extension(key): Extension<AuthorizedKey>) -> String {
    format!("Hello, {}\n", key.tenant())
}
