//! A mail server without a filter and with each: copies of one ham, each on a session of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mailward_tests::clock::wait_until;
use serde_json::json;

use crate::corpus;
use crate::load::{address_of, sender_of};
use crate::report::{median, range, rounded, save};

/// Sessions at a time.
const SESSIONS: [usize; 3] = [1, 4, 16];
/// Times that everything is measured. Unit: rounds.
const ROUNDS: usize = 2;
/// The size of the message. Unit: bytes. Source: the median of the speed sample.
const SIZE: usize = 3_700;
/// How long the deliveries of a run may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A mail server and the filter of its mail, if any.
pub(crate) struct Site<'p> {
    /// Name of the filter.
    pub(crate) name: &'static str,
    pub(crate) is_filtered: bool,
    pub(crate) server: SocketAddr,
    /// CPU time of server and filter so far. Unit: ms.
    pub(crate) cpu: Box<dyn Fn() -> f64 + 'p>,
    /// Messages delivered so far.
    pub(crate) delivered: Box<dyn Fn() -> usize + 'p>,
}

/// Messages a second, and CPU ms a message.
type Figures = (f64, f64);

/// Sends so many copies in a run to all in turn, and reports it as this part.
pub(crate) fn measure(part: &str, sites: &[Site<'_>], copies: usize) {
    let message = String::from_utf8(corpus::plain_of(SIZE)).expect("our own message is text");
    for site in sites {
        run(site, &message, 4, copies / 5);
    }
    let mut rows: Vec<(usize, &Site<'_>, Vec<Figures>)> = Vec::new();
    for sessions in SESSIONS {
        rows.extend(sites.iter().map(|site| (sessions, site, Vec::new())));
    }
    for _ in 0..ROUNDS {
        for (sessions, site, runs) in &mut rows {
            runs.push(run(site, &message, *sessions, copies));
        }
    }
    println!("\n{:<22} {:>8} {:>17} {:>11} {:>13}", "filter", "sessions", "messages/s", "CPU ms each", "of unfiltered");
    let mut figures = Vec::new();
    for (sessions, site, runs) in &rows {
        let of = |runs: &[Figures]| median(runs.iter().map(|run| run.0).collect());
        let unfiltered =
            rows.iter().find(|row| row.0 == *sessions && !row.1.is_filtered).map_or(f64::NAN, |r| of(&r.2));
        let rate = of(runs);
        let rates: Vec<f64> = runs.iter().map(|run| run.0).collect();
        let cpu = median(runs.iter().map(|run| run.1).collect());
        let shown = format!("{rate:.0} ({:.0}-{:.0})", range(&rates).0, range(&rates).1);
        println!("{:<22} {sessions:>8} {shown:>17} {cpu:>11.2} {:>13.2}", site.name, rate / unfiltered);
        figures.push(json!({ "filter": site.name, "sessions": sessions, "messages_per_s": rounded(rate),
            "cpu_ms_per_message": rounded(cpu), "share_of_unfiltered": rounded(rate / unfiltered) }));
    }
    save(part, json!({ "copies": copies, "rounds": ROUNDS, "rows": figures }));
}

/// Messages a second as the clients see it, and CPU ms a message of server and filter until all are delivered.
fn run(site: &Site<'_>, message: &str, sessions: usize, count: usize) -> Figures {
    let (cpu_before, delivered_before) = ((site.cpu)(), (site.delivered)());
    let server = site.server;
    let next = AtomicUsize::new(0);
    let taken = AtomicUsize::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..sessions {
            scope.spawn(|| {
                while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&number| number < count) {
                    let answer = send(server, number, message);
                    taken.fetch_add(usize::from(answer.is_ok_and(|code| code == 250)), Ordering::Relaxed);
                }
            });
        }
    });
    let rate = count as f64 / started.elapsed().as_secs_f64();
    let taken = taken.load(Ordering::Relaxed);
    if taken < count {
        println!("{}: {} of {count} messages were not taken", site.name, count - taken);
    }
    wait_until(PATIENCE, "all messages are delivered", || {
        thread::sleep(Duration::from_millis(50));
        (site.delivered)() - delivered_before >= taken
    });
    (rate, ((site.cpu)() - cpu_before) / count as f64)
}

/// One session with one message; the code of the last reply.
fn send(server: SocketAddr, number: usize, message: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let mut replies = BufReader::new(stream.try_clone()?);
    let mut code = 0;
    let proxy = format!("PROXY TCP4 {} 127.0.0.1 4567 25\r\n", address_of(number));
    let commands = [
        proxy,
        format!("EHLO mail.d{number}.example\r\n"),
        format!("MAIL FROM:<{}>\r\n", sender_of(number)),
        "RCPT TO:<alice@rig.test>\r\n".to_owned(),
        "DATA\r\n".to_owned(),
        format!("{message}.\r\n"),
    ];
    for command in commands {
        stream.write_all(command.as_bytes())?;
        code = reply(&mut replies)?;
        if code >= 400 {
            break;
        }
    }
    stream.write_all(b"QUIT\r\n")?;
    reply(&mut replies)?;
    Ok(code)
}

fn reply(replies: &mut impl BufRead) -> std::io::Result<u16> {
    let mut line = String::new();
    loop {
        line.clear();
        if replies.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0));
        }
    }
}
