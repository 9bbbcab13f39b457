//! A session with one message of a file.

use mailward_core::{
    engine::{ConnectFacts, Engine, Judged, MailFacts, Report, SessionOptions},
    session::Login,
    verdict::{Action, Edit},
};
use std::{net::IpAddr, sync::Arc};

/// How the message was sent, as far as that is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    /// Unix seconds: the clock of the session.
    pub(super) time: i64,
    pub(super) client_ip: Option<IpAddr>,
    pub(super) client_name: Option<String>,
    pub(super) helo: Option<String>,
    pub(super) login: Option<String>,
    /// With or without brackets; empty is the null sender.
    pub(super) from: String,
    /// Nobody: postmaster.
    pub(super) to: Vec<String>,
}

/// Judges a message in wire form; whether the verdict is a refusal, a deferral, a discard or a hold stands beside its
/// report. `None`: nothing was decided.
pub(super) async fn judge(
    engine: &Arc<Engine>,
    options: SessionOptions,
    sent: &Sent,
    raw: &[u8],
) -> Option<(Report, bool)> {
    let mut session = engine.session(options);
    let facts = ConnectFacts {
        time: sent.time,
        client_ip: sent.client_ip,
        client_name: sent.client_name.clone(),
        mta_name: None,
        local_submission: false,
    };
    if session.connect(facts).await.reply.is_some() {
        return session.abort(sent.time).await.map(|refusal| (refusal.report, true));
    }
    if let Some(helo) = &sent.helo {
        session.helo(helo.as_bytes(), None);
    }
    let login = sent.login.clone().map(|name| Login { name, mechanism: "PLAIN".to_owned() });
    let facts = MailFacts { time: sent.time, sender: sent.from.as_bytes(), parameters: Vec::new(), login, tls: None };
    let mut taken = false;
    if session.mail(facts).await.reply.is_none() {
        let fallback = ["postmaster".to_owned()];
        let recipients = if sent.to.is_empty() { &fallback[..] } else { &sent.to[..] };
        for recipient in recipients {
            taken |= session.rcpt(sent.time, recipient.as_bytes(), None).await.reply.is_none();
        }
    }
    if !taken {
        return session.abort(sent.time).await.map(|refusal| (refusal.report, true));
    }
    session.whole_message(raw);
    Some(finished(session.end_of_message(sent.time, None).await))
}

/// The report, and whether the verdict is negative.
pub(super) fn finished(judged: Judged) -> (Report, bool) {
    let held = judged.verdict.edits.iter().any(|edit| matches!(edit, Edit::Hold { .. }));
    (judged.report, judged.verdict.action != Action::Accept || held)
}
