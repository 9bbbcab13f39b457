//! Our own sockets: does the daemon answer as a milter does.

use super::{QUICK, report::Check};
use mailward_core::{
    config::{Config, sections::ListenAddress},
    lookup::{Deadline, Outcome, all},
};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

const AREA: &str = "listener";
/// What Postfix offers: all edits, and all protocol options of version 6 that it knows.
const ACTIONS: u32 = 0x1ff;
const OPTIONS: u32 = 0x1f_ffff;
/// Longest packet of a negotiation. Unit: bytes. Source: our own limit; macro lists have a few hundred.
const PACKET: u32 = 16 << 10;

pub(super) async fn check(config: Arc<Config>) -> Vec<Check> {
    let listeners = config.milter.listeners.iter().map(|listener| &listener.address);
    let limit = config.milter.connections;
    all(listeners.map(|address| async move {
        match Deadline::after(QUICK).bound(greet(address)).await {
            Outcome::Done(Ok(version)) => {
                Check::ok(AREA, format!("{address} answers, milter protocol {version}, {limit} connections at most"))
            }
            Outcome::Done(Err(error)) => Check::problem(
                AREA,
                format!("{address}: {error}"),
                "start the daemon (\"mailward milter\"); if it runs, see its log and [milter] listen",
            ),
            _ => Check::problem(
                AREA,
                format!("{address} does not answer"),
                "the daemon hangs or another program listens there; see its log",
            ),
        }
    }))
    .await
}

async fn greet(address: &ListenAddress) -> io::Result<u32> {
    match address {
        ListenAddress::Inet(address) => negotiate(TcpStream::connect(address.as_str()).await?).await,
        ListenAddress::Unix(path) => negotiate(UnixStream::connect(path).await?).await,
    }
}

/// A negotiation (SMFIC_OPTNEG) and a farewell (SMFIC_QUIT); the version that was agreed on.
async fn negotiate(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<u32> {
    let mut packet = 13_u32.to_be_bytes().to_vec();
    packet.push(b'O');
    for number in [6, ACTIONS, OPTIONS] {
        packet.extend(number.to_be_bytes());
    }
    stream.write_all(&packet).await?;
    let length = stream.read_u32().await?;
    let no_milter = || io::Error::new(io::ErrorKind::InvalidData, "what answers there is no milter");
    if !(13..=PACKET).contains(&length) || stream.read_u8().await? != b'O' {
        return Err(no_milter());
    }
    let version = stream.read_u32().await?;
    stream.write_all(b"\0\0\0\x01Q").await?;
    if (2..=6).contains(&version) { Ok(version) } else { Err(no_milter()) }
}
