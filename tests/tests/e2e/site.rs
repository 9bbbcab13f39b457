//! A whole site as most tests need it: DNS, Mailward, Postfix before it and the site's own server behind it.

use std::process::Command;

use mailward_tests::clock::{PATIENCE, wait_for};
use mailward_tests::dns::{self, Dns};
use mailward_tests::mailward::{self, Mailward};
use mailward_tests::postfix::{self, Postfix};
use mailward_tests::process::{program, run};
use mailward_tests::scratch::Scratch;
use mailward_tests::sink::Sink;
use mailward_tests::slapd::{PEOPLE, READER, READER_PASSWORD, Slapd};
use mailward_tests::smtp::{Delivery, Reply};
use serde_json::Value;

/// A client about which nothing is known.
pub(crate) const STRANGER: &str = "198.51.100.7";
/// A recipient.
pub(crate) const ALICE: &str = "alice@rig.test";
/// Another one.
pub(crate) const BOB: &str = "bob@rig.test";
/// A third one.
pub(crate) const CAROL: &str = "carol@rig.test";

/// What a site looks like.
pub(crate) struct Builder<'s> {
    scratch: Scratch,
    config: String,
    dns: dns::Builder,
    mailward: mailward::Builder,
    postfix: Box<dyn FnOnce(postfix::Builder) -> postfix::Builder + 's>,
}

/// A running site; parts that depend on others end first.
pub(crate) struct Site {
    pub(crate) postfix: Postfix,
    pub(crate) mailward: Mailward,
    pub(crate) dns: Dns,
    pub(crate) sink: Sink,
}

impl<'s> Builder<'s> {
    /// The names and lists in DNS.
    pub(crate) fn dns(mut self, dns: dns::Builder) -> Self {
        self.dns = dns;
        self
    }

    /// Another way to start the daemon.
    pub(crate) fn mailward(mut self, change: impl FnOnce(mailward::Builder) -> mailward::Builder) -> Self {
        self.mailward = change(self.mailward);
        self
    }

    /// Another Postfix.
    pub(crate) fn postfix(mut self, change: impl FnOnce(postfix::Builder) -> postfix::Builder + 's) -> Self {
        self.postfix = Box::new(change);
        self
    }

    /// Starts everything.
    pub(crate) fn start(self) -> Site {
        let dns = self.dns.start(&self.scratch);
        let sink = Sink::start();
        let config = format!(
            "{}\n[dns]\nservers = [\"{}\"]\n[state]\ndir = \"{}\"\n[log]\nformat = \"json\"\n",
            self.config,
            dns.address(),
            self.scratch.dir("state").display()
        );
        let mailward = self.mailward.config(config).milter("socket_mode = \"666\"").start(&self.scratch);
        let postfix = Postfix::delivering_to(&sink).milter(mailward.inet());
        let postfix = (self.postfix)(postfix).start(&self.scratch);
        Site { postfix, mailward, dns, sink }
    }
}

impl Site {
    /// Begins with this configuration of Mailward; where it keeps state, logs and asks DNS is added.
    pub(crate) fn builder<'s>(scratch: &Scratch, config: &str) -> Builder<'s> {
        Builder {
            scratch: scratch.clone(),
            config: config.to_owned(),
            dns: Dns::builder(),
            mailward: Mailward::builder(),
            postfix: Box::new(|postfix| postfix),
        }
    }

    /// One transaction on a connection of its own.
    pub(crate) fn send(&self, client: &str, from: &str, to: &[&str], message: impl AsRef<[u8]>) -> Delivery {
        self.postfix.client_from(client).send(from, to, message)
    }

    /// What `mailward dha list` prints.
    pub(crate) fn blocked(&self) -> String {
        String::from_utf8_lossy(&self.mailward.command(&["dha", "list"]).stdout).into_owned()
    }

    /// What `mailward explain` prints about a reference, as soon as history knows it.
    pub(crate) fn explain(&self, reference: &str) -> String {
        explain(&self.mailward, reference)
    }

    /// The log line about the first message or refused transaction of this envelope sender.
    pub(crate) fn line_about(&self, from: &str) -> Line {
        self.lines_about(from, 1).remove(0)
    }

