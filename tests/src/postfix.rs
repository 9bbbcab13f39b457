//! Postfix as a site's edge relay: our own configuration parts from `postfix-conf/`, word for word, inside a private
//! instance that lets tests play any client (XCLIENT) and that delivers to a [`Sink`].

mod config;
mod queue;
mod submit;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::clock::{PATIENCE, wait_until};
use crate::ports::{free_port, loopback};
use crate::process::{Process, Signal, program};
use crate::scratch::{Scratch, give_to, make_dir, read_log, set_mode, set_modified, write};
use crate::sink::Sink;
use crate::smtp::{Client, Xclient};
use crate::tls::Identity;

pub use queue::Queued;

/// The domain for which Postfix relays unless the test names others.
pub const DOMAIN: &str = "rig.test";
/// The name of the host, for certificates and Authentication-Results.
pub const HOST: &str = "mx.rig.test";
/// Who may authenticate at the submission service.
pub const USER: &str = "alice";
/// The password of [`USER`].
pub const PASSWORD: &str = "wonderland";

/// What an instance looks like.
#[derive(Clone, Debug)]
pub struct Builder {
    milter: Option<String>,
    domains: Vec<String>,
    recipients: Option<Vec<String>>,
    batv: bool,
    certificate: Option<PathBuf>,
    chroot: bool,
    deliver_to: SocketAddr,
    settings: Vec<(String, String)>,
}

/// The ports of the services.
#[derive(Clone, Copy, Debug)]
struct Ports {
    smtp: u16,
    submission: u16,
    outbound: u16,
}

/// A running Postfix.
#[derive(Debug)]
pub struct Postfix {
    process: Process,
    folder: PathBuf,
    ports: Ports,
    builder: Builder,
    _scratch: Scratch,
}

impl Builder {
    /// The milter's socket as Postfix writes it: `inet:127.0.0.1:PORT`, `unix:/path`, or `unix:milter/name` below the
    /// queue directory. Without this, mail passes unfiltered.
    pub fn milter(mut self, socket: impl Into<String>) -> Builder {
        self.milter = Some(socket.into());
        self
    }

    /// The domains for which mail is relayed to the site, instead of [`DOMAIN`].
    pub fn domains(mut self, domains: &[&str]) -> Builder {
        self.domains = domains.iter().map(|&domain| domain.to_owned()).collect();
        self
    }

    /// The addresses in `relay_recipient_maps`. Without this, Postfix takes any address of its domains.
    pub fn recipients<S: Into<String>>(mut self, addresses: impl IntoIterator<Item = S>) -> Builder {
        self.recipients = Some(addresses.into_iter().map(Into::into).collect());
        self
    }

    /// Takes recipients with a BATV tag, and delivers to the address inside.
    pub fn batv(mut self) -> Builder {
        self.batv = true;
        self
    }

    /// Offers STARTTLS.
    pub fn certificate(mut self, identity: &Identity) -> Builder {
        self.certificate = Some(identity.chain.clone());
        self
    }

    /// Locks smtpd into the queue directory, as Debian's master.cf does.
    pub fn chroot(mut self) -> Builder {
        self.chroot = true;
        self
    }

    /// One more line of main.cf, which wins over all others.
    pub fn set(mut self, name: &str, value: &str) -> Builder {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it.
    pub fn start(self, scratch: &Scratch) -> Postfix {
        let folder = scratch.dir("postfix");
        lay_out(&folder);
        let ports = Ports { smtp: free_port(), submission: free_port(), outbound: free_port() };
        write_configuration(&folder, ports, &self);
        crate::sasl::serve(&folder.join("queue/private/auth"), USER, PASSWORD);
        let process = launch(&folder);
        Postfix { process, folder, ports, builder: self, _scratch: scratch.clone() }
    }
}

impl Postfix {
    /// An instance that delivers everything to this sink.
    pub fn delivering_to(sink: &Sink) -> Builder {
        Postfix::delivering_to_address(sink.address())
    }

    /// The same with any SMTP server.
    pub fn delivering_to_address(server: SocketAddr) -> Builder {
        Builder {
            milter: None,
            domains: vec![DOMAIN.to_owned()],
            recipients: None,
            batv: false,
            certificate: None,
            chroot: false,
            deliver_to: server,
            settings: Vec::new(),
        }
    }

    /// Where the world sends mail.
    pub fn address(&self) -> SocketAddr {
        loopback(self.ports.smtp)
    }

