//! rspamd as a milter: Debian's stock configuration with the modules off that ask the network, two proxy workers that
//! scan themselves, and, if wanted, the Bayes classifier with a Redis of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mailward_tests::clock::{wait_for, wait_until};
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::ports::{free_port, wait_listening};
use mailward_tests::process::{Process, Signal, output, program, run};
use mailward_tests::scratch::{Scratch, make_dir, write};

use crate::corpus::Sample;
use crate::process;

/// Modules that ask the network or a server that is not there, and greylisting, which would defer everything.
const OFF: [&str; 15] = [
    "rbl",
    "surbl",
    "spf",
    "dkim",
    "dmarc",
    "arc",
    "asn",
    "fuzzy_check",
    "mx_check",
    "emails",
    "url_redirector",
    "dkim_signing",
    "hfilter",
    "greylist",
    "phishing",
];
/// Messages of each class from which the classifier has an opinion. Source: `min_learns` of Debian's statistic.conf.
const LEARNED: usize = 200;
/// How long its start may take: at the very first it compiles thousands of patterns.
const START: Duration = Duration::from_secs(180);

/// A running rspamd.
#[derive(Debug)]
pub(crate) struct Rspamd {
    process: Process,
    redis: Option<Process>,
    folder: PathBuf,
    learned: String,
}

/// Whether there is anything to measure.
pub(crate) fn is_installed() -> bool {
    Path::new("/usr/bin/rspamd").is_file() && Path::new("/etc/rspamd/rspamd.conf").is_file()
}

pub(crate) fn has_redis() -> bool {
    Path::new("/usr/bin/redis-server").is_file()
}

impl Rspamd {
    /// Starts it; with a sample it learns from that first.
    pub(crate) fn start(scratch: &Scratch, dns: &NxDomain, sample: Option<&Sample>) -> Rspamd {
        Rspamd::launched(scratch, dns, sample, None)
    }

    /// Starts it with its rules, and with scanners that mail servers ask at this port.
    pub(crate) fn scanning_at(port: u16, scratch: &Scratch, dns: &NxDomain) -> Rspamd {
        Rspamd::launched(scratch, dns, None, Some(port))
    }

    fn launched(scratch: &Scratch, dns: &NxDomain, sample: Option<&Sample>, scanner: Option<u16>) -> Rspamd {
        let folder = scratch.dir("rspamd");
        let patterns = patterns();
        let compiles_first = std::fs::read_dir(&patterns).is_ok_and(|mut files| files.next().is_none());
        for name in ["local.d", "override.d", "db", "run", "log"] {
            make_dir(&folder.join(name), 0o755);
        }
        configure(&folder, &patterns, dns);
        switch(&folder, "normal", scanner);
        if compiles_first {
            // A process that has compiled its patterns itself keeps twice the memory.
            let mut process = launch(&folder);
            process::settle(&[process.id()]);
            end(&mut process, &folder);
        }
        let redis = sample.map(|_| start_redis(&folder));
        let learned = sample.map(|sample| learn(&folder, sample)).unwrap_or_default();
        switch(&folder, "controller", None);
        let process = launch(&folder);
        Rspamd { process, redis, folder, learned }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket(&self.folder)
    }

    /// The process groups, Redis included.
    pub(crate) fn groups(&self) -> Vec<u32> {
        std::iter::once(self.process.id()).chain(self.redis.as_ref().map(Process::id)).collect()
    }

