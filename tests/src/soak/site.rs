//! The site under test: everything that Mailward can depend on, each told to defer when it is in trouble.

use std::collections::HashSet;

use rusqlite::Connection;

use super::letter::{DISCARD, LISTED, PEOPLE};
use crate::clamd::Clamd;
use crate::disk::TinyDisk;
use crate::dns::{DNSBL, Dns};
use crate::mailward::Mailward;
use crate::postfix::Postfix;
use crate::scratch::Scratch;
use crate::sink::Sink;
use crate::slapd::{PEOPLE as BASE, Person, READER, READER_PASSWORD, Slapd};
use crate::tls::Authority;

/// Size of the disk that holds the state. Unit: KiB.
const DISK: u32 = 64 << 10;

/// A running site; parts that depend on others end first.
pub(super) struct Site {
    pub(super) postfix: Postfix,
    pub(super) mailward: Mailward,
    pub(super) slapd: Slapd,
    pub(super) clamd: Clamd,
    pub(super) dns: Dns,
    pub(super) sink: Sink,
    pub(super) disk: TinyDisk,
}

impl Site {
    pub(super) fn start(scratch: &Scratch) -> Site {
        let authority = Authority::new(scratch);
        let people = Slapd::builder().person(Person::new("drop", "rig.test")).people(PEOPLE, "rig.test");
        let slapd = people.start(scratch, &authority);
        let clamd = Clamd::start(scratch);
        let dns = Dns::builder().listed(LISTED).start(scratch);
        let disk = TinyDisk::mount(scratch, DISK);
        let sink = Sink::start();
        let password = scratch.file("reader.password", READER_PASSWORD);
        let config = format!(
            "[deadlines]\nreply = \"1500ms\"\nmessage = \"2s\"\n[dha]\nmode = \"off\"\n[log]\nformat = \"json\"\n\
             [dns]\nservers = [\"{dns}\"]\n[state]\ndir = \"{state}\"\n\
             [[reputation.dnsbl]]\nzone = \"{DNSBL}\"\nrefuse = [\"127.0.0.2\"]\non_trouble = \"defer\"\n\
             [authentication]\ndns_trouble = \"defer\"\n\
             [malware]\nclamd = \"unix:{clamd}\"\nclamd_on_trouble = \"defer\"\n\
             [directory]\ndomains = [\"rig.test\"]\n[directory.ldap]\nurl = \"{ldap}\"\nbase = \"{BASE}\"\n\
             bind_dn = \"{READER}\"\nbind_password_file = \"{password}\"\ntimeout = \"1s\"\ncache = {{ valid = \"1s\" }}\n\
             on_trouble = \"defer\"\n\
             [[policy]]\nname = \"drop\"\nto = [\"{DISCARD}\"]\nthen = \"discard\"\n",
            dns = dns.address(),
            state = disk.path().join("state").display(),
            clamd = clamd.socket().display(),
            ldap = slapd.url(),
            password = password.display(),
        );
        let mailward = Mailward::builder().config(config).start(scratch);
        let postfix = Postfix::delivering_to(&sink).milter(mailward.inet()).start(scratch);
        Site { postfix, mailward, slapd, clamd, dns, sink, disk }
    }

    /// A connection of another process to one of the stores.
    pub(super) fn store(&self, file: &str) -> rusqlite::Result<Connection> {
        Connection::open(self.disk.path().join("state").join(file))
    }

    /// The senders of messages that history says were discarded. Ends the daemon, so that all is written.
    pub(super) fn discards_on_record(&mut self) -> HashSet<String> {
        assert!(self.mailward.terminate().success(), "the daemon ends well");
        let store = self.store("mailward.db").expect("the durable store can be opened");
        let mut rows = store
            .prepare("SELECT DISTINCT sender FROM history WHERE verdict = 'discard'")
            .expect("history can be asked");
        let senders = rows.query_map([], |row| row.get(0)).expect("history can be read");
        senders.collect::<Result<_, _>>().expect("history can be read to its end")
    }
}
