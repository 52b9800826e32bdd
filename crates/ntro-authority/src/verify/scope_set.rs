use ntro_base::Scope;

/// The scopes of a key, in one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScopeSet(u8);

impl ScopeSet {
    const EVERY: Self = Self(bit(Scope::All) * 2 - 1);
    const LISTED: Self = Self(bit(Scope::All) - 1);

    /// Adds a scope.
    pub(crate) const fn insert(&mut self, scope: Scope) {
        self.0 |= bit(scope);
    }

    /// Returns whether a key with these scopes may use all the required ones.
    pub(crate) const fn grants(self, required: Self) -> bool {
        let listed = self.0 & Self::LISTED.0;
        let granted = if self.0 & bit(Scope::All) != 0 || listed == Self::LISTED.0 {
            Self::EVERY.0
        } else {
            listed
        };
        granted & required.0 == required.0
    }

    /// Returns the scopes, `*` last.
    pub(crate) fn iter(self) -> impl Iterator<Item = Scope> {
        let all = Scope::ALL.into_iter();
        all.filter(move |scope| self.0 & bit(*scope) != 0)
    }
}

impl<'a> FromIterator<&'a Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = &'a Scope>>(scopes: I) -> Self {
        let mut set = Self::default();
        scopes.into_iter().for_each(|scope| set.insert(*scope));
        set
    }
}

const fn bit(scope: Scope) -> u8 {
    1 << scope as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_grants_every_scope() {
        let set = |scopes: &[Scope]| scopes.iter().collect::<ScopeSet>();
        let listed = &Scope::ALL[..4];
        for scope in Scope::ALL {
            assert!(set(&[Scope::All]).grants(set(&[scope])));
            assert!(set(listed).grants(set(&[scope])));
            assert!(!set(&[]).grants(set(&[scope])));
            assert!(set(&[scope]).grants(set(&[])));
        }
        let exports = set(&[Scope::Exports]);
        assert!(exports.grants(exports));
        assert!(!exports.grants(set(&[Scope::Exports, Scope::Mcp])));
        assert!(!exports.grants(set(&[Scope::All])));
        let names: Vec<_> = set(&[Scope::All, Scope::Mcp]).iter().collect();
        assert_eq!(names, [Scope::Mcp, Scope::All]);
    }
}
