use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::Duration;

use super::{Grounds, Result, has_canary, is_canary};
use crate::exec::prove::outcome::Failure;

fn closed(grounds: &Grounds) -> Result {
    match grounds.net {
        true => Ok(()),
        false => Err(Failure::NotTried("the network stays open at this level")),
    }
}

pub(super) fn tcp(grounds: &Grounds) -> Result {
    closed(grounds)?;
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, grounds.victim.tcp))?;
    has_canary(grounds, stream)
}

/// As a question to a DNS server.
pub(super) fn udp(grounds: &Grounds) -> Result {
    closed(grounds)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send_to(b"?", (Ipv4Addr::LOCALHOST, grounds.victim.udp))?;
    let mut answer = [0; 256];
    let length = socket.recv(&mut answer)?;
    is_canary(grounds, &answer[..length])
}
