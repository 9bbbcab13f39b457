//! The daemon under a service manager, played by the test: sd_notify(3), sd_listen_fds(3). `make package-test` does the
//! same with systemd itself.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::mailward::{self, Mailward};
use mailward_tests::milter::MilterClient;
use mailward_tests::process::Signal;
use mailward_tests::scratch::{Scratch, read_log};

/// A service manager that is told things.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn listen(scratch: &Scratch) -> Manager {
        let path = scratch.path().join("notify.sock");
        let socket = UnixDatagram::bind(&path).expect("a socket can be made");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit can be set");
        Manager { socket, path }
    }

    /// The next thing it is told, without the status lines that come by the clock.
    fn next(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer).expect("it is told something");
            let text = String::from_utf8_lossy(&buffer[..length]);
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if !lines.iter().all(|line| line.starts_with("STATUS=")) {
                return lines;
            }
        }
    }
}

fn state(scratch: &Scratch) -> String {
    format!("[log]\nformat = \"json\"\n[state]\ndir = \"{}\"\n", scratch.dir("state").display())
}

#[test]
fn start_reload_and_end_are_told_to_the_service_manager() {
    let scratch = Scratch::new();
    let manager = Manager::listen(&scratch);
    let path = manager.path.display().to_string();
    let mut mailward = Mailward::builder().config(state(&scratch)).environment("NOTIFY_SOCKET", path).start(&scratch);
    assert_eq!(manager.next()[0], "READY=1");

    for (config, status) in
        [(state(&scratch), "judging mail"), ("nonsense = 1".to_owned(), "reload refused: the configuration before")]
    {
        mailward.reload(config);
        let begins = manager.next();
        assert_eq!(begins[0], "RELOADING=1", "{begins:?}");
        let since = begins[1].strip_prefix("MONOTONIC_USEC=").and_then(|usec| usec.parse::<u64>().ok());
        assert!(since.is_some_and(|usec| usec > 0), "{begins:?}");
        let ends = manager.next();
        assert_eq!(ends[0], "READY=1", "{ends:?}");
        assert!(ends[1].starts_with(&format!("STATUS={status}")), "{ends:?}");
    }
    mailward.signal(Signal::Terminate);
    assert_eq!(manager.next()[0], "STOPPING=1");
    assert_eq!(mailward.wait(PATIENCE).code(), Some(0));
}

#[test]
fn watchdog_is_petted_again_and_again_while_the_daemon_works() {
    let scratch = Scratch::new();
    let manager = Manager::listen(&scratch);
    let mut mailward = Mailward::builder()
        .config(state(&scratch))
        .environment("NOTIFY_SOCKET", manager.path.display().to_string())
        .environment("WATCHDOG_USEC", "200000")
        .start(&scratch);
    assert_eq!(manager.next()[0], "READY=1");
    for _ in 0..5 {
        assert_eq!(manager.next(), ["WATCHDOG=1"]);
    }
    assert!(mailward.terminate().success());
}

/// A daemon that was given sockets.
struct Activated(Child);

impl Drop for Activated {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn sockets_of_the_service_manager_take_the_place_of_those_in_the_file() {
    let scratch = Scratch::new();
    let bind = || TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let (milter, metrics, elsewhere) = (bind(), bind(), bind());
    let address = |socket: &TcpListener| socket.local_addr().expect("it has one");
    let (to_milter, to_metrics, to_elsewhere) = (address(&milter), address(&metrics), address(&elsewhere));
    let waiting = TcpStream::connect(to_milter).expect("a connection waits for the daemon");
    // Its port must be free, so that the daemon could take it.
    drop(elsewhere);
    let config = scratch.file(
        "mailward.toml",
        format!(
            "{}[milter]\nlisten = [\"inet:{to_elsewhere}\"]\n[metrics]\nlisten = \"{to_metrics}\"\n",
            state(&scratch)
        ),
    );
    let log = scratch.path().join("log");
    let errors = std::fs::File::create(&log).expect("a log");
    // The sockets come in as 0 and 1; a service manager hands them over as 3 and 4.
    let script = "exec 3<&0 4<&1 0</dev/null 1>&2; LISTEN_FDS=2 LISTEN_PID=$$ exec \"$0\" milter --config \"$1\"";
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(mailward::binary())
        .arg(&config)
        .stdin(Stdio::from(OwnedFd::from(milter)))
        .stdout(Stdio::from(OwnedFd::from(metrics)))
        .stderr(errors)
        .spawn()
        .expect("sh starts");
    let _daemon = Activated(child);
    wait_until(PATIENCE, "it listens", || read_log(&log).contains("serving metrics"));

    drop(waiting);
    let mut client = MilterClient::tcp(to_milter).expect("the given socket is served");
    client.hello([198, 51, 100, 7].into(), "client.example.net").expect("an answer");
    assert!(client.mail("a@example.net").expect("an answer").is_positive());
    assert!(TcpStream::connect(to_metrics).is_ok());
    assert!(TcpStream::connect(to_elsewhere).is_err(), "the address of the file is not taken");
    assert!(read_log(&log).contains("the service manager has opened other sockets"), "{}", read_log(&log));
}
