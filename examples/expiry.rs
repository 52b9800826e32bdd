//! Prints when the key of each named connection expires, and why where that is not known.
//!
//! ```sh
//! cargo run --example expiry -- production staging
//! ```

use ntro::{Connection, ErrorKind, Expiry, Options};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "printing is what the example is for")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for name in std::env::args().skip(1) {
        match expiry(&name).await {
            Ok(Expiry::At(at)) => println!("{name}: expires at {at}"),
            Ok(Expiry::Never) => println!("{name}: does not expire"),
            Ok(Expiry::Unknown) => println!("{name}: the server does not say"),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("{name}: the server does not describe keys");
            }
            Err(error) => println!("{name}: {error}"),
        }
    }
    Ok(())
}

async fn expiry(name: &str) -> Result<Expiry, ntro::Error> {
    let options = Options::from_env();
    let options = match name.parse() {
        Ok(name) => options.connection(name),
        Err(_) => options,
    };
    let connection = Connection::resolve(options)?;
    Ok(connection.client().current_key().await?.expires)
}
