//! DNS in which nothing exists, on a thread of its own, for as long as the process lives.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    thread,
};

/// SOA of the root for the authority section: the answer may be kept for an hour (RFC 2308, section 3).
const SOA: [u8; 33] = [
    0, 0, 6, 0, 1, 0, 0, 14, 16, 0, 22, // root, type SOA, class IN, 3600 seconds, 22 bytes
    0, 0, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 14, 16,
];

/// Starts it, and returns where it answers.
pub(crate) fn start() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = socket.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        let mut question = [0; 4096];
        while let Ok((length, asker)) = socket.recv_from(&mut question) {
            let _ = answer(&question[..length]).map(|answer| socket.send_to(&answer, asker));
        }
    });
    address
}

/// The question back with NXDOMAIN (RFC 1035, section 4.1).
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *question.get(end)? != 0 {
        end += 1 + usize::from(question[end]);
    }
    let mut answer = question.get(..end + 5)?.to_vec();
    answer[2..12].copy_from_slice(&[0x84 | (question[2] & 1), 0x83, 0, 1, 0, 0, 0, 1, 0, 0]);
    answer.extend_from_slice(&SOA);
    Some(answer)
}
