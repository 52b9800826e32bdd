use super::{Begun, Change, Error, Journal, KeyLocation, Migrator, Outcome};
use crate::config::OntoraFile;
use crate::ops::{self, ConfigFiles};
use crate::resolve::{self, Source, StoredKey};
use crate::secrets::{self, Item, StoreKind};
use ntro_base::{
    ApiKey, ConnectionName, Host, HostError, KeyPrefix, Origin, Policy, Provider, TenantSlug,
};

/// The locations of a connection's key and everything else that is known before the first change.
pub(super) struct MigrationPlan {
    pub(super) files: ConfigFiles,
    pub(super) journal: Journal,
    pub(super) name: ConnectionName,
    pub(super) item: Item,
    pub(super) provider: Provider,
    pub(super) policy: Policy,
    /// The key, identical in all locations of `found`.
    pub(super) key: Option<ApiKey>,
    /// Locations with copies that a login has replaced since the move began.
    pub(super) stale: Vec<KeyLocation>,
    /// The connection to create, if it does not exist.
    pub(super) new: Option<NewConnection>,
    found: Vec<KeyLocation>,
    to: StoreKind,
    keep: bool,
    /// Whether the connection already names the new store.
    settled: bool,
    earlier: Option<(StoreKind, Origin)>,
}

/// A connection to create for an imported key.
pub(super) struct NewConnection {
    pub(super) host: Host,
    pub(super) default_tenant: Option<TenantSlug>,
}

/// The data about a connection in the files.
struct Known {
    item: Item,
    provider: Provider,
    /// The location that the connection names; `None` for a new connection and for one that another
    /// program has logged in.
    stored: Option<StoredKey>,
    earlier: Option<(StoreKind, Origin)>,
    new: Option<NewConnection>,
}

