//! What the daemon counts. Counting is a few additions of atomics: no lock, no allocation once a label was seen.

mod exposition;
mod labels;
mod process;
pub(super) mod server;

use super::shadow::Shadowed;
use labels::LabelCounts;
use mailward_core::{
    config::Config,
    engine::Report,
    explain::{Explanation, Stage},
    lookup::meter::Timing,
    session::Direction,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The words of [`Explanation::verdict`]; another one would count as the last.
const VERDICTS: [&str; 9] = ["deliver", "tag", "redirect", "copy", "quarantine", "hold", "discard", "reject", "defer"];
/// The last is for messages of which it was not known.
const DIRECTIONS: [&str; 3] = ["inbound", "outbound", "unknown"];

/// Everything counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    messages: [[AtomicU64; DIRECTIONS.len()]; VERDICTS.len()],
    judging: Timing,
    message_bytes: AtomicU64,
    /// By stage and reason.
    refused: LabelCounts<2>,
    /// By id.
    findings: LabelCounts<1>,
    opened: AtomicU64,
    closed: AtomicU64,
    reloads: AtomicU64,
    refused_reloads: AtomicU64,
    /// Transactions of which the shadow makes the same, and those that it did not look at.
    shadow_same: AtomicU64,
    shadow_skipped: AtomicU64,
    /// By the verdict in force and that of the shadow.
    shadow_differs: LabelCounts<2>,
    config: Mutex<LoadedConfig>,
}

/// What is told of the configuration in force.
#[derive(Debug, Clone, Default)]
struct LoadedConfig {
    /// Unix seconds.
    loaded: i64,
    /// Of the file's bytes: hosts with the same file show the same.
    hash: String,
    messages_in_flight: usize,
    bytes_in_flight: usize,
    state: PathBuf,
}

/// A connection of an MTA, counted as open until it is dropped.
pub(crate) struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Relaxed);
    }
}

impl Metrics {
    /// A connection has begun.
    pub(super) fn connection(self: &Arc<Self>) -> OpenConnection {
        self.opened.fetch_add(1, Relaxed);
        OpenConnection(Arc::clone(self))
    }

    /// Counts a decision; `took` is set for a message that was judged.
    pub(super) fn count(&self, report: &Report, took: Option<Duration>) {
        let explanation = &report.explanation;
        if explanation.stage == Stage::Message {
            let verdict = VERDICTS.iter().position(|word| *word == explanation.verdict).unwrap_or(VERDICTS.len() - 1);
            let direction = match explanation.direction {
                Some(Direction::Inbound) => 0,
                Some(Direction::Outbound) => 1,
                None => 2,
            };
            self.messages[verdict][direction].fetch_add(1, Relaxed);
        }
        if let Some(took) = took {
            self.judging.add(took);
        }
        self.count_refusals(explanation);
        for finding in &explanation.findings {
            self.findings.add([&finding.id]);
        }
    }

    /// Counts the refused commands that a report tells of: each recipient, or the command before them.
    fn count_refusals(&self, explanation: &Explanation) {
        if !matches!(explanation.stage, Stage::Message | Stage::Rcpt)
            && let Some(because) = &explanation.because
        {
            self.refused.add([explanation.stage.word(), because]);
        }
        // Only what becomes of a recipient at the end of a message has a note.
        for recipient in explanation.recipients.iter().filter(|recipient| recipient.note.is_none()) {
            self.refused.add([Stage::Rcpt.word(), &recipient.because]);
        }
    }

    /// A command was put off because the daemon drains.
    pub(super) fn put_off(&self) {
        self.refused.add([Stage::Mail.word(), "shutting down"]);
    }

