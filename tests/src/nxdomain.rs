//! DNS in which nothing exists: answers every question with NXDOMAIN at once. For tests and measurements that are not
//! about DNS; the others start a real server ([`crate::dns`]).

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::ports::loopback;

/// Length of the header of a DNS message (RFC 1035, section 4.1.1). Unit: bytes.
const HEADER: usize = 12;

/// SOA of the root for the authority section, so that the answer may be cached for 60 s (RFC 2308, section 3).
const SOA: [u8; 33] = [
    0, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, // root, type SOA, class IN, 60 seconds, 22 bytes
    0, 0, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0, 60, // names "." twice, serial, four times
];

/// Runs until it is dropped.
#[derive(Debug)]
pub struct NxDomain {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NxDomain {
    /// Starts on a free port.
    pub fn start() -> NxDomain {
        let socket = UdpSocket::bind(loopback(crate::ports::free_port())).expect("a free port can be bound");
        let address = socket.local_addr().expect("a bound socket has an address");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout can be set");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = Some(thread::spawn(move || serve(&socket, &stopped)));
        NxDomain { address, stop, thread }
    }

    /// Where to ask.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NxDomain {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, asker)) = socket.recv_from(&mut buffer) else { continue };
        if let Some(answer) = answer(&buffer[..length]) {
            let _ = socket.send_to(&answer, asker);
        }
    }
}

/// The question back, with NXDOMAIN. EDNS records of the question are left out, as an old server would.
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let name = question.get(HEADER..)?.iter().scan(0_usize, |rest, &byte| {
        let is_length = *rest == 0;
        *rest = if is_length { usize::from(byte) } else { *rest - 1 };
        Some((is_length, byte))
    });
    let name_length = name.take_while(|&(is_length, byte)| !(is_length && byte == 0)).count() + 1;
    let end = HEADER + name_length + 4;
    let mut answer = question.get(..end)?.to_vec();
    answer[2] = 0x84 | (question[2] & 1); // an answer, authoritative, recursion as desired
    answer[3] = 0x83; // recursion available, NXDOMAIN
    answer[4..HEADER].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]); // one question, no answer, one authority
    answer.extend_from_slice(&SOA);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::{HEADER, SOA, answer};

    #[test]
    fn question_comes_back_with_the_name_error_and_an_authority() {
        let question = b"MW\x01\0\0\x01\0\0\0\0\0\x01\x01a\x04test\0\0\x01\0\x01\0\0\x29\x10\0\0\0\0\0\0\0";
        let answer = answer(question).expect("an answer");
        assert_eq!(&answer[..HEADER], b"MW\x85\x83\0\x01\0\0\0\x01\0\0");
        assert_eq!(&answer[HEADER..HEADER + 12], &question[HEADER..HEADER + 12]);
        assert!(answer.ends_with(&SOA) && answer.len() == HEADER + 12 + SOA.len());
        assert!(super::answer(b"MW").is_none());
    }
}
