//! One message after the other through each stage alone, and through the whole engine.

use super::{Folder, NOW, configuration, corpus::Sample, cpu, engine, median};
use mailward_core::{
    authentication::{Authenticator, Resolver, SpfResults},
    engine::{ConnectFacts, Engine, MailFacts, SessionOptions, Shared},
    explain::Explanation,
    lookup::{Deadline, dns::Zone},
    malware::{self, Scanner},
    message::{self, Bounds, Message, MessageFacts, Wanted},
    policy::{self, AuthenticationResults, Facts},
    score,
    session::{Address, Connection, Direction, Recipient, ReversePath},
    spam::{self, AtEnd},
    verdict::Host,
};
use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Times that everything is measured. Unit: rounds.
const ROUNDS: usize = 5;

pub(crate) fn measure(sample: &Sample) {
    let folder = Folder::new();
    let config = configuration(&folder, None);
    let messages: Vec<Vec<u8>> = sample.messages.iter().map(|message| wire_form(message)).collect();
    println!("{} messages from {}", messages.len(), sample.source);
    println!("{:<34} {:>11} {:>9} {:>9} {:>9}", "stage", "CPU µs each", "p50 µs", "p99 µs", "max µs");

    let bounds = Bounds::default();
    timed("parse", &messages, |raw| drop(black_box(message::parse(raw, &bounds))));
    let parsed: Vec<Message<'_>> = messages.iter().map(|raw| message::parse(raw, &bounds)).collect();
    timed("facts for policies", &parsed, |message| drop(black_box(message::facts(message, Wanted::default()))));
    let scanner = Scanner::load(&config.malware).unwrap_or_else(|faults| panic!("rules compile: {faults:?}"));
    let mut warm = scanner.warm();
    timed("attachments, YARA", &parsed, |message| drop(black_box(warm.scan(message))));

    let connection = Connection {
        client_ip: Some(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 7))),
        helo: Some("mail.d1.example".to_owned()),
        mta_name: Some("mx.rig.test".to_owned()),
        ..Connection::default()
    };
    let sender = ReversePath::parse(b"<sender@d1.example>").expect("an address");
    let recipients = [Recipient { address: Address::parse(b"<alice@rig.test>").expect("one"), groups: Vec::new() }];
    let envelope = Envelope { connection: &connection, sender: &sender, recipients: &recipients };
    timed("rules", &parsed, |message| drop(black_box(spam::judge(&config.spam, &envelope.with(message)))));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let resolver = Resolver::scripted(Zone::default()).expect("a scripted resolver");
    let authenticator = Authenticator::new(config.authentication.clone(), resolver);
    let ip = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 7));
    let deadline = || Deadline::after(Duration::from_secs(60));
    timed("SPF, DNS scripted", &messages, |_| {
        let spf = authenticator.spf(ip, "mail.d1.example", "mx.rig.test", &sender, deadline());
        black_box(runtime.block_on(spf));
    });
    let spf = SpfResults::default();
    timed("DKIM, ARC, DMARC, DNS scripted", &messages, |raw| {
        black_box(runtime.block_on(authenticator.verify(raw, &spf, deadline())));
    });

    let reports: Vec<_> = parsed.iter().map(|message| warm.scan(message)).collect();
    let facts: Vec<MessageFacts> = parsed.iter().map(|message| message::facts(message, Wanted::default())).collect();
    let findings: Vec<_> = parsed.iter().map(|message| spam::judge(&config.spam, &envelope.with(message))).collect();
    let numbers: Vec<usize> = (0..parsed.len()).collect();
    let authentication = AuthenticationResults::default();
    let card = |n: usize| {
        let mut findings = findings[n].clone();
        findings.extend(malware::judge(&config.malware, &reports[n], None).findings);
        score::add_up(findings, &config.score.overrides)
    };
    timed("malware judged, points added", &numbers, |&n| drop(black_box(card(n))));
    let cards: Vec<_> = numbers.iter().map(|&n| card(n)).collect();
    let of = |n: usize| Facts {
        direction: Direction::Inbound,
        sender: &sender,
        connection: &connection,
        country: None,
        time: NOW,
        recipients: &recipients,
        card: &cards[n],
        message: &facts[n],
        authentication: &authentication,
        early: None,
        early_of_outbound: false,
        complete: true,
        host: Host::default(),
    };
    let decide = |n: usize| policy::decide(&config.policy, config.score.thresholds, &of(n));
    timed("policy", &numbers, |&n| drop(black_box(decide(n))));
    let decisions: Vec<_> = numbers.iter().map(|&n| decide(n)).collect();
    timed("explanation", &numbers, |&n| drop(black_box(Explanation::of_message(&of(n), &decisions[n]))));

    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let shared = Shared::in_memory(Some(Zone::default()));
    let engine = threads.block_on(engine(config, shared));
    timed("whole session, connect to verdict", &messages, |raw| threads.block_on(whole(&engine, raw)));
}

/// What rules know beside the message.
struct Envelope<'e> {
    connection: &'e Connection,
    sender: &'e ReversePath,
    recipients: &'e [Recipient],
}

impl Envelope<'_> {
    fn with<'m>(&'m self, message: &'m Message<'m>) -> AtEnd<'m> {
        let Envelope { connection, sender, recipients } = *self;
        AtEnd { connection, sender, recipients, direction: Direction::Inbound, message, now: NOW }
    }
}

/// Lines end with CR LF on the wire.
fn wire_form(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + message.len() / 20);
    for &byte in message {
        if byte == b'\n' && wire.last() != Some(&b'\r') {
            wire.push(b'\r');
        }
        wire.push(byte);
    }
    wire
}

/// Runs a stage over all inputs and prints the CPU time of all threads in the middle round, and how the time of the stage
/// spreads over the inputs, each at its fastest.
fn timed<I>(name: &str, inputs: &[I], mut stage: impl FnMut(&I)) {
    let mut means = Vec::new();
    let mut fastest = vec![f64::INFINITY; inputs.len()];
    inputs.iter().for_each(&mut stage); // caches and allocator become warm
    for _ in 0..ROUNDS {
        let before = cpu::of_all_threads();
        for (input, fastest) in inputs.iter().zip(&mut fastest) {
            let started = Instant::now();
            stage(input);
            *fastest = fastest.min(started.elapsed().as_secs_f64() * 1e6);
        }
        means.push((cpu::of_all_threads() - before).as_secs_f64() * 1e6 / inputs.len() as f64);
    }
    fastest.sort_by(f64::total_cmp);
    let at = |percent: usize| fastest[(fastest.len() - 1) * percent / 100];
    println!("{name:<34} {:>11.1} {:>9.1} {:>9.1} {:>9.1}", median(means), at(50), at(99), at(100));
}

async fn whole(engine: &Arc<Engine>, raw: &[u8]) {
    // Many clients, or rates would refuse them.
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let [.., high, low] = NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let mut session = engine.session(SessionOptions::default());
    let facts = ConnectFacts {
        time: NOW,
        client_ip: Some(IpAddr::V4(Ipv4Addr::new(198, 18, high, low))),
        client_name: None,
        mta_name: Some("mx.rig.test".to_owned()),
        local_submission: false,
    };
    let _ = session.connect(facts).await;
    session.helo(b"mail.d1.example", None);
    let sender = b"<sender@d1.example>".as_slice();
    let _ = session.mail(MailFacts { time: NOW, sender, parameters: Vec::new(), login: None, tls: None }).await;
    let _ = session.rcpt(NOW, b"<alice@rig.test>", None).await;
    session.whole_message(raw);
    let _ = black_box(session.end_of_message(NOW, None).await);
}
