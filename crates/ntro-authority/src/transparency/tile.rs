//! The paths of tiles (`c2sp.org/tlog-tiles`).

use std::fmt;

/// The height of the subtree that a tile has the leaves of.
pub(super) const TILE_HEIGHT: u8 = 8;
/// The most hashes, or entries, of one tile.
pub(crate) const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// A tile, or a bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TilePath {
    /// The level; `None` for a bundle of entries.
    pub(crate) level: Option<u8>,
    /// The number of tiles before it in its level.
    pub(crate) number: u64,
    /// The number of its hashes, at most [`TILE_WIDTH`].
    pub(crate) width: u64,
}

impl TilePath {
    /// Reads the path after `tile/`.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let level = match level {
            "entries" => None,
            level => Some(decimal(level).filter(|level| *level < 64)?),
        };
        let (rest, width) = match rest.split_once(".p/") {
            Some((rest, width)) => (
                rest,
                decimal(width).filter(|width| (1..TILE_WIDTH).contains(width))?,
            ),
            None => (rest, TILE_WIDTH),
        };
        let mut number: u64 = 0;
        let mut parts = rest.split('/').peekable();
        while let Some(part) = parts.next() {
            let digits = match parts.peek() {
                Some(_) => part.strip_prefix('x')?,
                None => part,
            };
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            number = number
                .checked_mul(1_000)?
                .checked_add(digits.parse().ok()?)?;
        }
        let tile = Self {
            level: level.map(|level| u8::try_from(level).unwrap_or(u8::MAX)),
            number,
            width,
        };
        // A number has one spelling.
        (tile.to_string() == path).then_some(tile)
    }

    /// Returns the position of its first hash in its level.
    pub(crate) fn first(self) -> Option<u64> {
        self.number.checked_mul(TILE_WIDTH)
    }

    /// Returns whether a tree of `size` leaves has all of its hashes.
    pub(crate) fn is_in(self, size: u64) -> bool {
        let height = u32::from(self.level.unwrap_or(0)) * u32::from(TILE_HEIGHT);
        let hashes = size.checked_shr(height).unwrap_or(0);
        let end = self.first().and_then(|first| first.checked_add(self.width));
        end.is_some_and(|end| end <= hashes)
    }
}

/// Reads a number without a sign and without leading zeros.
fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_plain)?;
    (text.len() == 1 || !text.starts_with('0')).then_some(number)
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "{level}/")?,
            None => f.write_str("entries/")?,
        }
        let digits = self.number.to_string();
        let digits = format!("{digits:0>width$}", width = digits.len().div_ceil(3) * 3);
        for (index, part) in digits.as_bytes().chunks(3).enumerate() {
            let is_last = (index + 1) * 3 == digits.len();
            let prefix = if is_last { "" } else { "x" };
            let end = if is_last { "" } else { "/" };
            write!(f, "{prefix}{}{end}", String::from_utf8_lossy(part))?;
        }
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tile_path_has_one_spelling() {
        for (path, level, number, width) in [
            ("0/000", Some(0), 0, 256),
            ("1/x001/x234/067", Some(1), 1_234_067, 256),
            ("0/999.p/1", Some(0), 999, 1),
            ("entries/x001/000.p/255", None, 1_000, 255),
            ("63/000", Some(63), 0, 256),
        ] {
            let tile = TilePath {
                level,
                number,
                width,
            };
            assert_eq!(TilePath::parse(path), Some(tile), "{path}");
            assert_eq!(tile.to_string(), path);
        }
        for path in [
            "",
            "0",
            "0/",
            "0/0",
            "0/00",
            "0/0000",
            "0/x000",
            "0/x000/000",
            "0/000/000",
            "00/000",
            "64/000",
            "-1/000",
            "+1/000",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "0/000.p",
            "entries/000.p/+1",
            "Entries/000",
            "0/x001/x002",
            "0/000/",
            "/0/000",
            "0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(TilePath::parse(path), None, "{path}");
        }
    }

    #[test]
    fn tree_of_70000_has_its_tiles() {
        let is_in = |path: &str| TilePath::parse(path).unwrap().is_in(70_000);
        for (path, beyond) in [
            ("0/272", "0/273"),
            ("0/273.p/112", "0/273.p/113"),
            ("entries/273.p/112", "entries/274.p/1"),
            ("1/000", "1/001"),
            ("1/001.p/17", "1/001.p/18"),
            ("2/000.p/1", "2/000.p/2"),
        ] {
            assert!(is_in(path), "{path}");
            assert!(!is_in(beyond), "{beyond}");
        }
        assert!(!is_in("3/000.p/1") && !is_in("63/000.p/1"));
    }
}