impl Migrator<'_> {
    /// Reads every location that may hold the key of a connection.
    pub(super) fn plan(
        &self,
        name: &ConnectionName,
        import: Option<bool>,
    ) -> Result<MigrationPlan, Error> {
        let files = ConfigFiles::read(self.home)?;
        ops::require_settled(self.home, name)?;
        let journal = Journal::read(&self.home.migrations())?;
        let file = match (import, self.ontora) {
            (Some(_), Some(path)) => OntoraFile::read(path)?,
            _ => None,
        };
        let imported = ontora_key(file.as_ref())?;
        let begun = journal.get(name.as_str()).cloned();
        if let (Some(_), None, None) = (import, &imported, &begun) {
            let path = self
                .ontora
                .unwrap_or_else(|| ".ontora/config.yaml".as_ref());
            return Err(Error::NothingToImport {
                path: path.to_owned(),
            });
        }
        if let (Some(false), Some(file)) = (import, &file) {
            // Fails before any change if the key cannot be removed from the file.
            file.without_key()?;
        }
        let known = self.known(&files, name, file.as_ref().filter(|_| imported.is_some()))?;
        let begun = begun.filter(|begun| begun.origin == known.item.origin);

        let mut places = Vec::new();
        places.extend(
            known
                .stored
                .as_ref()
                .map(|stored| KeyLocation::Store(stored.kind)),
        );
        places.push(KeyLocation::Store(StoreKind::Plaintext));
        if let Some(begun) = &begun {
            places.extend(
                begun
                    .from
                    .iter()
                    .filter(|place| **place != KeyLocation::Ontora),
            );
            places.push(KeyLocation::Store(begun.to));
        }
        let own = places.contains(&KeyLocation::Store(self.to));
        places.push(KeyLocation::Store(self.to));
        // A killed run may have left a partial write in the target store.
        let half_written = begun.as_ref().map(|begun| begun.to);
        let mut keys: Vec<(KeyLocation, ApiKey)> = Vec::new();
        let mut asked = Vec::new();
        let mut unreadable = None;
        for place in places {
            if let (KeyLocation::Store(kind), false) = (place, asked.contains(&place)) {
                asked.push(place);
                match self.stored_in(kind, &known) {
                    Err(error) if half_written == Some(kind) && error.is_no_key() => {
                        unreadable = Some(error);
                    }
                    answer => keys.extend(answer?.map(|key| (place, key))),
                }
            }
        }
        keys.extend(imported.map(|key| (KeyLocation::Ontora, key)));
        if let (true, Some(error)) = (keys.is_empty(), unreadable) {
            return Err(error);
        }

        let stale = begun.map_or_else(Vec::new, |begun| overtaken(&begun, &files, name, &keys));
        keys.retain(|(place, _)| !stale.contains(place));
        if keys.iter().any(|(_, key)| *key != keys[0].1) {
            return Err(Error::Conflict {
                name: name.clone(),
                keys: keys
                    .iter()
                    .map(|(place, key)| (key.prefix(), *place))
                    .collect(),
                to: self.to,
            });
        }
        // Ignores a key found only in the target store: no record links it to this connection.
        let is_own = own
            || keys
                .iter()
                .any(|(place, _)| *place != KeyLocation::Store(self.to));
        if !is_own {
            keys.clear();
        }
        let settled = known
            .stored
            .as_ref()
            .is_some_and(|stored| stored.kind == self.to);
        if self.to == StoreKind::Plaintext && !keys.is_empty() && known.new.is_none() {
            self.beside_its_host(&files, &known.item)?;
        }
        let policy = files.inputs(self.home).facts(name).policy();
        Ok(MigrationPlan {
            name: name.clone(),
            policy,
            item: known.item,
            provider: known.provider,
            key: keys.first().map(|(_, key)| key.clone()),
            found: keys.iter().map(|(place, _)| *place).collect(),
            stale,
            new: known.new,
            to: self.to,
            keep: import == Some(true),
            settled,
            earlier: known.earlier,
            files,
            journal,
        })
    }

    fn known(
        &self,
        files: &ConfigFiles,
        name: &ConnectionName,
        file: Option<&OntoraFile>,
    ) -> Result<Known, Error> {
        let host = file.map(ontora_host).transpose()?;
        if !files.config.connections.contains_key(name.as_str())
            && let (Some(host), Some(file)) = (&host, file)
        {
            let tenant = file.workspace_id().and_then(|id| id.parse().ok());
            return Ok(Known {
                item: Item::new(name.clone(), host.origin()),
                provider: Provider::Ontora,
                stored: None,
                earlier: None,
                new: Some(NewConnection {
                    host: host.clone(),
                    default_tenant: tenant,
                }),
            });
        }
        files.require(name)?;
        let inputs = files.inputs(self.home);
        let facts = inputs.facts(name);
        let stored = facts.stored()?.clone();
        let provider = inputs.alone(name).provider()?.value;
        let known = if facts.is_moved() {
            Known {
                item: Item::new(name.clone(), facts.configured()?.clone()),
                provider,
                stored: None,
                earlier: Some((stored.kind, stored.item.origin)),
                new: None,
            }
        } else {
            Known {
                item: stored.item.clone(),
                provider,
                stored: Some(stored),
                earlier: None,
                new: None,
            }
        };
        match host.map(|host| host.origin()) {
            Some(wanted) if wanted != known.item.origin => Err(ops::Error::OtherOrigin {
                name: name.clone(),
                existing: known.item.origin.to_string(),
                wanted,
            }
            .into()),
            _ => Ok(known),
        }
    }

    fn stored_in(&self, kind: StoreKind, known: &Known) -> Result<Option<ApiKey>, Error> {
        let unrecorded = known
            .stored
            .as_ref()
            .is_some_and(|stored| stored.kind == kind && !stored.recorded);
        match self.stores.get(kind).get(&known.item) {
            // No record says that a key was stored: a missing keyring counts as an empty one.
            Err(secrets::Error::Absent { .. }) if unrecorded && kind != self.to => Ok(None),
            answer => Ok(answer?),
        }
    }

    /// Fails unless the key belongs to the connection's host: in plain text only that host binds
    /// it.
    fn beside_its_host(&self, files: &ConfigFiles, item: &Item) -> Result<(), Error> {
        let facts = files.inputs(self.home).facts(&item.connection);
        let wanted = facts.configured()?;
        if *wanted == item.origin {
            return Ok(());
        }
        Err(resolve::Error::KeyBoundElsewhere {
            connection: item.connection.clone(),
            bound: item.origin.clone(),
            wanted: wanted.as_str().into(),
            source_of_value: Source::Config {
                path: self.home.config(),
                key: format!("connections.{}.host", item.connection),
            },
        }
        .into())
    }
}

