use std::path::Path;

use super::Error;
use super::error::read_text;
use super::schema::Wire;

/// Returns the unknown keys of `config.toml`, dotted and sorted: mistyped ones, and those of other
/// programs. A missing file has none.
pub fn unknown_keys(path: &Path) -> Result<Vec<String>, Error> {
    let Some(text) = read_text(path)? else {
        return Ok(Vec::new());
    };
    let invalid = |error: toml::de::Error| {
        let (span, message) = (error.span(), error.message().to_owned());
        Error::invalid(path, &text, span, &message)
    };
    let mut unknown = Vec::new();
    let deserializer = toml::Deserializer::parse(&text).map_err(invalid)?;
    let _: Wire = serde_ignored::deserialize(deserializer, |key| unknown.push(key.to_string()))
        .map_err(invalid)?;
    Ok(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_listed_with_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        assert_eq!(unknown_keys(&path).unwrap(), Vec::<String>::new());
        std::fs::write(
            &path,
            "defualt_connection_name = 'a'\n[connections.a]\nhost = 'x'\nproviders = 'y'\n[other]\nkey = 1\n",
        )
        .unwrap();
        assert_eq!(
            unknown_keys(&path).unwrap(),
            [
                "connections.a.providers",
                "defualt_connection_name",
                "other"
            ]
        );
        std::fs::write(&path, "[connections.a]\nhost = [\n").unwrap();
        let error = unknown_keys(&path).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
