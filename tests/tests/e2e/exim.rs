//! Mailward inside a real Exim, by the plugin of `examples/exim/`: each connection is a process with an engine of its own.

mod classifier;
mod dha;
mod faults;
mod local;
mod mail_flow;
mod policy;
mod recipients;
mod recording;
mod reputation;
mod scanning;
mod submission;

use mailward_tests::dns::{self, Dns};
use mailward_tests::exim::{self, Exim};
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Sink;
use mailward_tests::smtp::{Delivery, Reply};

use crate::site::{ALICE, STRANGER};

/// The two ways in which the plugin gets the message.
const BY_LOCAL_SCAN: &str = "";
const BY_ACL: &str = "MAILWARD_BY_ACL";

/// What a site looks like.
struct Builder<'s> {
    scratch: Scratch,
    config: String,
    dns: dns::Builder,
    exim: Box<dyn FnOnce(exim::Builder) -> exim::Builder + 's>,
}

/// A running site; parts that depend on others end first.
struct Site {
    exim: Exim,
    #[allow(dead_code, reason = "it answers as long as it lives")]
    dns: Dns,
    sink: Sink,
}

impl<'s> Builder<'s> {
    /// The names and lists in DNS.
    fn dns(mut self, dns: dns::Builder) -> Self {
        self.dns = dns;
        self
    }

    /// Another Exim.
    fn exim(mut self, change: impl FnOnce(exim::Builder) -> exim::Builder + 's) -> Self {
        self.exim = Box::new(change);
        self
    }

    /// Starts everything.
    fn start(self) -> Site {
        let dns = self.dns.start(&self.scratch);
        let sink = Sink::start();
        let config = format!("{}\n[dns]\nservers = [\"{}\"]\n", self.config, dns.address());
        let exim = (self.exim)(Exim::delivering_to(&sink).config(config)).start(&self.scratch);
        Site { exim, dns, sink }
    }
}

impl Site {
    /// Begins with this configuration of Mailward; state and DNS are added.
    fn builder<'s>(scratch: &Scratch, config: &str) -> Builder<'s> {
        Builder {
            scratch: scratch.clone(),
            config: config.to_owned(),
            dns: Dns::builder(),
            exim: Box::new(|exim| exim),
        }
    }

    /// The same for one of the two ways.
    fn builder_by<'s>(scratch: &Scratch, way: &'static str, config: &str) -> Builder<'s> {
        Site::builder(scratch, config).exim(move |exim| if way.is_empty() { exim } else { exim.set(way, "yes") })
    }

    /// One transaction on a connection of its own.
    fn send(&self, client: &str, from: &str, to: &[&str], message: impl AsRef<[u8]>) -> Delivery {
        let mut client = self.exim.client_from(client);
        let delivery = client.send(from, to, message);
        client.quit();
        delivery
    }

    /// One message to Alice from a stranger.
    fn send_to_alice(&self, from: &str, message: impl AsRef<[u8]>) -> Delivery {
        self.send(STRANGER, from, &[ALICE], message)
    }

    /// What a command of Mailward prints about the state that all processes share.
    fn ask(&self, arguments: &[&str]) -> String {
        let output = self.exim.mailward(arguments);
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

/// `[directory]` with these people in a file.
fn directory(scratch: &Scratch, people: &[&str]) -> String {
    let file = scratch.file("people.csv", format!("address\n{}\n", people.join("\n")));
    format!("[directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n", file.display())
}

fn code(reply: &Reply) -> String {
    format!("{} {}", reply.code, reply.enhanced().unwrap_or_default())
}

/// The text in one line: Exim breaks a long one, and repeats the enhanced code in each line.
fn flat(reply: &Reply) -> String {
    let enhanced = reply.enhanced().unwrap_or_default().to_owned();
    let lines = reply.lines.iter().map(|line| line.strip_prefix(&enhanced).unwrap_or(line).trim().to_owned());
    lines.collect::<Vec<_>>().join(" ")
}
