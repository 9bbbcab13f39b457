//! The report as data: what `--json` prints, and what text and page are made of.

use super::{
    cost::Stage,
    facts::Facts,
    mail::Labelled,
    measures::{Measures, Scored, histogram, roc},
    online::Stream,
    peers::Peer,
    plan::Round,
    rows::Row,
    rules::{self, Rule},
};
use mailward_core::{spam::classifier::Class, verdict::Points};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Most false positives and misses told of each group. Source: our own limit, a screen.
const EXAMPLES: usize = 20;

/// All that came out.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u32,
    pub(super) rounds: Vec<Learned>,
    pub(super) groups: Vec<Group>,
    pub(super) rules: Vec<Rule>,
    /// Content rules that never hit.
    pub(super) silent: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) online: Vec<Stream>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cost: Vec<Stage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    pub(super) seconds: f64,
}

impl Default for Report {
    fn default() -> Self {
        Report {
            schema: 1,
            rounds: Vec::new(),
            groups: Vec::new(),
            rules: Vec::new(),
            silent: Vec::new(),
            online: Vec::new(),
            cost: Vec::new(),
            notes: Vec::new(),
            seconds: 0.0,
        }
    }
}

/// What a round learned.
#[derive(Debug, Serialize)]
pub(super) struct Learned {
    pub(super) name: String,
    pub(super) ham: usize,
    pub(super) spam: usize,
    pub(super) judged: usize,
}

/// The mail of one group.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) ham: usize,
    pub(super) spam: usize,
    pub(super) campaigns: usize,
    pub(super) filters: Vec<Filter>,
    /// Ham with the most points, of that which was not delivered unmarked.
    pub(super) false_positives: Vec<Example>,
    /// Spam with the fewest points.
    pub(super) misses: Vec<Example>,
}

/// What one filter reached on a group.
#[derive(Debug, Serialize)]
pub(super) struct Filter {
    pub(super) name: &'static str,
    /// Messages about which it said nothing, or that it put off; they count nowhere.
    pub(super) undecided: usize,
    #[serde(flatten)]
    pub(super) measures: Measures,
    pub(super) roc: Vec<[f64; 2]>,
    /// Ham and spam by whole points, of filters that give points.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) points: BTreeMap<i32, [u64; 2]>,
}

/// A message that was judged wrong.
#[derive(Debug, Serialize)]
pub(super) struct Example {
    pub(super) file: String,
    pub(super) points: Points,
    pub(super) verdict: String,
    pub(super) findings: Vec<(String, Points)>,
}

impl Report {
    pub(super) fn add_round(&mut self, round: &Round, mail: &[Labelled]) {
        let of = |class: Class| round.train.iter().filter(|&&n| mail[n].class == class).count();
        let (ham, spam) = (of(Class::Ham), of(Class::Spam));
        self.rounds.push(Learned { name: round.name.clone(), ham, spam, judged: round.judge.len() });
    }

    /// Measures each group for itself.
    pub(super) fn measure(
        &mut self,
        rows: &[Row<'_>],
        mail: &[Labelled],
        facts: &[Facts],
        campaigns: &[usize],
        peers: &[Peer],
        seed: u64,
    ) {
        let mut groups: BTreeMap<&str, Vec<&Row<'_>>> = BTreeMap::new();
        for row in rows {
            groups.entry(&mail[row.number].group).or_default().push(row);
        }
        for rows in groups.values_mut() {
            // By hash, so that equals stand in the same order whatever the order of the files.
            rows.sort_by(|a, b| {
                (&facts[a.number].hash, &mail[a.number].name).cmp(&(&facts[b.number].hash, &mail[b.number].name))
            });
        }
        let group = |(name, rows): (&str, &Vec<&Row<'_>>)| {
            let of = |class: Class| rows.iter().filter(|row| mail[row.number].class == class).count();
            let by_us = rows
                .iter()
                .map(|row| row.judged().map(|verdict| verdict.scored(mail[row.number].class, campaigns[row.number])));
            let by_peer = |n: usize| {
                let said = rows
                    .iter()
                    .map(move |row| row.said[n].map(|said| said.scored(mail[row.number].class, campaigns[row.number])));
                said.collect::<Vec<_>>()
            };
            let ours = Filter::of("mailward", by_us.collect(), true, seed);
            let theirs = peers
                .iter()
                .enumerate()
                .map(|(n, peer)| Filter::of(peer.name(), by_peer(n), *peer == Peer::SpamAssassin, seed));
            Group {
                name: name.to_owned(),
                ham: of(Class::Ham),
                spam: of(Class::Spam),
                campaigns: rows.iter().map(|row| campaigns[row.number]).collect::<BTreeSet<_>>().len(),
                filters: [ours].into_iter().chain(theirs).collect(),
                false_positives: examples(rows, mail, Class::Ham),
                misses: examples(rows, mail, Class::Spam),
            }
        };
        self.groups = groups.iter().map(|(name, rows)| group((name, rows))).collect();
        let verdicts = rows.iter().filter_map(|row| {
            let labelled = &mail[row.number];
            Some((labelled.group.as_str(), labelled.class, row.judged()?))
        });
        self.rules = rules::table(verdicts);
    }
}

impl Filter {
    fn of(name: &'static str, said: Vec<Option<Scored>>, has_points: bool, seed: u64) -> Self {
        let undecided = said.iter().filter(|said| said.is_none()).count();
        let scored: Vec<Scored> = said.into_iter().flatten().collect();
        let points = if has_points { histogram(&scored) } else { BTreeMap::new() };
        Filter { name, undecided, measures: Measures::of(&scored, seed), roc: roc(&scored), points }
    }
}

/// The messages of a class that were judged wrong, those that cost most first.
fn examples(rows: &[&Row<'_>], mail: &[Labelled], class: Class) -> Vec<Example> {
    let wrong = rows.iter().filter(|row| mail[row.number].class == class).filter_map(|row| {
        let verdict = row.judged()?;
        let is_caught = verdict.scored(class, 0).caught;
        (is_caught == (class == Class::Ham)).then_some((row, verdict))
    });
    let mut wrong: Vec<_> = wrong.collect();
    wrong.sort_by_key(|(_, verdict)| match class {
        Class::Ham => -verdict.points.as_hundredths(),
        Class::Spam => verdict.points.as_hundredths(),
    });
    let example = |(row, verdict): (&&Row<'_>, &super::judging::Verdict)| Example {
        file: mail[row.number].name.clone(),
        points: verdict.points,
        verdict: verdict.word.clone(),
        findings: verdict.findings.clone(),
    };
    wrong.into_iter().take(EXAMPLES).map(example).collect()
}
