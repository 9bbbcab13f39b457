//! Sendmail as a site's edge relay: our own part `postfix-conf/sendmail.mc`, word for word, inside a private instance
//! that delivers to a [`Sink`].
//!
//! Debian's packages of Sendmail and Postfix exclude each other, so Sendmail is not installed but unpacked
//! (`tests/setup-sendmail.sh`). It has no XCLIENT: a test plays any client by connecting from another address of
//! 127.0.0.0/8, which Mailward must then not take for its own network. It writes its log to syslog alone and reads
//! passwords and host names in `/etc`, so every instance gets its own `/dev` and `/etc` (see `namespace`).

mod config;
mod namespace;
mod queue;
mod submit;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clock::{PATIENCE, wait_until};
use crate::ports::{free_port, loopback, wait_listening};
use crate::postfix::DOMAIN;
use crate::process::{Process, Signal};
use crate::scratch::{Scratch, make_dir, read_log};
use crate::sink::Sink;
use crate::smtp::Client;
use crate::tls::Identity;

pub use queue::Quarantined;

/// Where `tests/setup-sendmail.sh` has unpacked the packages.
const UNPACKED: &str = "/usr/local/lib/mailward-tests/sendmail";

/// What an instance looks like.
#[derive(Clone, Debug)]
pub struct Builder {
    milter: Option<String>,
    waits: Option<String>,
    access: Vec<(String, String)>,
    virtual_users: Vec<(String, String)>,
    names: Vec<(String, String)>,
    identity: Option<(Identity, PathBuf)>,
    user: Option<(String, String)>,
    lines: Vec<String>,
    deliver_to: SocketAddr,
}

/// The ports of the services.
#[derive(Clone, Copy, Debug)]
struct Ports {
    smtp: u16,
    submission: u16,
}

/// A running Sendmail.
#[derive(Debug)]
pub struct Sendmail {
    process: Process,
    folder: PathBuf,
    ports: Ports,
    _scratch: Scratch,
}

impl Builder {
    /// The milter's socket as Sendmail writes it: `inet:PORT@127.0.0.1` or `local:/path`. Without this, mail passes
    /// unfiltered.
    pub fn milter(mut self, socket: impl Into<String>) -> Builder {
        self.milter = Some(socket.into());
        self
    }

    /// Other waits than the shipped ones, as Sendmail writes them: `C:10s;S:10s;R:20s;E:60s`.
    pub fn waits(mut self, waits: &str) -> Builder {
        self.waits = Some(waits.to_owned());
        self
    }

