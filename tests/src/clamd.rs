//! ClamAV's daemon with a database of three signatures of our own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clock::{PATIENCE, wait_until};
use crate::ports::{free_port, loopback};
use crate::process::{Process, Signal, program};
use crate::scratch::{Scratch, make_dir, write};

/// What clamd calls [`eicar`]. The signature is a hash: only exactly these 68 bytes are found, in a decoded attachment
/// too, but not with anything before or behind them.
pub const EICAR_NAME: &str = "Eicar-Rig-MD5.UNOFFICIAL";
/// What clamd calls any text that contains [`BODY`].
pub const BODY_NAME: &str = "Rig.Test.Body.UNOFFICIAL";
/// Text that the second signature finds anywhere.
pub const BODY: &str = "RIG-BODY-SIGNATURE-7421";

/// What clamd calls any file that contains [`MARKER`].
pub const MARKER_NAME: &str = "Rig.Test.Marker.UNOFFICIAL";
/// Text that the third signature finds anywhere: it stands in the samples of the unpackers.
pub const MARKER: &str = "MAILWARD-MARKER";

/// The test file of the anti-virus makers (eicar.org), put together here so that no scanner objects to this source.
pub fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}", "$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// A running clamd, on a unix socket and on TCP.
#[derive(Debug)]
pub struct Clamd {
    process: Process,
    folder: PathBuf,
    port: u16,
    _scratch: Scratch,
}

impl Clamd {
    /// Starts it.
    pub fn start(scratch: &Scratch) -> Clamd {
        let folder = scratch.dir("clamd");
        let port = free_port();
        make_dir(&folder.join("db"), 0o755);
        make_dir(&folder.join("tmp"), 0o755);
        write(&folder.join("db/rig.hdb"), "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Rig-MD5\n");
        let hex: String = BODY.bytes().map(|byte| format!("{byte:02x}")).collect();
        let marker: String = MARKER.bytes().map(|byte| format!("{byte:02x}")).collect();
        let rows = format!("Rig.Test.Body:0:*:{hex}\nRig.Test.Marker:0:*:{marker}\n");
        write(&folder.join("db/rig.ndb"), rows);
        write(&folder.join("clamd.conf"), configuration(&folder, port));
        let process = launch(&folder);
        let mut clamd = Clamd { process, folder, port, _scratch: scratch.clone() };
        clamd.wait_ready();
        clamd
    }

    /// The unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("clamd.sock")
    }

    /// The TCP address.
    pub fn address(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// Sends a signal: [`Signal::Stop`] hangs it.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Crashes it. The socket file stays behind, as after a real crash.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after [`Clamd::kill`].
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder);
        self.wait_ready();
    }

    /// Asks over the unix socket, for instance `zPING\0`, and returns the answer without its final NUL.
    pub fn ask(&self, question: &[u8]) -> std::io::Result<String> {
        let stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        converse(stream, question)
    }

    /// Scans bytes by INSTREAM over the unix socket.
    pub fn scan(&self, bytes: &[u8]) -> std::io::Result<String> {
        self.ask(&instream(bytes))
    }

    /// Scans bytes by INSTREAM over TCP.
    pub fn scan_over_tcp(&self, bytes: &[u8]) -> std::io::Result<String> {
        let stream = TcpStream::connect(self.address())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        converse(stream, &instream(bytes))
    }

    fn wait_ready(&mut self) {
        wait_until(PATIENCE, "clamd answers PING", || {
            self.process.assert_running(&self.folder.join("output"));
            self.ask(b"zPING\0").is_ok_and(|answer| answer == "PONG") && TcpStream::connect(self.address()).is_ok()
        });
    }
}

fn launch(folder: &Path) -> Process {
    let mut command = Command::new(program("clamd", "clamav-daemon"));
    Process::start(command.arg("-c").arg(folder.join("clamd.conf")), &folder.join("output"))
}

fn converse(mut stream: impl Read + Write, question: &[u8]) -> std::io::Result<String> {
    let _ = stream.write_all(question); // past its size limit clamd answers and closes while we still write
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).trim_end_matches('\0').to_owned())
}

fn instream(bytes: &[u8]) -> Vec<u8> {
    let mut question = b"zINSTREAM\0".to_vec();
    for chunk in bytes.chunks(65_536) {
        question.extend_from_slice(&(chunk.len() as u32).to_be_bytes());
        question.extend_from_slice(chunk);
    }
    question.extend_from_slice(&[0; 4]);
    question
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "DatabaseDirectory {folder}/db
LocalSocket {folder}/clamd.sock
LocalSocketMode 666
TCPSocket {port}
TCPAddr 127.0.0.1
Foreground yes
LogFile {folder}/log
LogTime yes
StreamMaxLength 1M
MaxScanSize 4M
MaxFileSize 2M
MaxThreads 4
ReadTimeout 5
CommandReadTimeout 5
SelfCheck 3600
ConcurrentDatabaseReload no
TemporaryDirectory {folder}/tmp
AlertExceedsMax no
"
    )
}
