//! DNS for a test: one unbound with the records that the test names and nothing else, and block lists by rbldnsd
//! behind it. What is not named does not exist; nothing is asked outside this machine.

mod blocklist;
mod config;
mod record;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::clock::{PATIENCE, wait_until};
use crate::ports::{free_port, loopback};
use crate::process::{Process, Signal, program, run};
use crate::scratch::{Scratch, write};

use blocklist::Blocklists;
pub use record::Record;

/// The block list that tests use when they need one.
pub const DNSBL: &str = "dnsbl.test";

/// The records and lists to start with.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    records: Vec<Record>,
    listed: Vec<(String, String, String)>,
    refused: Vec<String>,
    silent: Vec<String>,
    failing: Vec<String>,
}

/// A running unbound and its rbldnsd.
#[derive(Debug)]
pub struct Dns {
    process: Process,
    folder: PathBuf,
    port: u16,
    lists: Blocklists,
    _scratch: Scratch,
}

impl Builder {
    /// Adds a record.
    pub fn record(mut self, record: Record) -> Builder {
        self.records.push(record);
        self
    }

    /// Adds a TXT record: SPF, DMARC, a DKIM key. Long values are split into strings.
    pub fn txt(self, name: &str, value: &str) -> Builder {
        self.record(Record::txt(name, value))
    }

    /// Adds an A or AAAA record.
    pub fn a(self, name: &str, address: &str) -> Builder {
        self.record(Record::address(name, address))
    }

    /// Adds an MX record of preference 10.
    pub fn mx(self, name: &str, host: &str) -> Builder {
        self.record(Record::mx(name, host))
    }

    /// Adds the PTR record of an address.
    pub fn ptr(self, address: &str, name: &str) -> Builder {
        self.record(Record::ptr(address, name))
    }

    /// Adds a client's name both ways, so that it is forward-confirmed.
    pub fn host(self, address: &str, name: &str) -> Builder {
        self.ptr(address, name).a(name, address)
    }

    /// Puts an address or network on the list [`DNSBL`], which answers 127.0.0.2.
    pub fn listed(self, network: &str) -> Builder {
        self.listed_at(DNSBL, network, "127.0.0.2")
    }

    /// Puts an address or network on a list with an answer of choice. `0.0.0.0/0` lists everything.
    pub fn listed_at(mut self, list: &str, network: &str, answer: &str) -> Builder {
        self.listed.push((list.to_owned(), network.to_owned(), answer.to_owned()));
        self
    }

    /// Every question for this domain and below is REFUSED.
    pub fn refused(mut self, domain: &str) -> Builder {
        self.refused.push(domain.to_owned());
        self
    }

    /// No question for this domain and below is answered.
    pub fn silent(mut self, domain: &str) -> Builder {
        self.silent.push(domain.to_owned());
        self
    }

    /// Every question for this domain and below gets SERVFAIL, after up to a second.
    pub fn failing(mut self, domain: &str) -> Builder {
        self.failing.push(domain.to_owned());
        self
    }

    /// Starts unbound and rbldnsd.
    pub fn start(self, scratch: &Scratch) -> Dns {
        let folder = scratch.dir("dns");
        let port = free_port();
        let lists = Blocklists::start(&folder, &self.listed);
        write(&folder.join("unbound.conf"), config::unbound(&folder, port, lists.port(), &self, &lists.names()));
        let process = launch(&folder);
        let mut dns = Dns { process, folder, port, lists, _scratch: scratch.clone() };
        dns.wait_ready();
        dns
    }
}

impl Dns {
    /// Begins with no records; the list [`DNSBL`] exists and is empty.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where to ask.
    pub fn address(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// Adds a record at run time, in force at once.
    pub fn add(&self, record: &Record) {
        self.control(&["local_data", &record.to_string()]);
    }

    /// Removes all records of a name at run time.
    pub fn remove(&self, name: &str) {
        self.control(&["local_data_remove", name]);
    }

    /// Puts an address or network on a list at run time, in force when this returns. The list must be known from the start.
    pub fn list(&mut self, list: &str, network: &str, answer: &str) {
        self.lists.add(list, network, answer);
        self.control(&["flush_zone", list]);
    }

    /// Takes everything off all lists at run time.
    pub fn clear_lists(&mut self) {
        self.lists.clear();
        for list in self.lists.names() {
            self.control(&["flush_zone", &list]);
        }
    }

    /// Sends a signal to unbound: [`Signal::Stop`] makes DNS hang.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Crashes unbound: the port is closed.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts unbound again after [`Dns::kill`], with the records of the beginning.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder);
        self.wait_ready();
    }

    /// The questions asked so far, one a line, as unbound logs them.
    pub fn log(&self) -> String {
        crate::scratch::read_log(&self.folder.join("log"))
    }

    /// How many questions for this name have come so far.
    pub fn asked(&self, name: &str) -> usize {
        let name = format!(" {}. ", name.trim_end_matches('.'));
        self.log().lines().filter(|line| line.contains(&name)).count()
    }

    fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(program("unbound-control", "unbound"));
        run(command.arg("-c").arg(self.folder.join("unbound.conf")).args(arguments));
    }

    fn wait_ready(&mut self) {
        let (folder, address) = (&self.folder, loopback(self.port));
        wait_until(PATIENCE, "unbound answers", || {
            self.process.assert_running(&folder.join("output"));
            answers(address, ".")
        });
    }
}

fn launch(folder: &Path) -> Process {
    let mut command = Command::new(program("unbound", "unbound"));
    Process::start(command.args(["-d", "-p", "-c"]).arg(folder.join("unbound.conf")), &folder.join("output"))
}

/// Whether a DNS server answers a question for the address of `name`, whatever it says.
fn answers(server: SocketAddr, name: &str) -> bool {
    let Ok(socket) = UdpSocket::bind(loopback(0)) else { return false };
    let mut question = vec![0x4d, 0x57, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]; // number "MW", one question
    for label in name.split('.').filter(|label| !label.is_empty()) {
        question.push(label.len() as u8);
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 1, 0, 1]); // root, type A, class IN
    let mut answer = [0; 512];
    socket.set_read_timeout(Some(Duration::from_millis(200))).is_ok()
        && socket.send_to(&question, server).is_ok()
        && socket.recv_from(&mut answer).is_ok_and(|(length, _)| length >= 12 && answer[..2] == question[..2])
}

/// The name under which DNS keeps data about an address: reversed, below `suffix`.
pub fn reversed(address: IpAddr, suffix: &str) -> String {
    let labels: Vec<String> = match address {
        IpAddr::V4(address) => address.octets().iter().rev().map(u8::to_string).collect(),
        IpAddr::V6(address) => {
            let octets = address.octets();
            octets.iter().rev().flat_map(|o| [o & 15, o >> 4]).map(|nibble| format!("{nibble:x}")).collect()
        }
    };
    format!("{}.{suffix}", labels.join("."))
}
