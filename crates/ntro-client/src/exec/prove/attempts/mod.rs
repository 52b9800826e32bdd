//! The attempts, by name.

mod commands;
mod files;
mod keyrings;
mod memory;
mod namespaces;
mod network;
mod proxy;
mod signals;
mod sockets;
mod startup;
mod terminal;

use std::io::Read;

use super::grounds::Grounds;
use super::outcome::Failure;

type Result = std::result::Result<(), Failure>;

type NamedAttempt = (&'static str, fn(&Grounds) -> Result);

/// Returns the attempts that a battery makes. Each has a separate process.
pub(super) fn named_attempts(grounds: &Grounds) -> impl Iterator<Item = &'static NamedAttempt> {
    let of_program = match grounds.proxied {
        true => OF_PROGRAM,
        false => &[],
    };
    ATTEMPTS.iter().chain(of_program)
}

const ATTEMPTS: &[NamedAttempt] = &[
    ("file: folder of ntro", files::own),
    ("file: key folders of the home", files::key_folders),
    ("file: shared memory", files::shared_memory),
    ("file: link", files::link),
    ("file: hard link", files::hard_link),
    ("file: inherited folder", files::inherited_folder),
    ("file: renamed folder", files::renamed_folder),
    ("file: by handle", files::by_handle),
    ("file: disk", files::disk),
    ("memory: environment", memory::environment),
    ("memory: mem", memory::mem),
    ("memory: maps", memory::maps),
    ("memory: process_vm_readv", memory::process_vm_readv),
    ("memory: tracing", memory::tracing),
    ("memory: descriptor", memory::descriptor),
    ("memory: pidfd_getfd", memory::pidfd_getfd),
    ("memory: root folder", memory::root_folder),
    ("memory: working folder", memory::working_folder),
    ("memory: namespaces", memory::namespaces),
    ("memory: kernel", memory::kernel),
    ("socket: runtime directory", sockets::runtime_directory),
    ("socket: temporary folder", sockets::temporary_folder),
    ("socket: tmux", sockets::tmux),
    ("socket: home", sockets::home),
    ("socket: abstract", sockets::abstract_name),
    ("socket: session bus", sockets::session_bus),
    ("socket: system bus", sockets::system_bus),
    ("socket: containers", sockets::containers),
    ("socket: display", sockets::display),
    ("keyring: by name", keyrings::by_name),
    ("keyring: of the session", keyrings::of_session),
    ("keyring: by number", keyrings::by_number),
    (
        "keyring: by number in a new user namespace",
        keyrings::by_number_nested,
    ),
    ("terminal: TIOCSTI", terminal::typed),
    (
        "terminal: TIOCSTI with upper bits",
        terminal::typed_with_upper_bits,
    ),
    ("terminal: TIOCLINUX", terminal::console),
    ("terminal: another terminal", terminal::another),
    ("signal: kill", signals::kill),
    ("signal: pidfd", signals::pidfd),
    ("startup: changed profile", startup::changed_profile),
    ("startup: new hidden file", startup::new_file),
    ("startup: renamed folder", startup::renamed_folder),
    ("startup: autostart", startup::autostart),
    ("startup: user units", startup::user_units),
    ("startup: remounted home", startup::remounted_home),
    ("startup: system", startup::system),
    ("startup: crontab", startup::crontab),
    ("startup: kernel settings", startup::kernel_settings),
    ("startup: control groups", startup::control_groups),
    ("namespace: unmounted", namespaces::unmounted),
    (
        "namespace: unmounted in a nested one",
        namespaces::unmounted_nested,
    ),
    ("namespace: copied without mounts", namespaces::copied),
    ("namespace: moved away", namespaces::moved),
    ("namespace: joined another process", namespaces::joined),
    ("network: TCP port", network::tcp),
    ("network: UDP port", network::udp),
];

/// Attempts by a program that has a proxy.
const OF_PROGRAM: &[NamedAttempt] = &[
    ("proxy: no token", proxy::no_token),
    ("proxy: wrong token", proxy::wrong_token),
    ("proxy: token of another program", proxy::token_of_another),
    ("proxy: foreign host", proxy::foreign_host),
    ("proxy: two hosts", proxy::two_hosts),
    ("proxy: page in a browser", proxy::browser_origin),
    ("proxy: absolute target", proxy::absolute_target),
    ("proxy: CONNECT", proxy::connect),
    ("proxy: path outside the base URL", proxy::outside),
    ("proxy: path traversal", proxy::traversal),
    ("proxy: encoded path traversal", proxy::encoded_traversal),
    ("proxy: two lengths of a body", proxy::two_lengths),
    ("proxy: injected header", proxy::injected_header),
    ("proxy: key in an answer", proxy::key_in_answer),
    ("command: ntro auth token", commands::auth_token),
    ("command: ntro auth list", commands::auth_list),
];

/// Succeeds if the canary is in what is read.
fn has_canary(grounds: &Grounds, from: impl Read) -> Result {
    let mut bytes = Vec::new();
    // What the victim holds is shorter; other files may have no end.
    from.take(1 << 20).read_to_end(&mut bytes)?;
    is_canary(grounds, &bytes)
}

/// Succeeds if the canary is in these bytes.
fn is_canary(grounds: &Grounds, bytes: &[u8]) -> Result {
    match contains(bytes, &grounds.canary) {
        true => Ok(()),
        false => Err(Failure::Refused("the canary is not there".to_owned())),
    }
}

/// Returns whether a text is in these bytes.
pub(super) fn contains(bytes: &[u8], text: &str) -> bool {
    let mut windows = bytes.windows(text.len());
    windows.any(|window| window == text.as_bytes())
}
