//! DNS of the host: its function answers the questions that the engine asks.
//!
//! The engine's resolver speaks DNS. So the host's function is put behind a socket on the loopback address that only this
//! process writes to: cache, deadlines and retries stay the engine's.

use crate::{error::Failure, text::Sized1st};
use std::{
    ffi::{CString, c_char, c_void},
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// `mw_resolver_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Resolver {
    /// Size of the struct as the caller knows it.
    pub struct_size: usize,
    /// Answers one question.
    pub query: Option<Query>,
    /// Given to each call.
    pub user: *mut c_void,
}

/// `user`, name, type, where to write, how much fits, milliseconds; the length written.
type Query = unsafe extern "C" fn(*mut c_void, *const c_char, u16, *mut u8, usize, u32) -> i32;

// SAFETY: `repr(C)`, its size first; a NULL function is `None`, and `user` may be NULL.
unsafe impl Sized1st for Resolver {}

/// Questions that the host's function is asked at a time. Unit: threads. Source: our own choice, two messages' worth.
const ASKED_AT_ONCE: usize = 16;
/// Largest answer. Unit: bytes. Source: what the engine's resolver takes in one datagram.
const ANSWER_BYTES: usize = 4_096;
/// How long the host's function may take. Unit: milliseconds. Source: default of `[dns] timeout`.
const PATIENCE_MS: u32 = 2_000;
/// Length of a DNS header (RFC 1035 §4.1.1). Unit: bytes.
const HEADER: usize = 12;
/// Response code of a server that failed (RFC 1035 §4.1.1).
const SERVFAIL: u8 = 2;

/// The socket, and from the first session on the threads that answer.
#[derive(Debug)]
pub(crate) struct HostResolver {
    socket: UdpSocket,
    address: SocketAddr,
    asked: Asked,
    ends: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
struct Asked {
    query: Query,
    user: *mut c_void,
}

// SAFETY: the header asks for a function and a `user` that any number of threads may use at a time.
unsafe impl Send for Asked {}
// SAFETY: the same.
unsafe impl Sync for Asked {}

impl HostResolver {
    pub(crate) fn bind(resolver: Resolver) -> Result<Self, Failure> {
        let query = resolver.query.ok_or_else(|| Failure::null("resolver.query"))?;
        let bound = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (address, socket) =
            bound.map_err(|error| Failure::system(format!("cannot open a socket for the resolver: {error}")))?;
        let asked = Asked { query, user: resolver.user };
        Ok(HostResolver { socket, address, asked, ends: Arc::default(), threads: Mutex::default() })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn start(&self) -> io::Result<()> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ASKED_AT_ONCE {
            let (socket, asked, ends) = (self.socket.try_clone()?, self.asked, Arc::clone(&self.ends));
            let answer = thread::Builder::new().name("mailward-dns".to_owned());
            threads.push(answer.spawn(move || serve(&socket, asked, &ends))?);
        }
        Ok(())
    }
}

impl Drop for HostResolver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &threads {
            let _ = self.socket.send_to(&[], self.address);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, asked: Asked, ends: &AtomicBool) {
    let (mut question, mut answer) = ([0_u8; 512], vec![0_u8; ANSWER_BYTES]);
    loop {
        let received = socket.recv_from(&mut question);
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let Ok((len, from)) = received else { continue };
        if !from.ip().is_loopback() {
            continue;
        }
        if let Some(reply) = reply(&question[..len], asked, &mut answer) {
            let _ = socket.send_to(reply, from);
        }
    }
}

/// The answer to a datagram; `None` if that is no question.
fn reply<'a>(question: &[u8], asked: Asked, answer: &'a mut [u8]) -> Option<&'a [u8]> {
    let (name, kind, end) = first_question(question)?;
    let name = CString::new(name).ok()?;
    // SAFETY: the header asks for a function of this type, and for a `user` that it knows; the name ends with a NUL and
    // the place has the length that is given.
    let len = unsafe { (asked.query)(asked.user, name.as_ptr(), kind, answer.as_mut_ptr(), answer.len(), PATIENCE_MS) };
    let len = usize::try_from(len).ok().filter(|len| (HEADER..=answer.len()).contains(len));
    let len = len.unwrap_or_else(|| {
        answer[..end].copy_from_slice(&question[..end]);
        // A response, recursion available, with one question and nothing else.
        answer[2] = 0x80 | question[2] & 1;
        answer[3] = 0x80 | SERVFAIL;
        answer[4..HEADER].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
        end
    });
    // The host's own question had a number of its own.
    answer[..2].copy_from_slice(&question[..2]);
    answer.get(..len)
}

/// Name, type, and where the question ends (RFC 1035 §4.1.2). Labels are ASCII or escaped as in zone files.
fn first_question(packet: &[u8]) -> Option<(String, u16, usize)> {
    let mut name = String::new();
    let mut at = HEADER;
    loop {
        let len = usize::from(*packet.get(at)?);
        let label = packet.get(at + 1..at + 1 + len)?;
        at += 1 + len;
        if len == 0 {
            break;
        }
        if len > 63 {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        for &byte in label {
            match byte {
                b'.' | b'\\' => name.extend(['\\', char::from(byte)]),
                b'!'..=b'~' => name.push(char::from(byte)),
                _ => name.push_str(&format!("\\{byte:03}")),
            }
        }
    }
    let kind = packet.get(at..at + 2)?;
    packet.get(at + 2..at + 4)?;
    Some((name, u16::from_be_bytes([kind[0], kind[1]]), at + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03a.b\x07example\0\0\x10\0\x01";

    /// Answers type TXT with the header alone, and nothing else.
    unsafe extern "C" fn query(
        _: *mut c_void,
        name: *const c_char,
        kind: u16,
        out: *mut u8,
        len: usize,
        _: u32,
    ) -> i32 {
        // SAFETY: the caller gives a name with a NUL, and a place of this length.
        let (name, out) = unsafe { (std::ffi::CStr::from_ptr(name), std::slice::from_raw_parts_mut(out, len)) };
        if kind != 16 || name.to_bytes() != b"a\\.b.example" {
            return -1;
        }
        out[..HEADER].fill(7);
        HEADER as i32
    }

    #[test]
    fn the_hosts_answer_gets_the_number_of_the_question() {
        let asked = Asked { query, user: std::ptr::null_mut() };
        let mut place = [0; 64];
        let answer = reply(QUESTION, asked, &mut place).expect("an answer");
        assert_eq!(answer, b"\x12\x34\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07");
    }

    #[test]
    fn no_answer_is_a_failure_of_the_server() {
        let asked = Asked { query, user: std::ptr::null_mut() };
        let mut other = QUESTION.to_vec();
        let kind = other.len() - 3;
        other[kind] = 1;
        let mut place = [0; 64];
        let answer = reply(&other, asked, &mut place).expect("an answer");
        assert_eq!((answer[3] & 15, &answer[..2], &answer[HEADER..]), (SERVFAIL, &other[..2], &other[HEADER..]));
        for cut in 0..QUESTION.len() {
            assert!(first_question(&QUESTION[..cut]).is_none(), "{cut}");
        }
    }
}
