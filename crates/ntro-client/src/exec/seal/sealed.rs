use std::fmt;
use std::net::TcpListener;

use super::SealLevel;

/// One thing that a seal keeps a child from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// The files of `ntro`, of keyrings and of password managers.
    Files,
    /// Unix sockets: the bus, agents, terminal multiplexers, containers.
    Sockets,
    /// The memory and the environment of other processes.
    Memory,
    /// The kernel's keyrings.
    Keyrings,
    /// Input written into the terminal for the shell to run.
    Terminal,
    /// Signals to processes outside.
    Signals,
    /// Files that start programs later.
    Startup,
    /// Every address but the proxy's.
    Network,
}

impl Barrier {
    /// Every barrier.
    pub const ALL: [Self; 8] = [
        Self::Files,
        Self::Sockets,
        Self::Memory,
        Self::Keyrings,
        Self::Terminal,
        Self::Signals,
        Self::Startup,
        Self::Network,
    ];

    /// Returns the name of the barrier.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "key files",
            Self::Sockets => "sockets",
            Self::Memory => "memory",
            Self::Keyrings => "kernel keyrings",
            Self::Terminal => "terminal input",
            Self::Signals => "signals",
            Self::Startup => "startup files",
            Self::Network => "network",
        }
    }
}

/// A barrier that does not hold, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The barrier.
    pub barrier: Barrier,
    /// Why it does not hold.
    pub reason: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stay open: {}", self.barrier.name(), self.reason)
    }
}

/// The protections that hold in a sealed process. Displayed as one line.
#[derive(Debug)]
pub struct Sealed {
    /// The level.
    pub level: SealLevel,
    /// The barriers that hold.
    pub held: Vec<Barrier>,
    /// The barriers of this level that do not hold.
    pub not_held: Vec<Gap>,
    /// At the level `net`, the only listener of the network namespace, for the proxy outside.
    pub listener: Option<TcpListener>,
}

impl Sealed {
    /// Nothing holds, as the level `off` asks for.
    pub(super) fn off() -> Self {
        Self::nothing(SealLevel::Off)
    }

    /// Nothing holds yet.
    pub(super) fn nothing(level: SealLevel) -> Self {
        Self {
            level,
            held: Vec::new(),
            not_held: Vec::new(),
            listener: None,
        }
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.held.is_empty() {
            f.write_str("not sealed")?;
        } else {
            write!(f, "sealed ({}): ", self.level)?;
            join(f, &self.held)?;
            if self.level == SealLevel::Store {
                f.write_str("; the network stays open")?;
            }
        }
        if self.not_held.is_empty() {
            return Ok(());
        }
        f.write_str("; not held: ")?;
        // Gaps with the same reason are listed together.
        let mut left = self.not_held.iter().peekable();
        while let Some(gap) = left.next() {
            let mut same = vec![gap.barrier];
            while let Some(next) = left.next_if(|next| next.reason == gap.reason) {
                same.push(next.barrier);
            }
            join(f, &same)?;
            write!(f, " ({})", gap.reason)?;
            if left.peek().is_some() {
                f.write_str("; ")?;
            }
        }
        Ok(())
    }
}

fn join(f: &mut fmt::Formatter<'_>, barriers: &[Barrier]) -> fmt::Result {
    for (index, barrier) in barriers.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{}", barrier.name())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_names_held_and_missing_protections() {
        let gap = |barrier, reason: &str| Gap {
            barrier,
            reason: reason.to_owned(),
        };
        let mut sealed = Sealed::off();
        assert_eq!(sealed.to_string(), "not sealed");
        sealed.not_held = vec![gap(Barrier::Files, "no Landlock")];
        assert_eq!(
            sealed.to_string(),
            "not sealed; not held: key files (no Landlock)"
        );
        sealed.level = SealLevel::Store;
        sealed.held = vec![Barrier::Memory, Barrier::Terminal];
        sealed.not_held = vec![
            gap(Barrier::Files, "no namespaces"),
            gap(Barrier::Sockets, "no namespaces"),
            gap(Barrier::Signals, "old kernel"),
        ];
        assert_eq!(
            sealed.to_string(),
            "sealed (store): memory, terminal input; the network stays open; not held: key files, \
             sockets (no namespaces); signals (old kernel)"
        );
    }
}
