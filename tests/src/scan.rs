//! The scanning service under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use crate::clock::{PATIENCE, wait_for, wait_until};
use crate::process::{Process, Signal, output, run};
use crate::scratch::{Scratch, read_log, set_mode, write};

/// A running `mailward-scan`.
#[derive(Debug)]
pub struct Scan {
    process: Process,
    folder: PathBuf,
    processes: usize,
    _scratch: Scratch,
}

impl Scan {
    /// Starts it with this configuration, and waits until it listens.
    pub fn start(scratch: &Scratch, config: &str, processes: usize) -> Scan {
        let folder = scratch.dir("scan");
        write(&folder.join("mailward.toml"), config);
        let process = launch(&folder, processes);
        let mut scan = Scan { process, folder, processes, _scratch: scratch.clone() };
        scan.wait_ready();
        scan
    }

    /// Its socket, as `[malware] scanning` names it.
    pub fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("scan.sock")
    }

    /// Everything it has written to standard error.
    pub fn output(&self) -> String {
        read_log(&self.folder.join("log"))
    }

    /// Waits for a log line that contains this text.
    pub fn wait_for_text(&self, text: &str) -> String {
        let what = format!("mailward-scan logs {text:?}");
        wait_for(PATIENCE, &what, || self.output().lines().find(|line| line.contains(text)).map(str::to_owned))
    }

    /// Writes another configuration and asks for a reload. What comes of it is in the log.
    pub fn reload(&mut self, config: &str) {
        write(&self.folder.join("mailward.toml"), config);
        self.process.signal(Signal::Hangup);
    }

    /// The processes that scan.
    pub fn workers(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.process.id());
        let children = fs::read_to_string(children).expect("a running process has a list of children");
        children.split_whitespace().map(|id| id.parse().expect("a process id")).collect()
    }

    /// Asks it to finish and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::Terminate);
        self.process.wait(PATIENCE)
    }

    /// Crashes it, but not what it has started.
    pub fn kill_alone(&mut self) {
        run(Command::new("kill").arg("-KILL").arg(self.process.id().to_string()));
        self.process.wait(PATIENCE);
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder, self.processes);
        self.wait_ready();
    }

    fn wait_ready(&mut self) {
        let (log, socket) = (self.folder.join("log"), self.socket());
        wait_until(PATIENCE, "mailward-scan listens", || {
            self.process.assert_running(&log);
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        // Exim and Postfix have users of their own here.
        set_mode(&socket, 0o666);
    }
}

/// Runs the program once: `mailward-scan ARGUMENTS`.
pub fn command(folder: &Path, arguments: &[&str]) -> Output {
    output(Command::new(binary()).args(arguments).current_dir(folder))
}

/// The program that lies beside `mailward`.
fn binary() -> PathBuf {
    let path = crate::mailward::binary().with_file_name("mailward-scan");
    assert!(path.is_file(), "no {}: run `cargo build --workspace`", path.display());
    path
}

fn launch(folder: &Path, processes: usize) -> Process {
    let mut command = Command::new(binary());
    command.arg("--config").arg(folder.join("mailward.toml")).arg("--listen").arg(folder.join("scan.sock"));
    command.args(["--processes", &processes.to_string()]).current_dir(folder);
    Process::start(&mut command, &folder.join("log"))
}
