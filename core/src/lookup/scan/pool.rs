//! Processes that scan, each one message at a time: ended when they take too long, replaced when they end.

use super::{REPORT_BYTES, read_frame, write_frame};
use std::{
    fmt, io,
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::UnixStream,
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// Longest start of a process. Source: 20,000 YARA rules took 45 s to compile.
const START_TIME: Duration = Duration::from_secs(180);

/// Processes of one program, each on a socket that is its standard input.
pub struct Pool {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    first: Vec<Vec<u8>>,
    time: Duration,
    processes: u32,
    turns: Semaphore,
    idle: Mutex<Vec<Process>>,
}

/// The right to one process of a [`Pool`].
#[derive(Debug)]
pub struct Turn<'p> {
    _permit: SemaphorePermit<'p>,
}

/// A process; it ends with this handle.
struct Process {
    child: Child,
    stream: UnixStream,
}

impl Pool {
    /// Starts `processes` of them and waits until they are ready. On its standard input `command` gets the frames `first`
    /// ([`read_first`](super::read_first)), and then must speak [`answer_requests`](super::answer_requests); `time` is
    /// the longest that one request may take.
    ///
    /// # Errors
    ///
    /// If one of them cannot be started, or ends instead of saying that it is ready.
    pub async fn start(
        command: impl Fn() -> Command + Send + Sync + 'static,
        first: Vec<Vec<u8>>,
        processes: u32,
        time: Duration,
    ) -> Result<Pool, String> {
        let turns = Semaphore::new(processes as usize);
        let pool = Pool { command: Box::new(command), first, time, processes, turns, idle: Mutex::default() };
        for process in crate::lookup::all((0..processes).map(|_| pool.launch())).await {
            pool.keep(process?);
        }
        Ok(pool)
    }

    /// Waits for a process to be free.
    pub async fn turn(&self) -> Turn<'_> {
        match self.turns.acquire().await {
            Ok(_permit) => Turn { _permit },
            // Nobody closes the semaphore.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until no request is under way; no other begins then.
    pub async fn close(&self) {
        let _ = self.turns.acquire_many(self.processes).await.map(SemaphorePermit::forget);
    }

    /// Has one request answered. If the process ends over it, a second one is asked: the first may have been ended from
    /// outside.
    ///
    /// # Errors
    ///
    /// Why there is no answer: two processes ended over the request, it took too long, or none could be started.
    pub async fn ask(&self, _turn: Turn<'_>, request: &[u8]) -> Result<Vec<u8>, String> {
        let mut ended = String::new();
        for _ in 0..2 {
            let mut process = match self.take() {
                Some(process) => process,
                None => self.launch().await?,
            };
            match timeout(self.time, process.ask(request)).await {
                Ok(Ok(answer)) => {
                    self.keep(process);
                    return Ok(answer);
                }
                Ok(Err(error)) => {
                    ended = format!("the scanning process {}", process.end(&error));
                    tracing::warn!("{ended}; another takes its place");
                }
                Err(_) => {
                    tracing::warn!(time = ?self.time, "a scan took too long; its process is ended");
                    return Err(format!("the scan took longer than {:?} and was ended", self.time));
                }
            }
        }
        Err(ended)
    }

    /// An idle process that still lives.
    fn take(&self) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut process) = idle.pop() {
            match process.child.try_wait() {
                Ok(None) => return Some(process),
                status => tracing::warn!(?status, "a scanning process has ended while it was idle"),
            }
        }
        None
    }

    fn keep(&self, process: Process) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
    }

    async fn launch(&self) -> Result<Process, String> {
        let mut process = Process::spawn((self.command)()).map_err(|error| format!("no process to scan: {error}"))?;
        match timeout(START_TIME, process.prepare(&self.first)).await {
            Ok(Ok(())) => Ok(process),
            Ok(Err(error)) => Err(format!("the scanning process {} before it was ready", process.end(&error))),
            Err(_) => Err(format!("the scanning process was not ready after {START_TIME:?}")),
        }
    }
}

impl Process {
    fn spawn(mut command: Command) -> io::Result<Process> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).spawn()?;
        Ok(Process { child, stream: UnixStream::from_std(ours)? })
    }

    /// Gives it what it gets first, and waits until it is ready.
    async fn prepare(&mut self, first: &[Vec<u8>]) -> io::Result<()> {
        self.stream.write_u64_le(first.len() as u64).await?;
        for frame in first {
            write_frame(&mut self.stream, frame).await?;
        }
        read_frame(&mut self.stream, 0).await.map(drop)
    }

    async fn ask(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        write_frame(&mut self.stream, request).await?;
        read_frame(&mut self.stream, REPORT_BYTES).await
    }

    /// Ends the process, and says what was wrong with it.
    fn end(&mut self, error: &io::Error) -> String {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        // What is on its way out keeps the status that it has.
        let _ = self.child.kill();
        match (error.kind(), self.child.wait()) {
            (UnexpectedEof | BrokenPipe | ConnectionReset, Ok(status)) => format!("ended ({status})"),
            _ => format!("answered wrong ({error})"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What was ended already is only collected.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("free", &self.turns.available_permits()).finish_non_exhaustive()
    }
}
