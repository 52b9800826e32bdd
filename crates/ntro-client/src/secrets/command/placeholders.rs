use super::super::Item;

/// Replaces the placeholders in an argument with the parts of an item.
///
/// Makes a single pass: a connection may be named `{origin}`.
pub(super) fn fill(argument: &str, item: &Item) -> String {
    let mut filled = String::with_capacity(argument.len() + 64);
    let mut rest = argument;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        filled.push_str(before);
        let value = from.find('}').and_then(|end| {
            let value = match &from[1..end] {
                "connection" => item.connection.to_string(),
                "origin" => item.origin.to_string(),
                "account" => item.account(),
                "item" => plain_name(item),
                _ => return None,
            };
            Some((value, end + 1))
        });
        match value {
            Some((value, end)) => {
                filled.push_str(&value);
                rest = &from[end..];
            }
            None => {
                filled.push('{');
                rest = &from[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// Returns the account with only letters, digits, `.`, `-` and `_`; every other byte becomes `_`
/// and two hexadecimal digits.
fn plain_name(item: &Item) -> String {
    let mut name = String::new();
    for byte in item.account().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => name.push(char::from(byte)),
            byte => name.push_str(&format!("_{byte:02x}")),
        }
    }
    name
}

/// Returns the item that a line of a list names, in either spelling; most lines name none.
pub(super) fn item_of(line: &str) -> Option<Item> {
    let line = line.trim();
    Item::from_account(line).or_else(|| {
        let item = Item::from_account(&account_of(line)?)?;
        (plain_name(&item) == line).then_some(item)
    })
}

fn account_of(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(connection: &str) -> Item {
        Item::new(
            connection.parse().unwrap(),
            "http://[::1]:3000".parse().unwrap(),
        )
    }

    #[test]
    fn placeholders_are_filled_once() {
        let item = item("{origin} me");
        for (argument, filled) in [
            ("plain", "plain"),
            ("{connection}", "{origin} me"),
            ("a/{origin}/b", "a/http://[::1]:3000/b"),
            ("{account}{", "{origin} me@http://[::1]:3000{"),
            (
                "{{item}}",
                "{_7borigin_7d_20me_40http_3a_2f_2f_5b_3a_3a1_5d_3a3000}",
            ),
            ("{}{key}{ item}}", "{}{key}{ item}}"),
        ] {
            assert_eq!(fill(argument, &item), filled, "{argument}");
        }
    }

    #[test]
    fn list_accepts_both_spellings() {
        let item = item("a_b@c");
        assert_eq!(item_of(" a_b@c@http://[::1]:3000 "), Some(item.clone()));
        assert_eq!(item_of(&plain_name(&item)), Some(item));
        for foreign in ["", "Keys", "----", "production", "_4", "_zz", "a_40http_3A"] {
            assert_eq!(item_of(foreign), None, "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn plain_name_parses_back(connection in "[^-\\p{C}\\p{Z}][^\\p{C}\\p{Z}]{0,30}") {
            // Some characters outside these classes are invisible as well.
            prop_assume!(connection.parse::<ntro_base::ConnectionName>().is_ok());
            let item = item(&connection);
            let name = plain_name(&item);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
            prop_assert_eq!(item_of(&name), Some(item));
        }
    }
}
