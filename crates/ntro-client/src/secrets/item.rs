use ntro_base::{ConnectionName, Origin};

/// The connection and the one origin that a key is stored under.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Item {
    /// The connection that the key belongs to.
    pub connection: ConnectionName,
    /// The origin that the key may be sent to.
    pub origin: Origin,
}

impl Item {
    /// Makes the item of a connection at an origin.
    #[must_use]
    pub fn new(connection: ConnectionName, origin: Origin) -> Self {
        Self { connection, origin }
    }

    /// Returns the account name: `production@https://api.ntropii.com`.
    #[must_use]
    pub fn account(&self) -> String {
        format!("{}@{}", self.connection, self.origin)
    }

    /// Returns the item of an account name, if it has our format.
    #[must_use]
    pub fn from_account(account: &str) -> Option<Self> {
        // The name of a connection may contain an `@`, an origin never does.
        let (connection, origin) = account.rsplit_once('@')?;
        let item = Self::new(connection.parse().ok()?, origin.parse().ok()?);
        // Only the canonical spelling: another one would be listed but not found.
        (item.account() == account).then_some(item)
    }

    /// Returns the label shown by keyring applications.
    #[must_use]
    pub fn label(&self) -> String {
        format!("ntro: {} ({})", self.connection, self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_parses_back() {
        for (connection, origin, account) in [
            (
                "production",
                "https://api.ntropii.com:443/v1",
                "production@https://api.ntropii.com",
            ),
            ("me@work", "http://[::1]:3000", "me@work@http://[::1]:3000"),
        ] {
            let item = Item::new(connection.parse().unwrap(), origin.parse().unwrap());
            assert_eq!(item.account(), account);
            assert_eq!(Item::from_account(account), Some(item));
        }
        for foreign in [
            "",
            "production",
            "@https://a.example",
            "a@",
            "a@ftp://b",
            "a@https://b.example/",
            "a@https://B.example",
        ] {
            assert_eq!(Item::from_account(foreign), None, "{foreign}");
        }
    }
}