    /// Adds to the bytes of messages received.
    pub(super) fn received(&self, bytes: usize) {
        self.message_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// This configuration is in force now.
    pub(super) fn configured(&self, config: &Config, path: Option<&Path>, now: i64) {
        let text = path.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let loaded = LoadedConfig {
            loaded: now,
            hash: format!("{:016x}", fnv1a(&text)),
            messages_in_flight: config.limits.messages_in_flight,
            bytes_in_flight: config.limits.bytes_in_flight,
            state: config.state.dir.clone(),
        };
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = loaded;
    }

    /// A reload ended well, or was refused.
    pub(super) fn reloaded(&self, done: bool) {
        if done { &self.reloads } else { &self.refused_reloads }.fetch_add(1, Relaxed);
    }

    /// The shadow has looked at a transaction, or could not.
    pub(super) fn shadowed(&self, outcome: Shadowed<'_>) {
        match outcome {
            Shadowed::Same => drop(self.shadow_same.fetch_add(1, Relaxed)),
            Shadowed::Skipped => drop(self.shadow_skipped.fetch_add(1, Relaxed)),
            Shadowed::Differs { acted, shadow } => self.shadow_differs.add([acted, shadow]),
        }
    }

    /// Messages that were judged so far.
    pub(super) fn judged(&self) -> u64 {
        self.messages.iter().flatten().map(|count| count.load(Relaxed)).sum()
    }

    /// Connections that are open.
    pub(super) fn open_connections(&self) -> u64 {
        self.opened.load(Relaxed).saturating_sub(self.closed.load(Relaxed))
    }

    fn config(&self) -> LoadedConfig {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The hash FNV-1a of 64 bits: enough to see whether two files are the same.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::{
        explain::RecipientExplained,
        verdict::{Disposition, Points, Reference},
    };

    fn explanation(stage: Stage, because: Option<&str>) -> Explanation {
        Explanation {
            schema: 1,
            stage,
            verdict: "reject".to_owned(),
            reply: None,
            because: because.map(str::to_owned),
            direction: Some(Direction::Inbound),
            client: Default::default(),
            sender: None,
            points: Points::ZERO,
            recipients: Vec::new(),
            findings: Vec::new(),
            edits: Vec::new(),
            signed: Vec::new(),
            not_applied: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn count(metrics: &Metrics, explanation: Explanation) {
        let report = Report { reference: Reference::from_random(1), time: 0, queue_id: None, explanation };
        metrics.count(&report, None);
    }

    fn refused(because: &str) -> RecipientExplained {
        RecipientExplained {
            address: "a@b.test".to_owned(),
            disposition: Disposition::Reject,
            wanted: Disposition::Reject,
            because: because.to_owned(),
            note: None,
        }
    }

    #[test]
    fn each_refused_command_of_a_transaction_counts_by_its_own_reason() {
        let metrics = Metrics::default();
        count(&metrics, explanation(Stage::Connect, Some("reputation")));
        let mut rcpt = explanation(Stage::Rcpt, Some("unknown recipient"));
        rcpt.recipients = vec![refused("unknown recipient"), refused("unknown recipient"), refused("bounce")];
        count(&metrics, rcpt);
        let mut message = explanation(Stage::Message, None);
        message.recipients = vec![refused("bounce")];
        count(&metrics, message);
        let mut counts = metrics.refused.all();
        counts.sort();
        assert_eq!(
            counts,
            [(["connect", "reputation"], 1), (["rcpt", "bounce"], 2), (["rcpt", "unknown recipient"], 2)]
        );
        assert_eq!(metrics.judged(), 1, "only the last was a message");
    }

    #[test]
    fn a_connection_is_open_until_it_is_dropped() {
        let metrics = Arc::new(Metrics::default());
        let (first, _second) = (metrics.connection(), metrics.connection());
        assert_eq!(metrics.open_connections(), 2);
        drop(first);
        assert_eq!(metrics.open_connections(), 1);
    }

    #[test]
    fn the_hash_is_that_of_the_reference() {
        // http://www.isthe.com/chongo/tech/comp/fnv/ gives these for "" and "a".
        assert_eq!((fnv1a(b""), fnv1a(b"a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
    }
}
