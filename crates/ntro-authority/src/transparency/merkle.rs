//! Merkle trees of RFC 6962, section 2.1.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::tile::TILE_HEIGHT;

/// A hash of a leaf or of a subtree. Displays in base64, as notes and proofs have it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TreeHash(pub(crate) [u8; 32]);

impl TreeHash {
    /// Returns the hash of a leaf.
    pub(crate) fn leaf(entry: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[0]);
        context.update(entry);
        Self::of(context.finish().as_ref())
    }

    /// Returns the hash of a subtree with two children.
    pub(crate) fn parent(left: Self, right: Self) -> Self {
        let mut children = [1; 65];
        children[1..33].copy_from_slice(&left.0);
        children[33..].copy_from_slice(&right.0);
        Self::of(digest(&SHA256, &children).as_ref())
    }

    /// Returns the hash of a tree without leaves.
    pub(crate) fn empty() -> Self {
        Self::of(digest(&SHA256, &[]).as_ref())
    }

    /// Reads a hash in base64.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    fn of(digest: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest);
        Self(hash)
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeHash({self})")
    }
}

/// A hash that belongs into a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TileHash {
    /// The level of the tile.
    pub(crate) level: u8,
    /// The number of hashes before it in this level.
    pub(crate) position: u64,
    pub(crate) hash: TreeHash,
}

/// The perfect subtrees of a tree, the largest first: all that the tree needs to grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RightEdge {
    size: u64,
    hashes: Vec<TreeHash>,
}

impl RightEdge {
    /// Reads the edge of a tree with `size` leaves.
    pub(crate) fn parse(size: u64, bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks();
        let fits = rest.is_empty() && u32::try_from(hashes.len()) == Ok(size.count_ones());
        fits.then(|| Self {
            size,
            hashes: hashes.iter().copied().map(TreeHash).collect(),
        })
    }

    /// Returns the hashes one after another.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| hash.0).collect()
    }

    /// Returns the number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. Returns it, and the root of each tile that it completes.
    pub(crate) fn push(&mut self, leaf: TreeHash) -> Vec<TileHash> {
        let mut hash = leaf;
        let mut position = self.size;
        let mut height = 0;
        let mut added = vec![TileHash {
            level: 0,
            position,
            hash,
        }];
        while position & 1 == 1
            && let Some(left) = self.hashes.pop()
        {
            hash = TreeHash::parent(left, hash);
            position >>= 1;
            height += 1;
            if height % TILE_HEIGHT == 0 {
                added.push(TileHash {
                    level: height / TILE_HEIGHT,
                    position,
                    hash,
                });
            }
        }
        self.hashes.push(hash);
        self.size += 1;
        added
    }

    /// Returns the root of the tree.
    pub(crate) fn root(&self) -> TreeHash {
        let mut hashes = self.hashes.iter().rev().copied();
        match hashes.next() {
            Some(last) => hashes.fold(last, |right, left| TreeHash::parent(left, right)),
            None => TreeHash::empty(),
        }
    }
}

/// Returns the root of the tree with these leaves.
pub(crate) fn root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash::empty(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            TreeHash::parent(root(left), root(right))
        }
    }
}

/// Returns the inclusion proof of the leaf at `index`, its sibling first.
pub(crate) fn inclusion_path(leaves: &[TreeHash], index: usize) -> Vec<TreeHash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (inclusion_path(left, index), root(right))
    } else {
        (inclusion_path(right, index - middle), root(left))
    };
    path.push(sibling);
    path
}

/// Returns the proof that the tree begins with the tree of its first `size` leaves, `size` being
/// more than 0 and at most the number of leaves.
pub(crate) fn consistency_path(leaves: &[TreeHash], size: usize) -> Vec<TreeHash> {
    subproof(leaves, size, true)
}

/// `is_known` says whether the verifier knows the root of these leaves from the smaller tree.
fn subproof(leaves: &[TreeHash], size: usize, is_known: bool) -> Vec<TreeHash> {
    if size == leaves.len() || leaves.len() < 2 {
        return if is_known {
            Vec::new()
        } else {
            vec![root(leaves)]
        };
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, other) = if size <= middle {
        (subproof(left, size, is_known), root(right))
    } else {
        (subproof(right, size - middle, false), root(left))
    };
    path.push(other);
    path
}

