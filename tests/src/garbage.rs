//! A server that is broken on purpose: it stands where a directory, a scanner or a DNS server should be.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::{PATIENCE, wait_for};
use crate::ports::{free_port, loopback};

/// How a [`GarbageServer`] treats those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes connections and packets, answers nothing.
    Silence,
    /// Answers each question, on TCP also the mere connection, with bytes that belong to no protocol.
    Noise,
    /// Never stops answering with bytes that belong to no protocol (TCP; on UDP as [`Manner::Noise`]).
    Flood,
    /// Closes each TCP connection at the first byte; does not answer on UDP.
    HangUp,
}

/// Listens on TCP and UDP, on the same port, until it is dropped.
#[derive(Debug)]
pub struct GarbageServer {
    port: u16,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    manner: Manner,
    stop: AtomicBool,
    asked: AtomicUsize,
    connections: Mutex<Vec<TcpStream>>,
}

/// Bytes of no protocol: neither text nor a valid BER, DNS, TLS or clamd answer.
const NOISE: [u8; 64] = {
    let mut noise = [0xa5_u8; 64];
    let mut i = 0;
    while i < noise.len() {
        noise[i] = (i as u8).wrapping_mul(167).wrapping_add(0xf3);
        i += 1;
    }
    noise
};

impl GarbageServer {
    /// Starts on a free port.
    pub fn start(manner: Manner) -> GarbageServer {
        GarbageServer::start_on(free_port(), manner)
    }

    /// Starts on this port, for instance that of a component that has just been killed.
    pub fn start_on(port: u16, manner: Manner) -> GarbageServer {
        // The sockets of a predecessor live on for a moment if another test forks a child just then.
        let what = format!("port {port} is free for the broken server");
        let (tcp, udp) = wait_for(PATIENCE, &what, || {
            TcpListener::bind(loopback(port)).ok().zip(UdpSocket::bind(loopback(port)).ok())
        });
        udp.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout can be set");
        let shared = Arc::new(Shared {
            manner,
            stop: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            connections: Mutex::new(Vec::new()),
        });
        let (for_tcp, for_udp) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads =
            vec![thread::spawn(move || accept(&tcp, &for_tcp)), thread::spawn(move || answer_packets(&udp, &for_udp))];
        GarbageServer { port, shared, threads }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// How many connections and packets have come so far.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::Relaxed)
    }
}

impl Drop for GarbageServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address()); // wakes accept
        for connection in self.shared.connections.lock().unwrap_or_else(|p| p.into_inner()).drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Shared) {
    for connection in listener.incoming().map_while(Result::ok) {
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        shared.asked.fetch_add(1, Ordering::Relaxed);
        let manner = shared.manner;
        if let Ok(copy) = connection.try_clone() {
            shared.connections.lock().unwrap_or_else(|p| p.into_inner()).push(copy);
        }
        thread::spawn(move || mistreat(connection, manner));
    }
}

fn mistreat(mut connection: TcpStream, manner: Manner) {
    let mut buffer = [0; 4096];
    if manner == Manner::Noise && connection.write_all(&NOISE).is_err() {
        return;
    }
    while let Ok(1..) = connection.read(&mut buffer) {
        match manner {
            Manner::Silence => {}
            Manner::Noise => {
                if connection.write_all(&NOISE).is_err() {
                    return;
                }
            }
            Manner::Flood => while connection.write_all(&NOISE).is_ok() {},
            Manner::HangUp => break,
        }
    }
    let _ = connection.shutdown(Shutdown::Both); // the list of connections holds a copy, so dropping would not close it
}

fn answer_packets(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 4096];
    while !shared.stop.load(Ordering::Relaxed) {
        let Ok((length, asker)) = socket.recv_from(&mut buffer) else { continue };
        shared.asked.fetch_add(1, Ordering::Relaxed);
        if matches!(shared.manner, Manner::Noise | Manner::Flood) {
            // With the question's first two bytes, which in DNS are its number: else a client drops the answer unread.
            let number = &buffer[..length.min(2)];
            let _ = socket.send_to(&[number, &NOISE[2..]].concat(), asker);
        }
    }
}