    /// A line of the access map.
    pub fn access(mut self, key: &str, value: &str) -> Builder {
        self.access.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A line of virtusertable, for the domain `virtual.test`.
    pub fn virtual_user(mut self, key: &str, value: &str) -> Builder {
        self.virtual_users.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The name of a client in DNS, confirmed in both directions.
    pub fn name(mut self, address: &str, name: &str) -> Builder {
        self.names.push((address.to_owned(), name.to_owned()));
        self
    }

    /// Offers STARTTLS.
    pub fn certificate(mut self, identity: &Identity, ca_file: &Path) -> Builder {
        self.identity = Some((identity.clone(), ca_file.to_owned()));
        self
    }

    /// Who may authenticate at the submission service.
    pub fn user(mut self, name: &str, password: &str) -> Builder {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// One more line of sendmail.mc, behind all others.
    pub fn line(mut self, line: &str) -> Builder {
        self.lines.push(line.to_owned());
        self
    }

    /// Starts it. The scratch folder must be one of [`Scratch::for_sendmail`].
    pub fn start(self, scratch: &Scratch) -> Sendmail {
        let folder = scratch.dir("sendmail");
        let ports = Ports { smtp: free_port(), submission: free_port() };
        make_dir(&folder.join("queue"), 0o700);
        config::write(&folder, ports, &self);
        namespace::lay_out(&folder, &self);
        let process = launch(&folder, ports);
        Sendmail { process, folder, ports, _scratch: scratch.clone() }
    }
}

impl Sendmail {
    /// An instance that delivers everything to this sink.
    pub fn delivering_to(sink: &Sink) -> Builder {
        Builder {
            milter: None,
            waits: None,
            access: vec![(format!("To:{DOMAIN}"), "RELAY".to_owned())],
            virtual_users: Vec::new(),
            names: Vec::new(),
            identity: None,
            user: None,
            lines: Vec::new(),
            deliver_to: sink.address(),
        }
    }

    /// Where the world sends mail.
    pub fn address(&self) -> SocketAddr {
        loopback(self.ports.smtp)
    }

    /// The same for clients with IPv6.
    pub fn address_v6(&self) -> SocketAddr {
        SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, self.ports.smtp))
    }

    /// Where users send mail, with a password.
    pub fn submission(&self) -> SocketAddr {
        loopback(self.ports.submission)
    }

    /// A connection from 127.0.0.1, before EHLO.
    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// A connection from another address of 127.0.0.0/8, after EHLO.
    pub fn client_from(&self, address: &str) -> Client {
        self.client_as(address, "client.example.net")
    }

    /// The same with another name in EHLO.
    pub fn client_as(&self, address: &str, helo: &str) -> Client {
        let address: IpAddr = address.parse().unwrap_or_else(|_| panic!("{address} is no address"));
        let mut client = Client::connect_from(self.address(), address);
        client.ehlo(helo);
        client
    }

    /// Everything Sendmail has logged.
    pub fn log(&self) -> String {
        read_log(&self.folder.join("maillog"))
    }

    /// Waits until the log contains a text.
    pub fn wait_for_log(&self, text: &str) {
        wait_until(PATIENCE, &format!("Sendmail logs {text:?}"), || self.log().contains(text));
    }

    /// The configuration that was made.
    pub fn configuration(&self) -> String {
        read_log(&self.folder.join("sendmail.cf"))
    }

    /// A crash of all processes at once. The queue stays.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// A clean stop.
    pub fn stop(&mut self) {
        self.process.signal(Signal::Terminate);
        self.process.wait(PATIENCE);
    }

    /// Starts again after [`Sendmail::stop`] or [`Sendmail::kill`], with the queue as it was left.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder, self.ports);
    }

    /// Sendmail with these arguments and another configuration than the daemon's, beside the daemon.
    fn command(&self, configuration: &str, arguments: &[&str]) -> Command {
        let mut command = namespace::command(&self.folder);
        command.arg(format!("-C{}", self.folder.join(configuration).display())).args(arguments);
        command
    }
}

/// The line that defines a filter in the sendmail.cf made of lines of sendmail.mc.
pub fn filter_line(scratch: &Scratch, mc: &str) -> String {
    let cf = config::build(&scratch.dir("mc"), mc);
    let lines: Vec<_> = cf.lines().filter(|line| line.starts_with("Xmailward,")).collect();
    assert_eq!(lines.len(), 1, "one filter: {lines:?}");
    lines[0].to_owned()
}

/// The shipped part for sendmail.mc.
pub const SENDMAIL_PART: &str = config::PART;

fn launch(folder: &Path, ports: Ports) -> Process {
    let output = folder.join("output");
    let mut command = namespace::command(folder);
    command.arg(format!("-C{}", folder.join("sendmail.cf").display())).args(["-bD", "-q1s"]);
    let mut process = Process::start(&mut command, &output);
    wait_until(PATIENCE, "Sendmail starts", || {
        process.assert_running(&output);
        read_log(&folder.join("maillog")).contains("started as: ")
    });
    wait_listening("Sendmail", loopback(ports.smtp));
    process
}

/// A file of the unpacked packages.
///
/// # Panics
/// If they are not there.
fn unpacked(path: &str) -> PathBuf {
    let file = Path::new(UNPACKED).join(path);
    assert!(file.exists(), "there is no Sendmail in {UNPACKED}: run tests/setup-sendmail.sh {UNPACKED}");
    file
}
