//! What standing and answers mean.

use super::{
    AnswerPattern, Answers, Dnsbl, Dnswl, Health, ListAnswer, Reputation, ReverseDns, Standing, ask::is_listing,
};
use crate::{
    lookup::{OnTrouble, Outcome},
    verdict::{Finding, Judgement, Points, Reply},
};
use std::net::Ipv4Addr;

/// Longest label of a zone that is shown; longer ones are access keys. Unit: characters. Source: the keys of Spamhaus DQS
/// have 26.
const SHOWN_LABEL: usize = 20;

/// What one list says, after all doubts.
enum Said {
    NotListed,
    Listed(Vec<Ipv4Addr>),
    Trouble(String),
}

impl Reputation {
    /// Judges a client. Internal clients and relays get no findings; an allowed client is judged without points and
    /// without refusal.
    pub fn judge(&self, standing: &Standing, answers: &Answers) -> Judgement {
        let mut judgement = Judgement::default();
        match standing {
            Standing::Internal | Standing::Relay => return judgement,
            Standing::Denied { by } => {
                judgement
                    .findings
                    .push(Finding::new("reputation.denied", Points::ZERO, "deny list of the site").fact(by));
                judgement.reply = Some(Reply::fixed(550, (5, 7, 1), "Mail from your network is not accepted here"));
            }
            Standing::Allowed | Standing::Unlisted => {}
        }
        let mut refusal = None;
        let mut deferral = None;
        for list in &self.settings.dnsbl {
            let id = format!("dnsbl.{}", list.name);
            match said(&id, &list.errors, answers) {
                Said::NotListed => {}
                Said::Listed(found) => {
                    judgement.findings.push(listed(&id, &list.zone, &found, heaviest(list, &found)));
                    if found.iter().any(|&a| list.refuse.iter().any(|refuse| refuse.matches(a))) {
                        refusal.get_or_insert_with(|| refused_by(&list.zone));
                    }
                }
                Said::Trouble(why) => {
                    judgement.findings.push(trouble(&id, &list.zone, why));
                    defer_if(list.on_trouble, &mut deferral);
                }
            }
        }
        for list in &self.settings.dnswl {
            let id = format!("dnswl.{}", list.name);
            match said(&id, &list.errors, answers) {
                Said::NotListed => {}
                Said::Listed(found) => {
                    judgement.findings.push(listed(&id, &list.zone, &found, lightest(list, &found)));
                    if list.lifts_refusal {
                        refusal = None;
                        deferral = None;
                    }
                }
                Said::Trouble(why) => {
                    judgement.findings.push(trouble(&id, &list.zone, why));
                    defer_if(list.on_trouble, &mut deferral);
                }
            }
        }
        judgement.findings.extend(self.judge_reverse(&answers.reverse));
        if *standing == Standing::Allowed {
            judgement.findings.iter_mut().for_each(|finding| finding.points = finding.points.min(Points::ZERO));
            return judgement;
        }
        judgement.reply = judgement.reply.or(refusal).or(deferral);
        judgement
    }

    fn judge_reverse(&self, reverse: &ReverseDns) -> Option<Finding> {
        let points = &self.settings.reverse;
        match reverse {
            ReverseDns::Missing => {
                Some(Finding::new("rdns.missing", points.missing, "RFC 8601 section 2.7.3: the address has no name"))
            }
            ReverseDns::Unconfirmed { names } => {
                let source = "RFC 8601 section 2.7.3: no name leads back to the address";
                let finding = Finding::new("rdns.unconfirmed", points.unconfirmed, source);
                Some(names.iter().fold(finding, |finding, name| finding.fact(name)))
            }
            ReverseDns::Trouble { why } => {
                Some(Finding::new("rdns.trouble", Points::ZERO, "reverse DNS did not answer").fact(why))
            }
            ReverseDns::NotAsked | ReverseDns::Confirmed { .. } => None,
        }
    }
}

fn said(id: &str, errors: &[AnswerPattern], answers: &Answers) -> Said {
    let Some(ListAnswer { outcome, health, .. }) = answers.lists.iter().find(|answer| answer.list == id) else {
        return Said::NotListed;
    };
    let found = match outcome {
        Outcome::Done(found) => found,
        trouble => return Said::Trouble(trouble.trouble().unwrap_or_default()),
    };
    let (listings, errors): (Vec<_>, Vec<_>) = found.iter().copied().partition(|&answer| is_listing(answer, errors));
    match (health, listings.is_empty(), errors.first()) {
        (Health::ListsEverything, ..) => Said::Trouble("the list lists everything: it is not believed".to_owned()),
        (Health::Refuses, true, None) => Said::Trouble("the list refuses our questions".to_owned()),
        (_, true, Some(error)) if error.is_loopback() => {
            Said::Trouble(format!("the list refuses our question: {error}"))
        }
        (_, true, Some(error)) => Said::Trouble(format!("{error} is no answer of a list")),
        (_, true, None) => Said::NotListed,
        // An answer beside an error, or from a list that refused the probe, is not believed either.
        (Health::Refuses, ..) | (_, _, Some(_)) => Said::Trouble("the list mixes answers with refusals".to_owned()),
        _ => Said::Listed(listings),
    }
}

fn heaviest(list: &Dnsbl, found: &[Ipv4Addr]) -> Points {
    found.iter().map(|&answer| weight(&list.points, answer)).max().unwrap_or_default()
}

fn lightest(list: &Dnswl, found: &[Ipv4Addr]) -> Points {
    found.iter().map(|&answer| weight(&list.points, answer)).min().unwrap_or_default()
}

pub(super) fn weight(points: &[(AnswerPattern, Points)], answer: Ipv4Addr) -> Points {
    points.iter().find(|(pattern, _)| pattern.matches(answer)).map_or(Points::ZERO, |&(_, points)| points)
}

fn listed(id: &str, zone: &str, found: &[Ipv4Addr], points: Points) -> Finding {
    let finding = Finding::new(id.to_owned(), points, format!("listed by {}", shown(zone)));
    found.iter().fold(finding, |finding, answer| finding.fact(answer.to_string()))
}

fn trouble(id: &str, zone: &str, why: String) -> Finding {
    Finding::new(format!("{id}.trouble"), Points::ZERO, format!("no answer of {}", shown(zone))).fact(why)
}

fn defer_if(on_trouble: OnTrouble, deferral: &mut Option<Reply>) {
    if on_trouble == OnTrouble::Defer {
        let text = "Your address cannot be checked now, please try again later";
        deferral.get_or_insert_with(|| Reply::fixed(451, (4, 7, 1), text));
    }
}

fn refused_by(zone: &str) -> Reply {
    Reply::new(550, (5, 7, 1), format!("Your address is listed by {}", shown(zone)))
        .unwrap_or_else(|_| Reply::fixed(550, (5, 7, 1), "Your address is on a block list"))
}

/// The zone without labels that look like access keys.
pub(super) fn shown(zone: &str) -> String {
    zone.split('.').filter(|label| label.len() <= SHOWN_LABEL).collect::<Vec<_>>().join(".")
}
