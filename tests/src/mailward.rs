//! The `mailward` program under test: the daemon, and its other commands.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::clock::{PATIENCE, wait_for, wait_until};
use crate::ports::{free_port, loopback};
use crate::process::{Process, Signal, output};
use crate::scratch::{Scratch, read_log, write};

/// Wait before a start after a crash. Source: systemd's default `RestartSec`.
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// How the daemon is started.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    config: String,
    milter: String,
    sockets: Vec<PathBuf>,
    addresses: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A running `mailward milter`.
#[derive(Debug)]
pub struct Mailward {
    process: Process,
    folder: PathBuf,
    port: u16,
    builder: Builder,
    _scratch: Scratch,
}

impl Builder {
    /// The text of mailward.toml without its `[milter]` table, which the rig writes. Log lines must stay JSON.
    pub fn config(mut self, toml: impl Into<String>) -> Builder {
        self.config = toml.into();
        self
    }

    /// One more line of the `[milter]` table.
    pub fn milter(mut self, line: &str) -> Builder {
        self.milter.push_str(line);
        self.milter.push('\n');
        self
    }

    /// Listens on this unix socket too.
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Builder {
        self.sockets.push(path.into());
        self
    }

    /// Listens on this address too, as `listen` wants it.
    pub fn listen(mut self, address: &str) -> Builder {
        self.addresses.push(address.to_owned());
        self
    }

    /// One more command line argument.
    pub fn argument(mut self, argument: impl Into<String>) -> Builder {
        self.arguments.push(argument.into());
        self
    }

    /// One more environment variable.
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Builder {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Starts the daemon and waits until it accepts connections.
    pub fn start(self, scratch: &Scratch) -> Mailward {
        let folder = scratch.dir("mailward");
        let port = free_port();
        write(&folder.join("mailward.toml"), self.text(port));
        let process = launch(&folder, &self);
        let mut mailward = Mailward { process, folder, port, builder: self, _scratch: scratch.clone() };
        mailward.wait_ready();
        mailward
    }

    fn text(&self, port: u16) -> String {
        let inet = format!("inet:127.0.0.1:{port}");
        let unix = self.sockets.iter().map(|path| format!("unix:{}", path.display()));
        let listen = std::iter::once(inet).chain(unix).chain(self.addresses.iter().cloned());
        let listen: Vec<_> = listen.map(|address| format!("\"{address}\"")).collect();
        format!("{}\n[milter]\nlisten = [{}]\n{}", self.config, listen.join(", "), self.milter)
    }
}

impl Mailward {
    /// Begins with an empty configuration, which is a working one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens on TCP.
    pub fn address(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// The same as Postfix writes it.
    pub fn inet(&self) -> String {
        format!("inet:127.0.0.1:{}", self.port)
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("mailward.toml")
    }

    /// Its working directory, where relative paths of its configuration lead.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything it has written to standard error.
    pub fn output(&self) -> String {
        read_log(&self.folder.join("log"))
    }

    /// The log lines that are JSON, in order.
    pub fn log(&self) -> Vec<Value> {
        self.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for a log line that `wanted` recognises, and returns it.
    pub fn wait_for_log(&self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        wait_for(PATIENCE, &format!("Mailward logs {what}"), || self.log().into_iter().find(|line| wanted(line)))
    }

    /// Waits for a log line that contains this text anywhere, and returns it.
    pub fn wait_for_text(&self, text: &str) -> String {
        let what = format!("Mailward logs {text:?}");
        wait_for(PATIENCE, &what, || self.output().lines().find(|line| line.contains(text)).map(str::to_owned))
    }

    /// Writes another configuration, again without the `[milter]` table, and asks for a reload. What comes of it is in the log.
    pub fn reload(&mut self, toml: impl Into<String>) {
        self.builder.config = toml.into();
        write(&self.config_file(), self.builder.text(self.port));
        self.process.signal(Signal::Hangup);
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to finish and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::Terminate);
        self.process.wait(PATIENCE)
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit)
    }

    /// Crashes it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after [`Mailward::kill`] or [`Mailward::terminate`], with the state it left on disk.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder, &self.builder);
        self.wait_ready();
    }

    /// Crashes it and, for so long, starts it whenever it has ended, as a service manager does. It may have ended again
    /// when this returns.
    pub fn crash_and_supervise(&mut self, lasts: Duration) {
        self.process.kill();
        let started = Instant::now();
        while started.elapsed() < lasts {
            if self.process.status().is_some() {
                std::thread::sleep(RESTART_PAUSE);
                self.process = launch(&self.folder, &self.builder);
            }
            std::thread::sleep(RESTART_PAUSE / 10);
        }
    }

    /// Starts it if it has ended, and waits until it accepts connections.
    pub fn ensure_running(&mut self) {
        if self.process.status().is_some() {
            self.process = launch(&self.folder, &self.builder);
        }
        self.wait_ready();
    }

    /// Its process id, for measuring.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Runs another command of the program with the daemon's configuration: `mailward ARGUMENTS --config FILE`.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--config").arg(self.config_file()).current_dir(&self.folder);
        output(&mut command)
    }

    fn wait_ready(&mut self) {
        let log = self.folder.join("log");
        let address = self.address();
        wait_until(PATIENCE, "Mailward accepts connections", || {
            self.process.assert_running(&log);
            std::net::TcpStream::connect(address).is_ok() && self.builder.sockets.iter().all(|path| path.exists())
        });
    }
}

/// Runs the program without a daemon: `mailward ARGUMENTS`, in this folder.
pub fn command(folder: &Path, arguments: &[&str]) -> Output {
    output(Command::new(binary()).args(arguments).current_dir(folder))
}

/// The program under test: `MAILWARD_BIN`, or the one that Cargo has put beside the tests.
///
/// # Panics
/// If it has not been built.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("MAILWARD_BIN").map_or_else(beside_the_tests, PathBuf::from);
    assert!(
        path.is_file(),
        "no {}: run `cargo build -p mailward`, or name the program in MAILWARD_BIN",
        path.display()
    );
    path
}

/// Test programs lie in `target/PROFILE/deps`, the others in `target/PROFILE`.
fn beside_the_tests() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its program");
    test.ancestors().nth(2).expect("tests lie two folders deep").join("mailward")
}

fn launch(folder: &Path, builder: &Builder) -> Process {
    let mut command = Command::new(binary());
    command.arg("milter").arg("--config").arg(folder.join("mailward.toml")).args(&builder.arguments);
    command.envs(builder.environment.iter().map(|(name, value)| (name, value))).current_dir(folder);
    Process::start(&mut command, &folder.join("log"))
}
