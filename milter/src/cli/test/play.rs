//! Playing a case: its session through an engine of its own, with its script in place of every service.

use super::{
    case::{Case, Given},
    configuration::{self, UnderTest},
};
use crate::cli::envelope::wire_form;
use mailward_core::{
    engine::{Answer, ConnectFacts, Ended, Engine, Judged, MailFacts, SessionOptions, Shared},
    explain::Explanation,
    lookup::Script,
    malware::Scanning,
    message::edited,
    session::{Limits, Recording, ReversePath},
    verdict::{Action, Edit},
};
use std::{fs::File, io::BufReader, path::Path, sync::Arc};

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Command (`connect`, `mail`, `message`) or recipient, and the reply; `None`: it went through.
    pub(super) replies: Vec<(String, Option<String>)>,
    /// Of the message, or of what was refused before it; `None`: nothing was decided.
    pub(super) explanation: Option<Explanation>,
    /// The message as its recipients get it; `None`: they do not.
    pub(super) message: Option<Vec<u8>>,
    /// Scripted answers that nobody asked for.
    pub(super) unasked: Vec<String>,
}

/// Plays a case. `config`: the configuration of cases that name none.
///
/// # Errors
///
/// Why it cannot be played: faults of the configuration under test, or of the recording.
pub(super) async fn play(case: &Case, config: Option<&Path>) -> Result<Outcome, Vec<String>> {
    let UnderTest { mut config, unnamed, copies } = configuration::of(case, config)?;
    // Nothing outside the case may decide.
    config.malware.scanning = Scanning::InProcess;
    let given = &case.given;
    let script = Arc::new(Script {
        zone: given.zone.clone(),
        directory: given.directory.clone(),
        clamd: given.clamd.clone(),
        findings: given.findings.clone(),
        ..Script::default()
    });
    let engine = Engine::build(config, Shared::scripted(Arc::clone(&script))).await;
    let engine = engine.map_err(|faults| faults.iter().map(|fault| copies.named_in(fault)).collect::<Vec<_>>())?;
    let mut outcome = match &given.recording {
        Some(path) => recorded(&engine, path).await?,
        None => live(&engine, given).await,
    };
    outcome.unasked = script.unasked().into_iter().chain(unnamed).collect();
    Ok(outcome)
}

/// A recorded session; of several messages the last one counts.
async fn recorded(engine: &Arc<Engine>, path: &Path) -> Result<Outcome, Vec<String>> {
    let name = path.display();
    let file = File::open(path).map_err(|error| vec![format!("cannot read {name}: {error}")])?;
    let recording = Recording::read(BufReader::new(file)).map_err(|error| vec![format!("{name}: {error}")])?;
    let raw = recording.last_message(&Limits::default());
    let last = engine.replay(recording, SessionOptions::default()).await.pop().map(|last| last.ended);
    Ok(match last {
        None => Outcome::default(),
        Some(Ended::Refused(refusal)) => {
            let reply = (refusal.report.explanation.stage.word().to_owned(), Some(refusal.reply.to_string()));
            Outcome { replies: vec![reply], explanation: Some(refusal.report.explanation), ..Outcome::default() }
        }
        Some(Ended::Message(judged)) => of_message(judged, &raw),
    })
}

async fn live(engine: &Arc<Engine>, given: &Given) -> Outcome {
    let options = SessionOptions { refuse_at: given.refuse_at, host: given.host, ..SessionOptions::default() };
    let mut session = engine.session(options);
    let facts = ConnectFacts {
        time: given.time,
        client_ip: given.client,
        client_name: given.client_name.clone(),
        mta_name: given.mta_name.clone(),
        local_submission: given.local,
    };
    let mut outcome = Outcome::default();
    if outcome.hear("connect", session.connect(facts).await) {
        outcome.explanation = session.abort(given.time).await.map(|refusal| refusal.report.explanation);
        return outcome;
    }
    if let Some(helo) = &given.helo {
        session.helo(helo.as_bytes(), given.tls.clone());
    }
    let facts = MailFacts {
        time: given.time,
        sender: given.from.as_bytes(),
        parameters: Vec::new(),
        login: given.login.clone(),
        tls: given.tls.clone(),
    };
    let mut taken = false;
    if !outcome.hear("mail", session.mail(facts).await) {
        for recipient in &given.to {
            let answer = session.rcpt(given.time, recipient.as_bytes(), None).await;
            taken |= !outcome.hear(recipient.trim_matches(['<', '>']), answer);
        }
    }
    if !taken {
        outcome.explanation = session.abort(given.time).await.map(|refusal| refusal.report.explanation);
        return outcome;
    }
    let mut raw = wire_form(&given.message.clone().unwrap_or_else(|| plain(given)));
    fill(&mut raw, given.size);
    session.whole_message(&raw);
    let judged = session.end_of_message(given.time, None).await;
    let Outcome { replies, explanation, message, .. } = of_message(judged, &raw);
    outcome.replies.extend(replies);
    Outcome { explanation, message, ..outcome }
}

fn of_message(judged: Judged, raw: &[u8]) -> Outcome {
    let (verdict, explanation) = (judged.verdict, judged.report.explanation);
    let reply = match &verdict.action {
        Action::Reply(reply) => Some(reply.to_string()),
        Action::Accept | Action::Discard => None,
    };
    let mut replies: Vec<(String, Option<String>)> = verdict
        .recipients
        .iter()
        .filter_map(|r| Some((r.address.clone(), Some(r.reply.as_ref()?.to_string()))))
        .collect();
    replies.push(("message".to_owned(), reply));
    let taken = verdict.action == Action::Accept && !raw.is_empty();
    let message = taken.then(|| edited(raw, &verdict.edits).into_owned());
    Outcome { replies, explanation: Some(explanation), message, unasked: Vec::new() }
}

impl Outcome {
    /// Notes the answer to a command; whether it is a refusal.
    fn hear(&mut self, command: &str, answer: Answer) -> bool {
        let reply = answer.reply.map(|(reply, _)| reply.to_string());
        let refused = reply.is_some();
        self.replies.push((command.to_owned(), reply));
        refused
    }

    /// The edits, but for those of Authentication-Results, which every inbound message gets.
    pub(super) fn edits(&self) -> Vec<&Edit> {
        let ours = |edit: &&Edit| edit.header().is_none_or(|name| !name.eq_ignore_ascii_case("authentication-results"));
        self.explanation.iter().flat_map(|explanation| &explanation.edits).filter(ours).collect()
    }
}

/// Lines at the end of a message until it has so many bytes; they are good base64 too.
fn fill(raw: &mut Vec<u8>, size: usize) {
    const LINE: &[u8] = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
    let missing = size.saturating_sub(raw.len());
    raw.extend(LINE.repeat(missing.div_ceil(LINE.len())));
}

/// The message of a case that has none: what a mail program writes.
fn plain(given: &Given) -> Vec<u8> {
    let from = match ReversePath::parse(given.from.as_bytes()) {
        Ok(ReversePath::Mailbox(address)) => address.raw,
        _ => "mailer-daemon@sender.example".to_owned(),
    };
    let domain = from.rsplit('@').next().unwrap_or_default();
    let to = given.to.first().map_or("recipient@example.com", |to| to.trim_matches(['<', '>']));
    let date = jiff::Timestamp::from_second(given.time).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S +0000");
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: Our meeting\r\nDate: {date}\r\nMessage-ID: <{}@{domain}>\r\n\r\n\
         Shall we meet on Thursday?\r\n",
        given.time
    )
    .into_bytes()
}
