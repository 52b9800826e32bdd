use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use reqwest::ClientBuilder;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::env::{self, Env, EnvVar};

/// More than the certificates of every system together.
const LARGEST: u64 = 16 << 20;

/// The variables that name trusted certificates instead of the system's. Only read on systems where
/// certificates are files.
#[derive(Clone, Debug, Default)]
pub struct CustomRoots {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

/// A variable that names no usable certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{variable}` names `{}`, {reason}", path.display())]
pub struct BadRoots {
    /// Its name.
    pub variable: &'static str,
    path: PathBuf,
    reason: String,
}

impl CustomRoots {
    /// Takes the paths. Reads no file.
    #[must_use]
    pub fn from_env(env: &Env) -> Self {
        if cfg!(any(target_os = "macos", windows)) {
            return Self::default();
        }
        let path = |variable| match env.path(variable) {
            Ok(path) => path,
            // Reported as a fault when it is needed.
            Err(unexpanded) => Some(unexpanded.path),
        };
        let folders = path(&env::SSL_CERT_DIR);
        let folders = folders.iter().flat_map(std::env::split_paths);
        Self {
            file: path(&env::SSL_CERT_FILE),
            folders: folders
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
        }
    }

    /// Makes a client trust these certificates alone, or the system's where no variable is set.
    #[cfg(not(any(target_os = "macos", windows)))]
    pub(super) fn trusted_by(
        &self,
        builder: ClientBuilder,
        http2: bool,
    ) -> Result<ClientBuilder, String> {
        let certificates = match (&self.file, &*self.folders) {
            (None, []) => {
                let system = openssl_probe::probe();
                load(system.cert_file.as_deref(), &system.cert_dir)
            }
            (file, folders) => load(file.as_deref(), folders),
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            return Err("no certificate of an authority was found".to_owned());
        }
        Ok(builder.tls_backend_preconfigured(super::client::tls_config(roots, http2)?))
    }

    /// Leaves a client as it is: the system checks certificates itself.
    #[cfg(any(target_os = "macos", windows))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as elsewhere"
    )]
    pub(super) fn trusted_by(
        &self,
        builder: ClientBuilder,
        _http2: bool,
    ) -> Result<ClientBuilder, String> {
        Ok(builder)
    }

    /// Returns the variables that are set.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        let named = |is_set: bool, variable: &EnvVar| is_set.then_some(variable.name);
        [
            named(self.file.is_some(), &env::SSL_CERT_FILE),
            named(!self.folders.is_empty(), &env::SSL_CERT_DIR),
        ]
        .into_iter()
        .flatten()
    }

    /// Reads the files and returns each variable that names no usable certificates.
    pub fn faults(&self) -> impl Iterator<Item = BadRoots> {
        let fault = |variable: &EnvVar, path: &Path, check: fn(&Path) -> Result<(), String>| {
            let reason = match path.starts_with("~") {
                true => "and `~` is not expanded there".to_owned(),
                false => check(path).err()?,
            };
            Some(BadRoots {
                variable: variable.name,
                path: path.to_owned(),
                reason,
            })
        };
        let file = self.file.iter();
        let file = file.filter_map(move |path| fault(&env::SSL_CERT_FILE, path, check_file));
        let folders = self.folders.iter();
        file.chain(folders.filter_map(move |path| fault(&env::SSL_CERT_DIR, path, check_folder)))
    }
}

/// Reads the certificates of a file and of folders. An unreadable one counts as empty.
#[cfg(not(any(target_os = "macos", windows)))]
fn load(file: Option<&Path>, folders: &[PathBuf]) -> Vec<CertificateDer<'static>> {
    use rustls_native_certs::load_certs_from_paths;

    let is_usable = |path: &&Path| !path.starts_with("~");
    let mut folders = folders.iter().map(PathBuf::as_path).filter(is_usable);
    // Together with the first folder, which often has a link to the file.
    let first = load_certs_from_paths(file.filter(is_usable), folders.next());
    let others = folders.flat_map(|folder| load_certs_from_paths(None, Some(folder)).certs);
    first.certs.into_iter().chain(others).collect()
}