    /// Where users send mail, with TLS and a password.
    pub fn submission(&self) -> SocketAddr {
        loopback(self.ports.submission)
    }

    /// Where the site's own servers send mail, allowed by address.
    pub fn outbound(&self) -> SocketAddr {
        loopback(self.ports.outbound)
    }

    /// A connection from 127.0.0.1, before EHLO.
    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// A connection from another address, which has no name in DNS, after EHLO.
    pub fn client_from(&self, address: &str) -> Client {
        self.client_as(&Xclient::address(address), "client.example.net")
    }

    /// A connection from another client, after EHLO with this name.
    pub fn client_as(&self, client: &Xclient, helo: &str) -> Client {
        Client::connect_as(self.address(), client, helo)
    }

    /// The queue directory; a milter socket `unix:milter/name` lies in its folder `milter`.
    pub fn queue_directory(&self) -> PathBuf {
        self.folder.join("queue")
    }

    /// Everything Postfix has logged.
    pub fn log(&self) -> String {
        read_log(&self.log_file())
    }

    /// Waits until the log contains a text.
    pub fn wait_for_log(&self, text: &str) {
        wait_until(PATIENCE, &format!("Postfix logs {text:?}"), || self.log().contains(text));
    }

    /// Changes lines of main.cf and reloads; new connections see the change when this returns.
    pub fn reconfigure(&mut self, settings: &[(&str, &str)]) {
        let before = self.log().matches("reload -- version").count();
        let owned = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.builder.settings.extend(owned);
        write_configuration(&self.folder, self.ports, &self.builder);
        self.process.signal(Signal::Hangup);
        wait_until(PATIENCE, "Postfix reloads", || self.log().matches("reload -- version").count() > before);
        std::thread::sleep(Duration::from_millis(200)); // idle smtpd processes notice a little later, unlogged
    }

    /// A clean stop.
    pub fn stop(&mut self) {
        self.process.signal(Signal::Terminate);
        self.process.wait(PATIENCE);
    }

    /// A crash of all processes at once. The queue stays.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts again after [`Postfix::stop`] or [`Postfix::kill`], with the queue as it was left.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder);
    }

    /// The id of its master, which is also that of the group of all its processes, for measuring.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Where its configuration is, for `postconf -c` and the like.
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("etc")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("maillog")
    }
}

/// Folders with the owners and modes that `postfix check` would set, in a hundredth of its time.
fn lay_out(folder: &Path) {
    for name in ["etc", "mailward", "queue", "queue/pid", "queue/milter"] {
        make_dir(&folder.join(name), 0o755);
    }
    let private =
        ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"];
    for path in private.map(|name| folder.join("queue").join(name)).iter().chain([&folder.join("data")]) {
        make_dir(path, 0o700);
        give_to(path, "postfix", None);
    }
    for (name, mode) in [("queue/maildrop", 0o1730), ("queue/public", 0o2710)] {
        let path = folder.join(name);
        make_dir(&path, mode);
        give_to(&path, "postfix", Some("postdrop"));
        set_mode(&path, mode); // giving it away has cleared the special bits
    }
}

fn write_configuration(folder: &Path, ports: Ports, builder: &Builder) {
    if let Some(recipients) = &builder.recipients {
        let table: String = recipients.iter().map(|address| format!("{address} ok\n")).collect();
        write(&folder.join("mailward/recipients"), table);
    }
    write(&folder.join("mailward/batv-recipients"), config::BATV_RECIPIENTS);
    // A main.cf younger than two seconds makes every Postfix program wait until it is older.
    let past = SystemTime::now() - Duration::from_secs(60);
    let files = [("main.cf", config::main_cf(folder, builder)), ("master.cf", config::master_cf(ports, builder))];
    for (name, text) in files {
        let path = folder.join("etc").join(name);
        write(&path, text);
        set_modified(&path, past);
    }
}

fn launch(folder: &Path) -> Process {
    let log = folder.join("maillog");
    let starts = || read_log(&log).matches("daemon started").count();
    let before = starts();
    let output = folder.join("output");
    let mut command = Command::new(program("master", "postfix"));
    let mut process = Process::start(command.arg("-c").arg(folder.join("etc")).arg("-d"), &output);
    wait_until(PATIENCE, "Postfix starts", || {
        process.assert_running(&log);
        starts() > before
    });
    process
}
