//! The load: an MTA's side of the milter protocol, the same for every filter.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mailward_tests::milter::{Answer, MilterClient, Parts};

/// Clients that take turns, each with an address and a sender's domain of its own.
const CLIENTS: usize = 1_000;

/// How long one message took: from connecting to the verdict, and the verdict alone, from the first byte of the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) whole: Duration,
    pub(crate) end: Duration,
}

/// How many messages ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub(crate) taken: usize,
    pub(crate) refused: usize,
    pub(crate) deferred: usize,
    pub(crate) errors: usize,
}

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) timings: Vec<Timing>,
    pub(crate) verdicts: Verdicts,
    pub(crate) wall: Duration,
}

/// The 50th and 99th percentile in milliseconds.
pub(crate) fn percentiles(timings: &[Timing], of: impl Fn(&Timing) -> Duration) -> (f64, f64) {
    let mut sorted: Vec<Duration> = timings.iter().map(of).collect();
    sorted.sort();
    let Some(last) = sorted.len().checked_sub(1) else { return (f64::NAN, f64::NAN) };
    let at = |percent: usize| sorted[last * percent / 100].as_secs_f64() * 1e3;
    (at(50), at(99))
}

/// Sends the messages of these numbers, so many at a time, each on a connection of its own. The number says which of
/// `parts` it is, over and over again, and which client sends it.
pub(crate) fn run(socket: &Path, parts: &[Parts], concurrency: usize, numbers: Range<usize>) -> Run {
    let next = AtomicUsize::new(numbers.start);
    let numbers =
        || std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|n| numbers.contains(n));
    let started = Instant::now();
    let answers: Vec<_> = thread::scope(|scope| {
        let client = || numbers().map(|n| deliver(socket, n, &parts[n % parts.len()])).collect::<Vec<_>>();
        let clients: Vec<_> = (0..concurrency).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client goes to its end")).collect()
    });
    let wall = started.elapsed();
    let mut verdicts = Verdicts::default();
    let mut timings = Vec::with_capacity(answers.len());
    for answer in answers {
        match answer {
            Ok((answer, timing)) => {
                *verdicts.place_of(&answer) += 1;
                timings.push(timing);
            }
            Err(_) => verdicts.errors += 1,
        }
    }
    Run { timings, verdicts, wall }
}

impl Verdicts {
    fn place_of(&mut self, answer: &Answer) -> &mut usize {
        match answer {
            answer if answer.is_positive() => &mut self.taken,
            Answer::Discard => &mut self.refused,
            answer if (400..500).contains(&answer.code()) => &mut self.deferred,
            _ => &mut self.refused,
        }
    }

    /// Both together.
    pub(crate) fn and(self, other: Verdicts) -> Verdicts {
        Verdicts {
            taken: self.taken + other.taken,
            refused: self.refused + other.refused,
            deferred: self.deferred + other.deferred,
            errors: self.errors + other.errors,
        }
    }
}

/// The address of a client: of 198.18.0.0/15, which is kept for measurements (RFC 2544). At most two share a /24.
pub(crate) fn address_of(number: usize) -> Ipv4Addr {
    let client = number % CLIENTS;
    Ipv4Addr::new(198, 18 + (client / 256 % 2) as u8, (client % 256) as u8, 1 + (client / 512) as u8)
}

/// Its envelope sender.
pub(crate) fn sender_of(number: usize) -> String {
    format!("sender@d{}.example", number % CLIENTS)
}

fn deliver(socket: &Path, number: usize, parts: &Parts) -> io::Result<(Answer, Timing)> {
    let started = Instant::now();
    let mut client = MilterClient::unix(socket)?;
    client.hello(IpAddr::V4(address_of(number)), &format!("mail.d{}.example", number % CLIENTS))?;
    let mut answer = client.mail(&sender_of(number))?;
    if answer.is_positive() {
        answer = client.rcpt("alice@rig.test")?;
    }
    let of_message = Instant::now();
    if answer.is_positive() {
        answer = client.message(parts)?;
    }
    let end = of_message.elapsed();
    client.quit()?;
    Ok((answer, Timing { whole: started.elapsed(), end }))
}