fn check_file(path: &Path) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("which cannot be read: {error}");
    let kind = fs::metadata(path).map_err(unreadable)?;
    if kind.is_dir() {
        return Err(format!("a folder: `{}` names one", env::SSL_CERT_DIR.name));
    }
    if !kind.is_file() {
        return Err("which is not a file".to_owned());
    }
    let pem = read(path).map_err(unreadable)?;
    if pem.is_empty() {
        return Err("which is empty".to_owned());
    }
    if holds_certificate(&pem) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&pem);
    Err(match &*text {
        _ if pem.starts_with(&[0x30]) => {
            "which is not in PEM but in DER: `openssl x509 -inform der` converts a certificate"
        }
        text if text.contains("-----BEGIN CERTIFICATE-----") => "whose certificates cannot be read",
        text if text.contains("PRIVATE KEY-----") => "which holds a private key, not a certificate",
        _ => "which holds no `-----BEGIN CERTIFICATE-----`",
    }
    .to_owned())
}

fn check_folder(path: &Path) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("which cannot be read: {error}");
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Err(format!(
            "not a folder: `{}` names a file",
            env::SSL_CERT_FILE.name
        ));
    }
    let mut files = fs::read_dir(path).map_err(unreadable)?.flatten();
    let is_usable = |file: fs::DirEntry| check_file(&file.path()).is_ok();
    match files.any(is_usable) {
        true => Ok(()),
        false => Err("in which no file holds a certificate".to_owned()),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(LARGEST)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn holds_certificate(pem: &[u8]) -> bool {
    let certificates = CertificateDer::pem_slice_iter(pem).flatten();
    let (added, _) = RootCertStore::empty().add_parsable_certificates(certificates);
    added > 0
}

#[cfg(all(test, not(any(target_os = "macos", windows))))]
mod tests {
    use super::*;

    /// Returns what is wrong with a file, or with a folder.
    fn faults(variable: &EnvVar, path: &Path) -> Vec<String> {
        let value = path.display().to_string();
        let roots = CustomRoots::from_env(&Env::from_pairs([(variable, &*value)]));
        assert_eq!(roots.variables().collect::<Vec<_>>(), [variable.name]);
        roots.faults().map(|bad| bad.to_string()).collect()
    }

    #[test]
    fn unusable_file_gives_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots");
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (content, reason) in [
            (None, "cannot be read: "),
            (Some(&b""[..]), "is empty"),
            (Some(b"\x30\x82\x01\x00"), "not in PEM but in DER"),
            (Some(b"junk"), "holds no `-----BEGIN CERTIFICATE-----`"),
            (Some(b"\xff\xfe"), "holds no `-----BEGIN CERTIFICATE-----`"),
            (Some(junk.as_bytes()), "certificates cannot be read"),
            (Some(key.as_bytes()), "holds a private key"),
        ] {
            if let Some(content) = content {
                fs::write(&path, content).unwrap();
            }
            let faults = faults(&env::SSL_CERT_FILE, &path);
            assert!(faults[0].contains(reason), "{faults:?}");
            let start = format!("the variable `SSL_CERT_FILE` names `{}`, ", path.display());
            assert!(faults[0].starts_with(&start), "{faults:?}");
        }
        let faults = faults(&env::SSL_CERT_FILE, folder.path());
        assert!(
            faults[0].ends_with("a folder: `SSL_CERT_DIR` names one"),
            "{faults:?}"
        );
    }

    #[test]
    fn unusable_folder_gives_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for (path, reason) in [
            (path.join("missing"), "cannot be read: "),
            (path.to_owned(), "in which no file holds a certificate"),
            (
                PathBuf::from("/dev/null"),
                "not a folder: `SSL_CERT_FILE` names a file",
            ),
        ] {
            let faults = faults(&env::SSL_CERT_DIR, &path);
            assert!(faults[0].contains(reason), "{faults:?}");
        }
    }
}
