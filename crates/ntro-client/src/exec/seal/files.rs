use std::path::PathBuf;

/// The user's files that a seal must know of.
#[derive(Clone, Debug, Default)]
pub struct SealFiles {
    /// The home folder. Without one, no file that starts programs is protected.
    pub home: Option<PathBuf>,
    /// The folder of `ntro`. It need not exist.
    pub ntro_home: PathBuf,
    /// The folder that the child sees in its place, and at its own path.
    pub generated_home: Option<PathBuf>,
    /// The runtime directory (`XDG_RUNTIME_DIR`).
    pub runtime_dir: Option<PathBuf>,
    /// Files and folders to hide in addition, such as an identity kept elsewhere.
    pub secrets: Vec<PathBuf>,
    /// The folders of `PATH`. Those in hidden folders of the home become read-only.
    pub programs: Vec<PathBuf>,
}
