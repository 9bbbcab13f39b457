//! Mailward behind a real Sendmail: what the other modules show for Postfix, as far as Sendmail lets a milter do it.

mod authentication;
mod batv;
mod content;
mod dha;
mod faults;
mod lifecycle;
mod local;
mod mail_flow;
mod policy;
mod recipients;
mod recording;
mod reputation;
mod setup;
mod signing;

use mailward_tests::dns::{self, Dns};
use mailward_tests::mailward::{self, Mailward};
use mailward_tests::postfix::HOST;
use mailward_tests::scratch::Scratch;
use mailward_tests::sendmail::{self, Sendmail};
use mailward_tests::sink::{Message, Sink};
use mailward_tests::smtp::Delivery;

use crate::site::{ALICE, Line, lines_about};

/// A client about which nothing is known. Foreign, as only 127.0.0.1 and ::1 are internal here.
const STRANGER: &str = "127.9.0.7";

/// What a site looks like.
struct Builder<'s> {
    scratch: Scratch,
    config: String,
    internal: &'s str,
    dns: dns::Builder,
    mailward: mailward::Builder,
    sendmail: Box<dyn FnOnce(sendmail::Builder) -> sendmail::Builder + 's>,
}

/// A running site; parts that depend on others end first.
struct Site {
    sendmail: Sendmail,
    mailward: Mailward,
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

    /// The networks that are Mailward's own, instead of 127.0.0.1 and ::1.
    fn internal(mut self, networks: &'s str) -> Self {
        self.internal = networks;
        self
    }

    /// Another way to start the daemon.
    fn mailward(mut self, change: impl FnOnce(mailward::Builder) -> mailward::Builder) -> Self {
        self.mailward = change(self.mailward);
        self
    }

    /// Another Sendmail.
    fn sendmail(mut self, change: impl FnOnce(sendmail::Builder) -> sendmail::Builder + 's) -> Self {
        self.sendmail = Box::new(change);
        self
    }

    /// Starts everything.
    fn start(self) -> Site {
        let dns = self.dns.start(&self.scratch);
        let sink = Sink::start();
        let config = format!(
            "{}\n[networks]\ninternal = {}\n[dns]\nservers = [\"{}\"]\n[state]\ndir = \"{}\"\n[log]\nformat = \"json\"\n",
            self.config,
            self.internal,
            dns.address(),
            self.scratch.dir("state").display()
        );
        let mailward = self.mailward.config(config).start(&self.scratch);
        let milter = format!("inet:{}@127.0.0.1", mailward.address().port());
        let sendmail = (self.sendmail)(Sendmail::delivering_to(&sink).milter(milter)).start(&self.scratch);
        Site { sendmail, mailward, dns, sink }
    }
}

impl Site {
    /// Begins with this configuration of Mailward; own networks, state, log and DNS are added.
    fn builder<'s>(scratch: &Scratch, config: &str) -> Builder<'s> {
        Builder {
            scratch: scratch.clone(),
            config: config.to_owned(),
            internal: "[\"127.0.0.1\", \"::1\"]",
            dns: Dns::builder(),
            mailward: Mailward::builder(),
            sendmail: Box::new(|sendmail| sendmail),
        }
    }

    /// One transaction on a connection of its own.
    fn send(&self, client: &str, from: &str, to: &[&str], message: impl AsRef<[u8]>) -> Delivery {
        self.sendmail.client_from(client).send(from, to, message)
    }

    /// One message to Alice from a stranger.
    fn send_to_alice(&self, from: &str, message: impl AsRef<[u8]>) -> Delivery {
        self.send(STRANGER, from, &[ALICE], message)
    }

    /// What `mailward dha list` prints.
    fn blocked(&self) -> String {
        String::from_utf8_lossy(&self.mailward.command(&["dha", "list"]).stdout).into_owned()
    }

    /// The log line about the first message or refused transaction of this envelope sender.
    fn line_about(&self, from: &str) -> Line {
        lines_about(&self.mailward, from, 1).remove(0)
    }
}

/// The results that Mailward has added.
fn results(message: &Message) -> String {
    let all = message.all_headers("Authentication-Results");
    let own: Vec<_> = all.into_iter().filter(|field| field.starts_with(&format!("{HOST};"))).collect();
    assert_eq!(own.len(), 1, "one field of ours: {:?}", message.headers());
    own[0].clone()
}

fn code(reply: &mailward_tests::smtp::Reply) -> String {
    format!("{} {}", reply.code, reply.enhanced().unwrap_or_default())
}

/// The recipients; Sendmail has an order of its own.
fn sorted(message: &Message) -> Vec<String> {
    let mut to = message.to.clone();
    to.sort();
    to
}
