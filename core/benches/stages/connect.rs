//! Connections of clients that memory knows: what is decided before a recipient is named.

use super::{Folder, NOW, configuration, cpu, engine, median, nxdomain};
use mailward_core::{
    engine::{ConnectFacts, Engine, MailFacts, SessionOptions, Shared},
    session::RefuseAt,
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Instant,
};

/// Clients that come again and again; rounds are so far apart on the sessions' clock that none is past its rates.
const CLIENTS: u32 = 10_000;
/// Connections in a round.
const CONNECTIONS: u32 = 50_000;
/// Times that everything is measured. Unit: rounds.
const ROUNDS: usize = 5;

/// Time between two rounds on the sessions' clock: rates forget all that was before. Unit: seconds.
const PAUSE: i64 = 600;

/// How far a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// The decision is given at connect.
    Connect,
    /// The decision is given at MAIL.
    Mail,
    /// The same, and a recipient is looked up.
    Rcpt,
}

pub(crate) fn measure() {
    let folder = Folder::new();
    let config = configuration(&folder, Some(nxdomain::start()));
    // One thread for all sessions; the store's own threads do the rest.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let shared = Shared::open(&config).expect("state can be opened");
    runtime.block_on(async {
        let engine = engine(config, shared).await;
        println!("{:<28} {:>13} {:>14} {:>16}", "decided at", "a second", "µs of CPU each", "a CPU second");
        let mut time = NOW;
        for (name, until) in [
            ("connect", Until::Connect),
            ("connect, HELO, MAIL", Until::Mail),
            ("connect, HELO, MAIL, RCPT", Until::Rcpt),
        ] {
            for number in 0..CLIENTS {
                session(&engine, number, until, time).await;
            }
            let (mut rates, mut costs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                time += PAUSE;
                let (before, started) = (cpu::of_all_threads(), Instant::now());
                for number in 0..CONNECTIONS {
                    session(&engine, number, until, time).await;
                }
                rates.push(f64::from(CONNECTIONS) / started.elapsed().as_secs_f64());
                costs.push((cpu::of_all_threads() - before).as_secs_f64() * 1e6 / f64::from(CONNECTIONS));
            }
            let cost = median(costs);
            println!("{name:<28} {:>13.0} {cost:>14.1} {:>16.0}", median(rates), 1e6 / cost);
        }
    });
}

async fn session(engine: &Arc<Engine>, number: u32, until: Until, time: i64) {
    let client = number % CLIENTS;
    let refuse_at = if until == Until::Connect { RefuseAt::Connect } else { RefuseAt::Mail };
    let mut session = engine.session(SessionOptions { refuse_at, ..SessionOptions::default() });
    let answer = session
        .connect(ConnectFacts {
            time,
            client_ip: Some(IpAddr::V4(Ipv4Addr::from(0xC612_0000 + client * 8))), // in 198.18.0.0/15
            client_name: None,
            mta_name: Some("mx.rig.test".to_owned()),
            local_submission: false,
        })
        .await;
    assert_eq!(answer.reply, None, "nobody is on a list");
    if until != Until::Connect {
        session.helo(format!("mail.d{client}.example").as_bytes(), None);
        let sender = format!("<sender@d{client}.example>");
        let facts = MailFacts { time, sender: sender.as_bytes(), parameters: Vec::new(), login: None, tls: None };
        assert_eq!(session.mail(facts).await.reply, None, "nobody is blocked");
    }
    if until == Until::Rcpt {
        assert_eq!(session.rcpt(time, b"<alice@rig.test>", None).await.reply, None, "alice exists");
    }
    session.abort(time).await;
}
