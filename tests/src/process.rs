//! Programs that run as children of the test.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use crate::clock::wait_for;

/// A signal that a test sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Please finish.
    Terminate,
    /// Please read the configuration again.
    Hangup,
    /// Crash: the program gets no chance to tidy up.
    Kill,
    /// Hang: the program stays, its sockets too, but it does nothing.
    Stop,
    /// Go on after [`Signal::Stop`].
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "TERM",
            Signal::Hangup => "HUP",
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        }
    }

    /// Crashes and hangs take whatever the program has started along; requests go to the program itself.
    fn is_for_the_group(self) -> bool {
        matches!(self, Signal::Kill | Signal::Stop | Signal::Continue)
    }
}

/// A running program in its own process group. Dropping it kills the whole group.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts a program in the foreground. Its standard output and error go to the end of the file `log`.
    pub fn start(command: &mut Command, log: &Path) -> Process {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", log.display()));
        let error_output = output.try_clone().expect("a file handle can be doubled");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(error_output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Process { name, child, status: None }
    }

    /// The process id, which is also the id of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal. Does nothing once the program has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.status().is_none() {
            let target = if signal.is_for_the_group() { -i64::from(self.id()) } else { i64::from(self.id()) };
            let _ = Command::new(program("kill", "procps"))
                .args(["-s", signal.name(), "--", &target.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// The exit status if the program has ended.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("a child can be asked for its status");
        }
        self.status
    }

    /// Waits for the end of the program.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        wait_for(limit, &what, || self.status())
    }

    /// Crashes the program and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::Kill);
        self.status = Some(self.child.wait().expect("a killed child can be waited for"));
    }

    /// Fails the test if the program has ended; for loops that wait until it answers.
    pub fn assert_running(&mut self, log: &Path) {
        if let Some(status) = self.status() {
            panic!("{} ended with {status}: {}", self.name, crate::scratch::read_log(log));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where a program is installed.
///
/// # Panics
/// If it is not, naming the Debian package that has it.
pub fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/usr/lib/postfix/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed: apt-get install {package}"))
}

/// Runs a program to its end and returns its standard output.
///
/// # Panics
/// If it fails, with what it wrote to standard error.
pub fn run(command: &mut Command) -> Vec<u8> {
    let Output { status, stdout, stderr } = output(command);
    assert!(
        status.success(),
        "{command:?} ended with {status}: {}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    stdout
}

/// Runs a program to its end, whatever the end is.
pub fn output(command: &mut Command) -> Output {
    output_of(command.stdin(Stdio::null()))
}

/// The same for a program whose standard input is set.
pub fn output_of(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}
