//! Prints who the key of the active connection belongs to.
//!
//! ```sh
//! cargo run --example whoami
//! NTRO_CONNECTION=production cargo run --example whoami
//! ```

use ntro::{Connection, Error, Options};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "printing is what the example is for")]
async fn main() -> Result<(), Error> {
    let me = Connection::resolve(Options::from_env())?
        .client()
        .whoami()
        .await?;
    println!("{}", me.name);
    for tenant in me.tenants.unwrap_or_default() {
        println!("  {}", tenant.slug);
    }
    Ok(())
}
