//! OpenLDAP with a small organisation that looks both like a unix site (`mail`, `mailLocalAddress`) and like Active
//! Directory (`proxyAddresses`, `sAMAccountName`, `userAccountControl`).

mod entries;
mod schema;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::clock::{PATIENCE, wait_until};
use crate::ports::{free_port, wait_listening};
use crate::process::{Process, Signal, output, program, run};
use crate::scratch::{Scratch, make_dir, write};
use crate::tls::{Authority, Identity};

pub use entries::{Group, Person};

/// Where the directory begins.
pub const BASE: &str = "dc=rig,dc=test";
/// Where people and groups are.
pub const PEOPLE: &str = "ou=people,dc=rig,dc=test";
/// The account that a filter uses; it may read all but passwords. Anonymous clients may read nothing.
pub const READER: &str = "cn=reader,dc=rig,dc=test";
/// The password of [`READER`].
pub const READER_PASSWORD: &str = "readpw";

const ADMIN: &str = "cn=admin,dc=rig,dc=test";
const ADMIN_PASSWORD: &str = "secret";

/// Who is in the directory at the start.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    people: Vec<Person>,
    groups: Vec<Group>,
}

/// A running slapd, reachable by `ldap://` (with StartTLS) and `ldaps://` at 127.0.0.1.
#[derive(Debug)]
pub struct Slapd {
    process: Process,
    folder: PathBuf,
    port: u16,
    tls_port: u16,
    ca_file: PathBuf,
    _scratch: Scratch,
}

impl Builder {
    /// Adds a person.
    pub fn person(mut self, person: Person) -> Builder {
        self.people.push(person);
        self
    }

    /// Adds `count` people: `user1@domain` and so on.
    pub fn people(mut self, count: u32, domain: &str) -> Builder {
        self.people.extend((1..=count).map(|n| Person::new(&format!("user{n}"), domain)));
        self
    }

    /// Adds a group.
    pub fn group(mut self, group: Group) -> Builder {
        self.groups.push(group);
        self
    }

    /// Starts slapd with a certificate of this authority for `ldap.rig.test` and 127.0.0.1.
    pub fn start(self, scratch: &Scratch, authority: &Authority) -> Slapd {
        let folder = scratch.dir("slapd");
        make_dir(&folder.join("db"), 0o700);
        let entries: String = self.people.iter().map(Person::ldif).chain(self.groups.iter().map(Group::ldif)).collect();
        write(&folder.join("ad.schema"), schema::ACTIVE_DIRECTORY);
        write(&folder.join("base.ldif"), schema::ORGANISATION.to_owned() + &entries);
        let identity = authority.identity("ldap.rig.test");
        write(&folder.join("slapd.conf"), configuration(&folder, authority.ca_file(), &identity));
        let mut load = Command::new(program("slapadd", "slapd"));
        run(load.arg("-q").arg("-f").arg(folder.join("slapd.conf")).arg("-l").arg(folder.join("base.ldif")));
        let (port, tls_port) = (free_port(), free_port());
        let process = launch(&folder, port, tls_port);
        let ca_file = authority.ca_file().to_owned();
        let slapd = Slapd { process, folder, port, tls_port, ca_file, _scratch: scratch.clone() };
        slapd.wait_ready();
        slapd
    }
}

impl Slapd {
    /// Begins with nobody.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `ldap://…`; StartTLS works with it.
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// `ldaps://…`.
    pub fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    /// The port of `ldap://`, for a [`GarbageServer`](crate::garbage::GarbageServer) to take over.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that signed for it.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Adds a person at run time.
    pub fn add(&self, person: &Person) {
        let file = self.folder.join("add.ldif");
        write(&file, person.ldif());
        run(self.as_admin("ldapadd").arg("-f").arg(file));
    }

    /// Removes a person at run time.
    pub fn remove(&self, uid: &str) {
        run(self.as_admin("ldapdelete").arg(format!("uid={uid},{PEOPLE}")));
    }

    /// Removes all people and groups: every search finds nothing.
    pub fn remove_everybody(&self) {
        self.remove_branch();
        let file = self.folder.join("people.ldif");
        write(&file, schema::PEOPLE);
        run(self.as_admin("ldapadd").arg("-f").arg(file));
    }

    /// Removes the branch itself: every search below [`PEOPLE`] ends with `noSuchObject`.
    pub fn remove_branch(&self) {
        run(self.as_admin("ldapdelete").arg("-r").arg(PEOPLE));
    }

    /// Searches with the command line client as [`READER`]; `how` are options such as `-H URL`, `-ZZ`.
    pub fn search(&self, how: &[&str], filter: &str) -> Output {
        let mut command = client("ldapsearch");
        command.env("LDAPTLS_CACERT", &self.ca_file).args(["-LLL", "-D", READER, "-w", READER_PASSWORD]);
        output(command.args(how).args(["-b", BASE, filter, "dn"]))
    }

    /// Sends a signal: [`Signal::Stop`] hangs it.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Crashes it: its ports are closed.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after [`Slapd::kill`], on the same ports, with what it knew.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder, self.port, self.tls_port);
        self.wait_ready();
    }

    fn as_admin(&self, name: &str) -> Command {
        let mut command = client(name);
        command.args(["-H", &self.url(), "-D", ADMIN, "-w", ADMIN_PASSWORD]);
        command
    }

    fn wait_ready(&self) {
        for port in [self.port, self.tls_port] {
            wait_listening("slapd", crate::ports::loopback(port));
        }
        wait_until(PATIENCE, "slapd answers", || self.search(&["-H", &self.url()], "(cn=reader)").status.success());
    }
}

/// A command line client with a simple bind.
fn client(name: &str) -> Command {
    let mut command = Command::new(program(name, "ldap-utils"));
    command.arg("-x");
    command
}

fn launch(folder: &Path, port: u16, tls_port: u16) -> Process {
    let mut command = Command::new(program("slapd", "slapd"));
    command.arg("-f").arg(folder.join("slapd.conf")).args(["-d", "0", "-h"]);
    command.arg(format!("ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/"));
    Process::start(&mut command, &folder.join("output"))
}

fn configuration(folder: &Path, ca_file: &Path, identity: &Identity) -> String {
    let (folder, ca_file) = (folder.display(), ca_file.display());
    let (certificate, key) = (identity.certificate.display(), identity.key.display());
    format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/misc.schema
include {folder}/ad.schema
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit 500
TLSCACertificateFile {ca_file}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
database mdb
maxsize 268435456
suffix \"{BASE}\"
rootdn \"{ADMIN}\"
rootpw {ADMIN_PASSWORD}
directory {folder}/db
dbnosync
index objectClass,mail,mailLocalAddress,proxyAddresses,member eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=\"{READER}\" read by anonymous auth by users read
"
    )
}
