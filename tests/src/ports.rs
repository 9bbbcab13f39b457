//! Ports that no other test, and no other test run on this machine, uses at the same time.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::{PATIENCE, wait_until};

/// First port handed out. The range lies below the one from which Linux picks the ports of outgoing connections
/// (32768 and up), so that a chance client cannot take a port between our look and the program's bind.
const FIRST: u16 = 20_000;
/// Ports claimed at a time by one process.
const BLOCK: u16 = 100;
/// Blocks in the range.
const BLOCKS: u16 = 120;

/// What this process has claimed and not yet handed out. The lock files stay locked as long as the process lives.
struct Claim {
    next: u16,
    end: u16,
    locks: Vec<File>,
}

static CLAIM: Mutex<Claim> = Mutex::new(Claim { next: 0, end: 0, locks: Vec::new() });

/// A loopback port that is free for TCP and for UDP, never handed out twice in this process.
///
/// # Panics
/// When the whole range is taken.
pub fn free_port() -> u16 {
    let mut claim = CLAIM.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    loop {
        if claim.next == claim.end {
            claim_block(&mut claim);
        }
        let port = claim.next;
        claim.next += 1;
        if is_free(port) {
            return port;
        }
    }
}

/// The loopback address with this port.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Waits until something accepts connections at `address`.
pub fn wait_listening(what: &str, address: SocketAddr) {
    wait_until(PATIENCE, &format!("{what} accepts connections at {address}"), || {
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    });
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(loopback(port)).is_ok() && UdpSocket::bind(loopback(port)).is_ok()
}

fn claim_block(claim: &mut Claim) {
    for block in 0..BLOCKS {
        let path = std::env::temp_dir().join(format!("mailward-ports-{block}.lock"));
        let Ok(file) = OpenOptions::new().create(true).append(true).open(path) else { continue };
        if file.try_lock().is_ok() {
            claim.next = FIRST + block * BLOCK;
            claim.end = claim.next + BLOCK;
            claim.locks.push(file);
            return;
        }
    }
    panic!("no free block of loopback ports from {FIRST} on");
}
