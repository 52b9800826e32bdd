use std::io;
use std::process::Child;
use std::sync::mpsc::Sender;

use super::Event;
use crate::exit::Exit;

/// There are none: the console sends Ctrl-C to the program itself.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "none is ever received")]
pub(super) struct Signal(());

impl Signal {
    pub(super) fn ends(self) -> bool {
        true
    }
}

/// The end of the child.
#[derive(Clone, Copy)]
pub(super) struct Change(u8);

impl Change {
    pub(super) const LOST: Self = Self(1);

    pub(super) fn is_end(self) -> bool {
        true
    }
}

pub(super) struct Signals(());

impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
    pub(super) fn receive(_: Sender<Event>) -> io::Result<Self> {
        Ok(Self(()))
    }

    pub(super) fn pass_on(&self, _: Signal, _: u32) {}

    pub(super) fn stop_like(&self, _: Change) {}

    pub(super) fn end_like(&self, end: Change) -> Exit {
        Exit::Program(end.0)
    }
}

/// Reports the end of the child.
pub(super) fn watch(mut child: Child, events: Sender<Event>) {
    std::thread::spawn(move || {
        let code = child.wait().ok().and_then(|status| status.code());
        let code = code.and_then(|code| u8::try_from(code).ok());
        let _ = events.send(Event::Child(code.map_or(Change::LOST, Change)));
    });
}