    /// Its version, and what it has learned.
    pub(crate) fn note(&self) -> String {
        let version = run(Command::new(program("rspamd", "rspamd")).arg("--version"));
        format!("{}{}", String::from_utf8_lossy(&version).trim(), self.learned)
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("run/milter.sock")
}

/// Compiled patterns are kept from run to run.
fn patterns() -> PathBuf {
    let patterns = std::env::temp_dir().join("mailward-bench-hyperscan");
    make_dir(&patterns, 0o755);
    patterns
}

fn configure(folder: &Path, patterns: &Path, dns: &NxDomain) {
    let local = |name: &str, text: &str| write(&folder.join("local.d").join(name), text);
    for module in OFF {
        local(&format!("{module}.conf"), "enabled = false;\n");
    }
    let (ip, port) = (dns.address().ip(), dns.address().port());
    local(
        "options.inc",
        &format!("dns {{ nameserver = [\"{ip}:{port}\"]; }}\nhs_cache_dir = \"{}/\";\n", patterns.display()),
    );
    local("logging.inc", "level = \"warning\";\n");
    local(
        "classifier-bayes.conf",
        &format!("backend = \"redis\";\nservers = \"{}\";\n", folder.join("redis.sock").display()),
    );
    let socket = socket(folder);
    write(
        &folder.join("override.d/worker-proxy.inc"),
        format!(
            "bind_socket = \"{} mode=0666\";\nmilter = yes;\ncount = 2;\n\
             upstream \"local\" {{ default = yes; self_scan = yes; }}\n",
            socket.display()
        ),
    );
}

/// Turns a worker on at a port, or off.
fn switch(folder: &Path, worker: &str, port: Option<u16>) {
    let text = match port {
        Some(port) => {
            let count = if worker == "normal" { 2 } else { 1 };
            format!("bind_socket = \"127.0.0.1:{port}\";\nsecure_ip = [\"127.0.0.1\"];\ncount = {count};\n")
        }
        None => "enabled = false;\n".to_owned(),
    };
    write(&folder.join(format!("override.d/worker-{worker}.inc")), text);
}

fn launch(folder: &Path) -> Process {
    let mut command = Command::new(program("rspamd", "rspamd"));
    command.args(["--no-fork", "--insecure", "--config", "/etc/rspamd/rspamd.conf"]);
    for (name, below) in [("LOCAL_CONFDIR", ""), ("DBDIR", "/db"), ("RUNDIR", "/run"), ("LOGDIR", "/log")] {
        command.arg(format!("--var={name}={}{below}", folder.display()));
    }
    let log = folder.join("output");
    let mut process = Process::start(&mut command, &log);
    wait_until(START, "rspamd listens", || {
        process.assert_running(&log);
        std::os::unix::net::UnixStream::connect(socket(folder)).is_ok()
    });
    process
}

fn start_redis(folder: &Path) -> Process {
    let socket = folder.join("redis.sock");
    let mut command = Command::new(program("redis-server", "redis-server"));
    command.args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--unixsocket"]);
    command.arg(&socket).arg("--dir").arg(folder);
    let process = Process::start(&mut command, &folder.join("redis.log"));
    wait_until(START, "redis-server listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    process
}

/// Trains the classifier through the controller, which runs for that alone. Returns what the controller then counts.
fn learn(folder: &Path, sample: &Sample) -> String {
    let port = free_port();
    switch(folder, "controller", Some(port));
    let mut process = launch(folder);
    let controller = mailward_tests::ports::loopback(port);
    wait_listening("rspamd's controller", controller);
    process::settle(&[process.id()]);
    let client = |arguments: &[&str]| {
        let mut command = Command::new(program("rspamc", "rspamd"));
        output(command.args(["-h", &controller.to_string(), "-t", "60"]).args(arguments))
    };
    for (class, messages) in [("ham", &sample.ham), ("spam", &sample.spam)] {
        let files = folder.join(class);
        make_dir(&files, 0o755);
        for (number, message) in messages.iter().enumerate() {
            write(&files.join(format!("{number:05}.eml")), message);
        }
        // It declines what it already gets right, and then ends with a failure.
        client(&["-n", "4", &format!("learn_{class}"), &files.display().to_string()]);
    }
    let learned = wait_for(START, "rspamd tells what it has learned", || {
        let told = client(&["stat"]);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let count = |class: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix("Statfile: BAYES_")?.strip_prefix(class))?;
            line.split("learned: ").nth(1)?.split(';').next()?.trim().parse::<usize>().ok()
        };
        Some((count("HAM")?, count("SPAM")?)).filter(|&(ham, spam)| ham.min(spam) >= LEARNED)
    });
    end(&mut process, folder);
    let (ham, spam) = learned;
    format!(", has learned {ham} of {} ham and {spam} of {} spam", sample.ham.len(), sample.spam.len())
}

fn end(process: &mut Process, folder: &Path) {
    process.signal(Signal::Terminate);
    process.wait(START);
    let _ = std::fs::remove_file(socket(folder));
}
