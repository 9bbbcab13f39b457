//! The filters that are measured, each running on a unix socket from a folder of its own.

use std::any::Any;
use std::path::{Path, PathBuf};

use mailward_tests::mailward::Mailward;
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::scratch::Scratch;

use crate::corpus::Sample;
use crate::process;
use crate::rspamd::{self, Rspamd};

/// What ours is called in the report.
pub(crate) const OURS: &str = "mailward";
/// rspamd with its rules alone.
pub(crate) const RULES: &str = "rspamd-local";
/// rspamd with its statistical classifier.
pub(crate) const BAYES: &str = "rspamd-local+bayes";

/// A running filter. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) socket: PathBuf,
    groups: Vec<u32>,
    /// What else the report says about it.
    pub(crate) note: String,
    _running: Box<dyn Any>,
}

impl Peer {
    /// CPU time of its processes so far. Unit: ms.
    pub(crate) fn cpu(&self) -> f64 {
        process::cpu(&self.groups).as_secs_f64() * 1e3
    }

    /// Memory of its processes. Unit: MiB.
    pub(crate) fn pss(&self) -> f64 {
        process::pss(&self.groups)
    }

    /// Waits until it does nothing any more.
    pub(crate) fn settle(&self) {
        process::settle(&self.groups);
    }

    /// The socket as Postfix writes it.
    pub(crate) fn inet(&self) -> String {
        format!("unix:{}", self.socket.display())
    }
}

/// Ours, and rspamd where it is installed: with its rules, and with its classifier too if that is wanted and the sample
/// can train it.
pub(crate) fn start(scratch: &Scratch, dns: &NxDomain, sample: &Sample, with_bayes: bool) -> Vec<Peer> {
    let mut peers = vec![ours(scratch, dns, sample, "")];
    if !rspamd::is_installed() {
        println!("rspamd is not installed (apt-get install rspamd redis-server): ours is measured alone");
        return peers;
    }
    peers.push(theirs(RULES, Rspamd::start(scratch, dns, None)));
    if with_bayes && sample.ham.is_empty() {
        println!(
            "rspamd's classifier needs ham and spam to learn from: MAILWARD_CORPUS=DIR with the SpamAssassin corpus"
        );
    } else if with_bayes && !rspamd::has_redis() {
        println!("redis-server is not installed: rspamd's classifier is left out");
    } else if with_bayes {
        peers.push(theirs(BAYES, Rspamd::start(scratch, dns, Some(sample))));
    }
    peers.iter().for_each(Peer::settle);
    peers
}

fn theirs(name: &'static str, rspamd: Rspamd) -> Peer {
    let (socket, groups, note) = (rspamd.socket(), rspamd.groups(), rspamd.note());
    Peer { name, socket, groups, note, _running: Box::new(rspamd) }
}

/// Every layer is on, apart from clamd: a DNS list, SPF, DKIM, ARC and DMARC (of which DNS knows nothing), the
/// directory, harvest protection, rates, learned reputation, YARA, rules, the classifier (trained like rspamd's),
/// history. `more` is added to its configuration.
pub(crate) fn ours(scratch: &Scratch, dns: &NxDomain, sample: &Sample, more: &str) -> Peer {
    let socket = scratch.path().join("mailward.sock");
    let state = format!("[state]\ndir = \"{}\"\n", scratch.dir("state").display());
    let configuration = configuration(scratch, dns) + &state + more;
    let learned = learn(scratch, &configuration, sample);
    let mailward = Mailward::builder().config(configuration).milter("socket_mode = \"666\"").socket(&socket);
    let mailward = mailward.start(scratch);
    let groups = vec![mailward.process_id()];
    let note = format!("{}, {learned}", version());
    Peer { name: OURS, socket, groups, note, _running: Box::new(mailward) }
}

/// Has the classifier learn the training half; tells how much.
fn learn(scratch: &Scratch, configuration: &str, sample: &Sample) -> String {
    if sample.ham.is_empty() {
        return "its classifier has learned nothing".to_owned();
    }
    let config = scratch.file("learn.toml", configuration);
    for (class, messages) in [("ham", &sample.ham), ("spam", &sample.spam)] {
        let folder = scratch.dir(class);
        for (number, message) in messages.iter().enumerate() {
            std::fs::write(folder.join(format!("{number}.eml")), message).expect("the scratch folder can be written");
        }
        let arguments = ["--config", config.to_str().expect("UTF-8"), "learn", class, folder.to_str().expect("UTF-8")];
        let output = mailward_tests::mailward::command(Path::new("/"), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    format!("has learned {} ham and {} spam", sample.ham.len(), sample.spam.len())
}

/// But for where the state is kept.
pub(crate) fn configuration(scratch: &Scratch, dns: &NxDomain) -> String {
    let recipients = scratch.file("recipients.csv", "address\nalice@rig.test\nbob@rig.test\n");
    format!(
        "[networks]\ninternal = [\"192.0.2.1\"]\n\
         [[reputation.dnsbl]]\nname = \"list\"\nzone = \"dnsbl.test\"\nrefuse = [\"127.0.0.2\"]\n\
         [directory]\ndomains = [\"rig.test\"]\nfiles = [\"{}\"]\n[dha]\nmode = \"enforce\"\n\
         [dns]\nservers = [\"{}\"]\n",
        recipients.display(),
        dns.address()
    )
}

fn version() -> String {
    let output = mailward_tests::mailward::command(Path::new("/"), &["--version"]);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
