//! Exim as a site's edge relay: our own plugin and `examples/exim/exim.conf.part`, word for word, inside a private
//! instance that delivers to a [`Sink`].
//!
//! Debian's packages of Exim and Postfix exclude each other, so Exim is not installed but unpacked
//! (`tests/setup-exim.sh`). A test plays any client by the PROXY protocol. Exim drops to its own user before it loads the
//! plugin, so all that the plugin reads must be open to everybody.

mod config;
mod plugin;
mod queue;

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::clock::{PATIENCE, wait_until};
use crate::mailward::binary;
use crate::ports::{free_port, loopback, wait_listening};
use crate::process::{Process, Signal, output, output_of, program};
use crate::scratch::{Scratch, give_to, make_dir, read_log, system_id, write};
use crate::sink::Sink;
use crate::smtp::Client;
use crate::tls::Identity;

/// Where `tests/setup-exim.sh` has unpacked the packages.
const UNPACKED: &str = "/usr/local/lib/mailward-tests/exim";
/// Exim's user.
const USER: &str = "Debian-exim";
/// Exim asks DNS for the name of every client of the PROXY protocol, whatever it is told: here nobody answers, at once.
const SCRIPT: &str = "mount --bind \"$1\" /etc/resolv.conf\nshift\nexec \"$@\"\n";

/// What an instance looks like.
#[derive(Clone, Debug)]
pub struct Builder {
    config: String,
    state: Option<PathBuf>,
    macros: Vec<(String, String)>,
    settings: Vec<String>,
    recipient_rules: Vec<String>,
    content_rules: Vec<String>,
    has_mailward: bool,
    certificate: Option<Identity>,
    user: Option<(String, String)>,
    deliver_to: SocketAddr,
}

/// A running Exim with Mailward inside.
#[derive(Debug)]
pub struct Exim {
    process: Process,
    folder: PathBuf,
    port: u16,
    _scratch: Scratch,
}

impl Builder {
    /// The text of mailward.toml; where it keeps its state is added.
    pub fn config(mut self, toml: impl Into<String>) -> Builder {
        self.config = toml.into();
        self
    }

    /// Another folder for the state.
    pub fn state(mut self, folder: impl Into<PathBuf>) -> Builder {
        self.state = Some(folder.into());
        self
    }