/// Returns the number of leaves in the left child of a tree with two or more: the largest power of
/// two below their number.
fn split(leaves: usize) -> usize {
    1 << (leaves - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves of the test vectors of RFC 6962's reference implementation.
    const ENTRIES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    /// The roots of the first one, two, … of them.
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn hex(hash: TreeHash) -> String {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn leaves() -> Vec<TreeHash> {
        ENTRIES
            .iter()
            .map(|entry| TreeHash::leaf(&bytes(entry)))
            .collect()
    }

    fn numbered(count: u32) -> Vec<TreeHash> {
        (0..count)
            .map(|number| TreeHash::leaf(&number.to_be_bytes()))
            .collect()
    }

    #[test]
    fn roots_match_rfc_6962_vectors() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(root(&[])), empty);
        assert_eq!(hex(RightEdge::default().root()), empty);
        let mut edge = RightEdge::default();
        for (count, expected) in (1..).zip(ROOTS) {
            let leaves = leaves();
            edge.push(leaves[count - 1]);
            assert_eq!(hex(root(&leaves[..count])), expected, "{count} leaves");
            assert_eq!(hex(edge.root()), expected, "{count} leaves");
        }
    }

    #[test]
    fn proofs_match_rfc_6962_vectors() {
        let short = |path: Vec<TreeHash>| -> Vec<String> {
            path.into_iter()
                .map(|hash| hex(hash)[..8].to_owned())
                .collect()
        };
        let leaves = leaves();
        for (index, size, path) in [
            (0, 8, &["96a296d2", "5f083f0a", "6b47aaf2"][..]),
            (5, 8, &["bc1a0643", "ca854ea1", "d37ee418"]),
            (2, 3, &["fac54203"]),
            (1, 5, &["6e340b9c", "5f083f0a", "bc1a0643"]),
        ] {
            let found = inclusion_path(&leaves[..size], index);
            assert_eq!(short(found), path, "leaf {index} of {size}");
        }
        for (old, new, path) in [
            (1, 1, &[][..]),
            (1, 8, &["96a296d2", "5f083f0a", "6b47aaf2"]),
            (6, 8, &["0ebc5d34", "ca854ea1", "d37ee418"]),
            (2, 5, &["5f083f0a", "bc1a0643"]),
        ] {
            let found = consistency_path(&leaves[..new], old);
            assert_eq!(short(found), path, "{old} of {new}");
        }
    }

    #[test]
    fn edge_grows_as_the_tree() {
        let leaves = numbered(600);
        let mut edge = RightEdge::default();
        for (count, leaf) in (1..).zip(&leaves) {
            edge.push(*leaf);
            assert_eq!(edge.size(), count as u64);
            assert_eq!(edge.root(), root(&leaves[..count]));
            let read = RightEdge::parse(edge.size(), &edge.bytes());
            assert_eq!(read.as_ref(), Some(&edge));
            assert_eq!(RightEdge::parse(edge.size() + 2, &edge.bytes()[1..]), None);
        }
    }

    #[test]
    fn completed_tiles_have_their_roots() {
        let leaves = numbered(65_536);
        let mut edge = RightEdge::default();
        let added: Vec<_> = leaves.iter().flat_map(|leaf| edge.push(*leaf)).collect();
        let level = |level: u8| added.iter().filter(move |added| added.level == level);
        assert_eq!(level(0).count(), 65_536);
        assert_eq!(level(1).count(), 256);
        for (number, added) in level(1).enumerate() {
            assert_eq!(added.position, number as u64);
            assert_eq!(added.hash, root(&leaves[number * 256..][..256]));
        }
        let top: Vec<_> = level(2).copied().collect();
        let hash = edge.root();
        assert_eq!(
            top,
            [TileHash {
                level: 2,
                position: 0,
                hash
            }]
        );
    }
}