    /// The log lines about its messages and refused transactions, as soon as there are so many.
    pub(crate) fn lines_about(&self, from: &str, count: usize) -> Vec<Line> {
        lines_about(&self.mailward, from, count)
    }
}

/// What `mailward explain` prints about a reference, as soon as history knows it.
pub(crate) fn explain(mailward: &Mailward, reference: &str) -> String {
    wait_for(PATIENCE, &format!("history knows {reference}"), || {
        let output = mailward.command(&["explain", reference]);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    })
}

/// The log lines about an envelope sender's messages and refused transactions, as soon as there are so many.
pub(crate) fn lines_about(mailward: &Mailward, from: &str, count: usize) -> Vec<Line> {
    let from = format!("<{from}>");
    wait_for(PATIENCE, &format!("Mailward logs {count} lines about {from}"), || {
        let lines = mailward.log().into_iter().map(Line);
        let lines: Vec<_> =
            lines.filter(|line| !line.text("verdict").is_empty() && line.text("from") == from).collect();
        (lines.len() >= count).then_some(lines)
    })
}

/// A log line about a message or a refused transaction.
#[derive(Clone, Debug)]
pub(crate) struct Line(Value);

impl Line {
    /// The value of a field, empty if it is not there.
    pub(crate) fn text(&self, field: &str) -> String {
        match &self.0[field] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The points of a finding as they are printed; `None` if it was not found.
    pub(crate) fn points_of(&self, finding: &str) -> Option<String> {
        let findings = self.text("findings");
        let found = findings.split(',').find_map(|f| f.strip_prefix(finding)?.strip_prefix(':'));
        found.map(str::to_owned)
    }

    /// Whether this was found.
    pub(crate) fn found(&self, finding: &str) -> bool {
        self.points_of(finding).is_some()
    }
}

/// The reference at the end of a reply.
pub(crate) fn reference(reply: &Reply) -> String {
    let text = reply.text();
    let found = text.strip_suffix(']').and_then(|text| text.rsplit_once(" [ref ")).map(|(_, found)| found.to_owned());
    found.unwrap_or_else(|| panic!("no reference in {reply}"))
}

/// A message as decent programs write it, to alice.
pub(crate) fn message(from: &str, subject: &str, body: &str) -> String {
    let date = String::from_utf8(run(Command::new(program("date", "coreutils")).arg("-R"))).expect("a date is text");
    format!(
        "Date: {}\nMessage-ID: <{subject}.1@example.net>\nFrom: {from}\nTo: {ALICE}\nSubject: {subject}\n\n{body}\n",
        date.trim()
    )
}

/// A message with one attachment, in base64.
pub(crate) fn with_attachment(from: &str, subject: &str, name: &str, content: &[u8]) -> String {
    let head = format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=cut=\"\nSubject: {subject}");
    let encoded = mailward_tests::base64::encode(content);
    let lines: Vec<_> = encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line)).collect();
    let body = format!(
        "--=cut=\nContent-Type: text/plain\n\nPlease find the file attached.\n--=cut=\n\
         Content-Type: application/octet-stream; name=\"{name}\"\n\
         Content-Disposition: attachment; filename=\"{name}\"\nContent-Transfer-Encoding: base64\n\n{}\n--=cut=--\n",
        lines.join("\n")
    );
    message(from, subject, &body).replace(&format!("Subject: {subject}"), &head)
}

/// `[directory]` for [`postfix::DOMAIN`] with this slapd over plain LDAP, and more lines for `[directory.ldap]`.
pub(crate) fn directory(scratch: &Scratch, slapd: &Slapd, more: &str) -> String {
    directory_at(scratch, &slapd.url(), more)
}

/// The same with a URL of choice.
pub(crate) fn directory_at(scratch: &Scratch, url: &str, more: &str) -> String {
    let password = scratch.file("reader.password", format!("{READER_PASSWORD}\n"));
    format!(
        "[directory]\ndomains = [\"{}\"]\n[directory.ldap]\nurl = \"{url}\"\nbase = \"{PEOPLE}\"\n\
         bind_dn = \"{READER}\"\nbind_password_file = \"{}\"\n{more}\n",
        postfix::DOMAIN,
        password.display()
    )
}
