//! The seccomp filter: system calls that the child and its descendants may not make.
//!
//! Written as instructions because `SeccompFilter` kills a process that makes a call of another
//! architecture, as each 32-bit program does.

use std::io;

use seccompiler::sock_filter;

/// The calls of one architecture, by number.
struct Calls {
    architecture: u32,
    ioctl: &'static [u32],
    /// `add_key`, `request_key`, `keyctl`.
    keys: [u32; 3],
    /// `socket`.
    socket: u32,
    /// `socketcall`, which makes sockets with arguments that a filter cannot read.
    socketcall: Option<u32>,
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURES: &[Calls] = &[
    Calls {
        architecture: 0xc000_003e,
        // The second is that of the x32 ABI.
        ioctl: &[16, 514],
        keys: [248, 249, 250],
        socket: 41,
        socketcall: None,
    },
    // i386
    Calls {
        architecture: 0x4000_0003,
        ioctl: &[54],
        keys: [286, 287, 288],
        socket: 359,
        socketcall: Some(102),
    },
];

#[cfg(target_arch = "aarch64")]
const ARCHITECTURES: &[Calls] = &[
    Calls {
        architecture: 0xc000_00b7,
        ioctl: &[29],
        keys: [217, 218, 219],
        socket: 198,
        socketcall: None,
    },
    // 32-bit Arm
    Calls {
        architecture: 0x4000_0028,
        ioctl: &[54],
        keys: [309, 310, 311],
        socket: 281,
        socketcall: None,
    },
];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURES: &[Calls] = &[];

/// The bit in the number of each call of the x32 ABI.
const X32: u32 = 0x4000_0000;
const IO_URING_SETUP: u32 = 425;
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
const AF_UNIX: u32 = 1;

// Offsets in `struct seccomp_data`. The kernel uses the lower half of a request of `ioctl` and of
// an address family, so only that is compared.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;
const SECOND_ARGUMENT: u32 = 24;

const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const ERROR: u32 = 0x0005_0000;

/// Refuses the calls that reach around the namespaces. With `no_unix_sockets`, `socket` makes none
/// of that family: the child then reaches no program that listens on a path.
pub(super) fn install(no_unix_sockets: bool) -> io::Result<()> {
    if ARCHITECTURES.is_empty() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    seccompiler::apply_filter(&program(no_unix_sockets)).map_err(io::Error::other)
}

fn program(no_unix_sockets: bool) -> Vec<sock_filter> {
    let refused = ERROR | libc::EPERM as u32;
    let mut program = Vec::new();
    for calls in ARCHITECTURES {
        let mut block = vec![
            step(LOAD, NUMBER),
            // The numbers of x32 differ from the others by this bit only.
            step(AND, !X32),
        ];
        for number in calls.keys {
            block.extend(if_equal(number, &[step(RETURN, refused)]));
        }
        let mut request = vec![step(LOAD, SECOND_ARGUMENT)];
        for number in [TIOCSTI, TIOCLINUX] {
            request.extend(if_equal(number, &[step(RETURN, refused)]));
        }
        request.push(step(RETURN, ALLOW));
        for number in calls.ioctl {
            block.extend(if_equal(*number, &request));
        }
        if no_unix_sockets {
            let mut family = vec![step(LOAD, FIRST_ARGUMENT)];
            family.extend(if_equal(AF_UNIX, &[step(RETURN, refused)]));
            family.push(step(RETURN, ALLOW));
            block.extend(if_equal(calls.socket, &family));
            if let Some(number) = calls.socketcall {
                block.extend(if_equal(number, &[step(RETURN, refused)]));
            }
            // A ring makes sockets without the call. Programs fall back if there is none.
            let absent = ERROR | libc::ENOSYS as u32;
            block.extend(if_equal(IO_URING_SETUP, &[step(RETURN, absent)]));
        }
        block.push(step(RETURN, ALLOW));
        program.push(step(LOAD, ARCHITECTURE));
        program.extend(if_equal(calls.architecture, &block));
    }
    program.push(step(RETURN, refused));
    program
}

fn step(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Runs `body` if the loaded value is `value`, and otherwise skips it.
fn if_equal(value: u32, body: &[sock_filter]) -> Vec<sock_filter> {
    let mut steps = vec![sock_filter {
        code: EQUAL,
        jt: 0,
        jf: u8::try_from(body.len()).expect("each body is short"),
        k: value,
    }];
    steps.extend_from_slice(body);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel does.
    fn verdict(
        program: &[sock_filter],
        number: u32,
        architecture: u32,
        arguments: [u64; 2],
    ) -> u32 {
        let mut loaded = 0;
        let mut at = 0;
        loop {
            let step = &program[at];
            at += 1;
            match (step.code, step.k) {
                (LOAD, NUMBER) => loaded = number,
                (LOAD, ARCHITECTURE) => loaded = architecture,
                (LOAD, FIRST_ARGUMENT) => loaded = arguments[0] as u32,
                (LOAD, SECOND_ARGUMENT) => loaded = arguments[1] as u32,
                (AND, mask) => loaded &= mask,
                (EQUAL, value) if loaded == value => at += usize::from(step.jt),
                (EQUAL, _) => at += usize::from(step.jf),
                (RETURN, verdict) => return verdict,
                (code, k) => panic!("unknown step {code:#x} {k:#x}"),
            }
        }
    }

    #[test]
    fn every_architecture_refuses_input_and_keys() {
        for strict in [false, true] {
            let program = program(strict);
            for calls in ARCHITECTURES {
                let run =
                    |number, arguments| verdict(&program, number, calls.architecture, arguments);
                for ioctl in calls.ioctl {
                    for number in [*ioctl, *ioctl | X32] {
                        for request in [TIOCSTI, TIOCLINUX] {
                            let request = u64::from(request);
                            assert_ne!(run(number, [0, request]), ALLOW);
                            assert_ne!(run(number, [0, request | 1 << 40]), ALLOW);
                        }
                        // TIOCGWINSZ
                        assert_eq!(run(number, [0, 0x5413]), ALLOW);
                    }
                }
                for key in calls.keys {
                    assert_ne!(run(key, [0, 0]), ALLOW);
                    assert_ne!(run(key | X32, [0, 0]), ALLOW);
                }
                let unix = run(calls.socket, [1 << 32 | u64::from(AF_UNIX), 0]);
                assert_eq!(unix == ALLOW, !strict);
                assert_eq!(run(calls.socket, [2, 0]), ALLOW);
                assert_eq!(run(IO_URING_SETUP, [0, 0]) == ALLOW, !strict);
            }
            assert_ne!(verdict(&program, 0, 0x1234, [0, 0]), ALLOW);
        }
    }
}