    /// A setting that the shipped part leaves to the site, for instance `MAILWARD_TROUBLE`.
    pub fn set(mut self, name: &str, value: &str) -> Builder {
        self.macros.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Records all connections in this folder, which becomes that of Exim's user.
    pub fn record(self, folder: &Path) -> Builder {
        give_to(folder, USER, Some(USER));
        self.set("MAILWARD_RECORD", &folder.display().to_string())
    }

    /// One more line of Exim's main section.
    pub fn setting(mut self, line: &str) -> Builder {
        self.settings.push(line.to_owned());
        self
    }

    /// A rule of the site's ACL for recipients, behind Mailward's.
    pub fn recipient_rule(mut self, rule: &str) -> Builder {
        self.recipient_rules.push(rule.to_owned());
        self
    }

    /// Leaves Mailward out.
    pub fn without_mailward(mut self) -> Builder {
        self.has_mailward = false;
        self
    }

    /// A rule of an ACL for the content, which an Exim without Mailward has.
    pub fn content_rule(mut self, rule: &str) -> Builder {
        self.content_rules.push(rule.to_owned());
        self
    }

    /// STARTTLS with this certificate.
    pub fn certificate(mut self, identity: &Identity) -> Builder {
        self.certificate = Some(identity.clone());
        self
    }

    /// Somebody who may log in by AUTH PLAIN, over TLS.
    pub fn user(mut self, name: &str, password: &str) -> Builder {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// Builds the plugin and starts Exim.
    pub fn start(self, scratch: &Scratch) -> Exim {
        let folder = scratch.dir("exim");
        let port = free_port();
        for name in ["spool", "log", "state"] {
            make_dir(&folder.join(name), 0o755);
            give_to(&folder.join(name), USER, Some(USER));
        }
        let state = format!("\n[state]\ndir = \"{}\"\n", folder.join("state").display());
        write(&folder.join("mailward.toml"), self.config.clone() + &state);
        write(&folder.join("resolv.conf"), "nameserver 127.0.0.1\n");
        let certificate = self.certificate.iter();
        for (name, file) in certificate.flat_map(|of| [("tls.crt", &of.certificate), ("tls.key", &of.key)]) {
            std::fs::copy(file, folder.join(name)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            give_to(&folder.join(name), USER, Some(USER));
        }
        let plugin = plugin::build(&folder);
        write(&folder.join("exim.conf"), config::text(&folder, port, &plugin, &self));
        let log = folder.join("output");
        let mut process = Process::start(exim(&folder).args(["-bdf", "-q1s"]), &log);
        wait_until(PATIENCE, "Exim starts", || {
            process.assert_running(&log);
            read_log(&folder.join("log/mainlog")).contains("daemon started")
        });
        wait_listening("Exim", loopback(port));
        Exim { process, folder, port, _scratch: scratch.clone() }
    }
}

impl Exim {
    /// An instance that delivers everything to this sink.
    pub fn delivering_to(sink: &Sink) -> Builder {
        Exim::delivering_to_address(sink.address())
    }

    /// An instance that delivers everything to the SMTP server at this address.
    pub fn delivering_to_address(deliver_to: SocketAddr) -> Builder {
        Builder {
            config: String::new(),
            state: None,
            macros: Vec::new(),
            settings: Vec::new(),
            recipient_rules: Vec::new(),
            content_rules: Vec::new(),
            has_mailward: true,
            certificate: None,
            user: None,
            deliver_to,
        }
    }

    /// A connection from this address, before EHLO.
    pub fn connect_from(&self, address: &str) -> Client {
        Client::connect_proxied(loopback(self.port), address)
    }

    /// A connection from this address, after EHLO.
    pub fn client_from(&self, address: &str) -> Client {
        let mut client = self.connect_from(address);
        let reply = client.ehlo("client.example.net");
        assert_eq!(reply.code, 250, "{} {reply} {}", client.banner(), self.log());
        client
    }

    /// Hands a message in as a program on this host does, by the command `sendmail`, as root.
    pub fn submit(&self, arguments: &[&str], message: &str) -> Output {
        let file = self.folder.join("submitted");
        write(&file, message);
        let input = std::fs::File::open(&file).expect("it has just been written");
        output_of(exim(&self.folder).args(arguments).stdin(input))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// The daemon's process, whose group the processes of its connections belong to.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Everything in Exim's main log.
    pub fn log(&self) -> String {
        read_log(&self.folder.join("log/mainlog"))
    }

    /// Waits until the main log contains a text.
    pub fn wait_for_log(&self, text: &str) {
        wait_until(PATIENCE, &format!("Exim logs {text:?}"), || self.log().contains(text));
    }

    /// Tells the daemon to read everything again.
    pub fn reload(&mut self) {
        let started = self.log().matches("daemon started").count();
        self.process.signal(Signal::Hangup);
        wait_until(PATIENCE, "Exim starts again", || self.log().matches("daemon started").count() > started);
        wait_listening("Exim", loopback(self.port));
    }

    /// Writes another mailward.toml: the next connection has it.
    pub fn configure(&self, toml: &str) {
        write(&self.folder.join("mailward.toml"), toml);
    }

    /// The configuration of Mailward.
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("mailward.toml")
    }

    /// The plugin.
    pub fn plugin(&self) -> PathBuf {
        self.folder.join(plugin::NAME)
    }

    /// Runs another command of Mailward as Exim's user, with the configuration and the state that the plugin has:
    /// `mailward ARGUMENTS --config FILE`.
    pub fn mailward(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--config").arg(self.folder.join("mailward.toml")).current_dir(&self.folder);
        output(command.uid(system_id("/etc/passwd", USER)).gid(system_id("/etc/group", USER)))
    }
}

/// Exim with this configuration, without other arguments so far.
fn exim(folder: &Path) -> Command {
    let mut command = Command::new(program("unshare", "util-linux"));
    command.args(["--mount", "sh", "-ec", SCRIPT, "sh"]).arg(folder.join("resolv.conf"));
    command.arg(unpacked("usr/sbin/exim4")).arg("-C").arg(folder.join("exim.conf"));
    command
}

/// A file of the unpacked packages.
///
/// # Panics
/// If they are not there.
fn unpacked(path: &str) -> PathBuf {
    let file = Path::new(UNPACKED).join(path);
    assert!(file.exists(), "there is no Exim in {UNPACKED}: run tests/setup-exim.sh {UNPACKED}");
    file
}
