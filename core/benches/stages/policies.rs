//! What many policies and long lists of addresses cost for one recipient.

use super::{Folder, NOW, cpu, median};
use mailward_core::{
    config::{self, Config},
    message::MessageFacts,
    policy::{self, AuthenticationResults, Facts},
    score::{self, Overrides},
    session::{Address, Connection, Direction, Recipient, ReversePath},
    verdict::{Finding, Host, Points},
};
use std::{fmt::Write, hint::black_box, path::Path};

/// Policies of the site.
const POLICIES: usize = 1_000;
/// Entries of its list.
const ENTRIES: usize = 10_000;
/// Messages in a round.
const MESSAGES: usize = 2_000;
/// Times that everything is measured. Unit: rounds.
const ROUNDS: usize = 5;

pub(crate) fn measure() {
    let folder = Folder::new();
    let list = folder.0.join("partners.txt");
    let entries: String = (0..ENTRIES).map(|n| format!("user{n}@d{}.partner.example\n", n % 97)).collect();
    std::fs::write(&list, entries).expect("a file can be written");
    println!("{POLICIES} policies, a list of {ENTRIES} entries, none matches; the slowest case");
    println!("{:<44} {:>12} {:>14}", "each policy asks", "1 recipient", "each of 20");
    let own = |n: usize| format!("to = [\"user{n}@example.com\", \"*@d{n}.example.com\"]\n");
    type Keys<'k> = &'k dyn Fn(usize) -> String;
    let site: [(&str, Keys<'_>); 5] = [
        ("a recipient of its own", &own),
        ("a sender of its own, whoever the recipient is", &|n| format!("from = \"*@d{n}.sender.example\"\n")),
        ("the list for the recipient", &|_| "to = \"list:partners\"\n".to_owned()),
        ("the list for sender and recipient", &|_| "from = \"list:partners\"\nto = \"list:partners\"\n".to_owned()),
        ("a finding, points, SPF and a header", &|n| {
            format!(
                "when = {{ finding = \"spam.x{n}\", points_at_least = 1, spf = \"pass\", \
                 header = {{ name = \"X-{n}\", present = true }} }}\n"
            )
        }),
    ];
    for (name, keys) in site {
        let config = configuration(&list, keys);
        let each = |recipients: usize| time(&config, recipients) / recipients as f64;
        println!("{name:<44} {:>9.1} µs {:>11.1} µs", each(1), each(20));
    }
}

fn configuration(list: &Path, keys: &dyn Fn(usize) -> String) -> Config {
    let mut text = format!("[[list]]\nname = \"partners\"\nfile = \"{}\"\n", list.display());
    for n in 0..POLICIES {
        let _ = write!(text, "[[policy]]\nname = \"{n}\"\n{}then = \"hold\"\n", keys(n));
    }
    let config = config::parse("policies", &text).unwrap_or_else(|faults| panic!("it is sound: {faults:?}"));
    config.policy.lists.iter().for_each(|list| list.read().unwrap_or_else(|faults| panic!("{faults:?}")));
    config
}

/// CPU time of one message. Unit: microseconds.
fn time(config: &Config, recipients: usize) -> f64 {
    let recipients: Vec<Recipient> = (0..recipients)
        .map(|n| Recipient {
            address: Address::parse(format!("<someone.else{n}@mail.example.com>").as_bytes()).expect("an address"),
            groups: vec!["staff".to_owned()],
        })
        .collect();
    let findings = (0..20).map(|n| Finding::new(format!("body.rule-{n}"), Points::hundredths(10), "test")).collect();
    let card = score::add_up(findings, &Overrides::default());
    let (sender, connection) =
        (ReversePath::parse(b"<alice@sender.example>").expect("an address"), Connection::default());
    let headers = (0..30).map(|n| (format!("X-Header-{n}"), "value".to_owned())).collect();
    let message = MessageFacts { headers, ..MessageFacts::default() };
    let facts = Facts {
        direction: Direction::Inbound,
        sender: &sender,
        connection: &connection,
        country: None,
        time: NOW,
        recipients: &recipients,
        card: &card,
        message: &message,
        authentication: &AuthenticationResults { spf: "pass".to_owned(), ..AuthenticationResults::default() },
        early: None,
        early_of_outbound: false,
        complete: true,
        host: Host::default(),
    };
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let before = cpu::of_all_threads();
        for _ in 0..MESSAGES / recipients.len() {
            let _ = black_box(policy::decide(&config.policy, config.score.thresholds, &facts));
        }
        rounds.push((cpu::of_all_threads() - before).as_secs_f64() * 1e6 / (MESSAGES / recipients.len()) as f64);
    }
    median(rounds)
}
