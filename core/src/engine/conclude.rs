//! The end of a decision: it is counted, explained and put on record.

use super::{Judged, Report, Session, open::Open, session::temporary_failure};
use crate::{
    explain::Explanation,
    lookup::{Deadline, Outcome},
    policy::Decision,
    verdict::{Action, Disposition, Verdict},
};

impl Session {
    /// Counts what was decided and puts it in words.
    pub(super) async fn finish(
        &mut self,
        time: i64,
        open: &Open,
        mut explanation: Explanation,
        decision: Decision,
    ) -> Judged {
        explanation.recipients.extend(open.refused_recipients());
        self.begin_command();
        let taken = decision.verdict.action == Action::Accept;
        self.count_transaction(time, open, taken).await;
        let queue_id = open.transaction.queue_id.clone();
        Judged { verdict: decision.verdict, report: Report { reference: open.reference, time, queue_id, explanation } }
    }

    /// Writes the history row. A message that is discarded, for anyone, is on record before the MTA hears so.
    pub(super) async fn commit(&self, judged: Judged) -> Judged {
        let discards = judged.verdict.recipients.iter().any(|r| r.disposition == Disposition::Discard);
        if !discards {
            self.engine.shared.record(judged.report.row());
            return judged;
        }
        let deadline = Deadline::after(self.engine.deadlines.reply);
        let error = match deadline.bound(self.engine.shared.commit(judged.report.row())).await {
            Outcome::Done(Ok(())) => None,
            Outcome::Done(Err(error)) => Some(error.to_string()),
            other => other.trouble(),
        };
        match error {
            None => judged,
            Some(error) => {
                tracing::error!(error, "a discarded message could not be recorded; deferring it instead");
                let Judged { verdict, mut report } = judged;
                let reply = temporary_failure();
                report.explanation.verdict = "defer".to_owned();
                report.explanation.reply = Some(reply.to_string());
                report.explanation.notices.clear();
                self.engine.shared.record(report.row());
                let verdict = Verdict { action: Action::Reply(reply), edits: Vec::new(), ..verdict };
                Judged { verdict, report }
            }
        }
    }
}