impl MigrationPlan {
    /// Returns whether the new store already has the key.
    pub(super) fn has_target(&self) -> bool {
        self.found.contains(&KeyLocation::Store(self.to))
    }

    /// Returns the locations to erase the key from.
    pub(super) fn sources(&self) -> Vec<KeyLocation> {
        let others = self.others().into_iter();
        others
            .filter(|place| *place != KeyLocation::Ontora || !self.keep)
            .collect()
    }

    /// Returns the locations that have the key, apart from the new store.
    pub(super) fn others(&self) -> Vec<KeyLocation> {
        let found = self.found.iter().copied();
        found
            .filter(|place| *place != KeyLocation::Store(self.to))
            .collect()
    }

    /// Returns the journal entry to write before the first change.
    pub(super) fn begun(&self) -> Begun {
        Begun {
            from: self.others(),
            to: self.to,
            origin: self.item.origin.clone(),
            key_prefix: self
                .key
                .as_ref()
                .map_or_else(|| KeyPrefix::recorded(""), ApiKey::prefix),
            keep: self.keep,
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        let change = match &self.key {
            None => Change::NoKey,
            Some(_) if self.settled && self.has_target() && self.sources().is_empty() => {
                Change::AlreadyThere
            }
            Some(_) => Change::Moved,
        };
        Outcome {
            change,
            from: self.others(),
            key_prefix: self.key.as_ref().map(ApiKey::prefix),
            left_behind: None,
            earlier: self.earlier.clone(),
        }
    }
}

/// Returns the key in the file of Ontora's official client.
pub(super) fn ontora_key(file: Option<&OntoraFile>) -> Result<Option<ApiKey>, Error> {
    let Some((file, key)) = file.and_then(|file| Some((file, file.api_key()?))) else {
        return Ok(None);
    };
    match key.parse() {
        Ok(key) => Ok(Some(key)),
        Err(error) => Err(file.bad_api_key(&error.to_string()).into()),
    }
}

fn ontora_host(file: &OntoraFile) -> Result<Host, Error> {
    let url = file.base_url();
    let host = url.unwrap_or(Provider::Ontora.production_host()).parse();
    host.map_err(|error: HostError| file.bad_base_url(&error.to_string()).into())
}

/// Returns the locations with copies of the moved key if a login has replaced it: the key in the
/// login record differs from the journal's and is newer.
fn overtaken(
    begun: &Begun,
    files: &ConfigFiles,
    name: &ConnectionName,
    keys: &[(KeyLocation, ApiKey)],
) -> Vec<KeyLocation> {
    let Some(login) = files.records.get(name.as_str()) else {
        return Vec::new();
    };
    if login.key_prefix == begun.key_prefix.as_str() {
        return Vec::new();
    }
    let copies = keys.iter().filter(|(place, key)| match place {
        KeyLocation::Store(StoreKind::Plaintext) | KeyLocation::Ontora => false,
        KeyLocation::Store(kind) => {
            kind.as_str() != login.store
                && (begun.to == *kind || begun.from.contains(place))
                && key.prefix() == begun.key_prefix
        }
    });
    copies.map(|(place, _)| *place).collect()
}
