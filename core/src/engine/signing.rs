//! Signatures and seals on mail that leaves the site: the last of all edits.

use super::{Engine, Session, open::Open, pending::Panicked};
use crate::{
    authentication::{
        Dmarc, Results, SpfResults,
        signing::{FIELD, Sealed, is_signed},
    },
    lookup::Deadline,
    malware::WarmScanner,
    message::{self, MessageFacts},
    outbound,
    policy::Decision,
    session::Direction,
    verdict::{Action, Edit},
};
use bytes::Bytes;
use std::sync::Arc;

impl Session {
    /// Signs a message that leaves the site, as it will be with the decision's edits. Gives the names of the signatures,
    /// whose fields are the last edits of the header.
    pub(super) async fn sign(
        &self,
        time: i64,
        open: &Open,
        raw: &Bytes,
        whole: bool,
        decision: &mut Decision,
    ) -> Signatures {
        let engine = &self.engine;
        let outbound = open.transaction.direction == Direction::Outbound;
        if !outbound || engine.signers.is_empty() || decision.verdict.action != Action::Accept {
            return Signatures::default();
        }
        let domain = match author_domain(raw) {
            Ok(domain) => domain,
            Err(why) => {
                decision.not_applied.push(format!("DKIM signature: {why}"));
                return Signatures::default();
            }
        };
        let none_in_force = engine.signers.of_author(&domain, time).is_empty();
        let obstacle = match () {
            () if none_in_force && !engine.signers.know(&domain) => return Signatures::default(),
            () if none_in_force => {
                tracing::warn!(domain, "a message leaves without a signature: no key is in force");
                Some("no key is in force")
            }
            () if !self.options.host.edit_header => Some("the host cannot add a header"),
            // Hashing the beginning would make a signature that fails everywhere.
            () if !whole => Some("the message is too large"),
            () => None,
        };
        if let Some(why) = obstacle {
            decision.not_applied.push(format!("DKIM signature: {why}"));
            return Signatures::default();
        }
        let (signed, failed) = run(engine, raw, domain, decision.verdict.edits.clone(), time).await;
        decision.not_applied.extend(failed);
        signed
    }
}

// Mail of others that the site passes on.
impl Session {
    /// What a seal is to say of a message that is passed on, if it is to get one: mail of others that leaves the site, and
    /// inbound mail if the site wants that.
    pub(super) async fn results_to_seal(
        &mut self,
        time: i64,
        open: &Open,
        raw: &Bytes,
        message: &MessageFacts,
        found: (Option<&SpfResults>, Option<&Results>),
        deadline: Deadline,
    ) -> Option<String> {
        let engine = Arc::clone(&self.engine);
        let sealer = engine.sealer.as_ref()?;
        let passed_on = match open.transaction.direction {
            Direction::Inbound => sealer.settings().inbound,
            // What users write is not passed on, nor is what we sign ourselves.
            Direction::Outbound => {
                let ours = |domain: String| !engine.signers.of_author(&domain, time).is_empty();
                self.connection.login.is_none() && !author_domain(raw).is_ok_and(ours)
            }
        };
        let mut names = message.headers.iter().map(|(name, _)| name.as_str());
        if !passed_on || !self.options.host.edit_header || !is_signed(&mut names) {
            return None;
        }
        let verified;
        let results = match found.1 {
            Some(results) => results,
            None => {
                // Of outbound mail only its signatures can be judged: whoever brought it here is unknown.
                let unasked = SpfResults::default();
                let live = self.authenticate(raw, &unasked, deadline);
                let results = self.journal.ask("outbound.verified", Box::pin(live)).await;
                verified = Results { dmarc: Dmarc::default(), ..results };
                &verified
            }
        };
        match self.results_header(found.0, results).await {
            Edit::AddHeader { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Seals a message that is taken, as it will be with the decision's edits. `results` are those of
    /// [`Session::results_to_seal`].
    pub(super) async fn seal(
        &self,
        raw: &Bytes,
        results: String,
        decision: &mut Decision,
        deadline: Deadline,
    ) -> Signatures {
        if decision.verdict.action != Action::Accept {
            return Signatures::default();
        }
        let (engine, raw, edits) = (Arc::clone(&self.engine), raw.clone(), decision.verdict.edits.clone());
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            let leaving = message::edited(&raw, &edits);
            let sealer = engine.sealer.as_ref().ok_or("no key")?;
            runtime.block_on(engine.authenticator.seal(sealer, &raw, &leaving, &results, deadline))
        };
        let live = async {
            match tokio::task::spawn_blocking(work).await {
                Ok(sealed) => sealed,
                // A panic goes on here, where it becomes a deferral.
                Err(error) => std::panic::resume_unwind(Box::new(error.to_string())),
            }
        };
        match self.journal.ask("outbound.seal", live).await {
            Ok(Sealed { label, fields }) => Signatures { labels: vec![label], fields },
            Err(why) => {
                decision.not_applied.push(format!("ARC seal: {why}"));
                Signatures::default()
            }
        }
    }
}

/// Signatures of one message, or a seal.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    /// What signed, as explanations name it.
    pub(super) labels: Vec<String>,
    /// Names and bodies.
    fields: Vec<(String, String)>,
}

impl Signatures {
    /// Adds the fields behind all other edits of the header, so that they stand above them.
    pub(super) fn add_to(self, edits: &mut Vec<Edit>) {
        let of_envelope = |edit: &Edit| edit.header().is_none() && !matches!(edit, Edit::ReplaceBody { .. });
        let place = edits.iter().position(of_envelope).unwrap_or(edits.len());
        let fields = self.fields.into_iter().map(|(name, value)| Edit::AddHeader { name, value });
        edits.splice(place..place, fields);
    }
}

/// Signs on a judging thread: hashing and RSA take too long for one that serves connections.
async fn run(
    engine: &Arc<Engine>,
    raw: &Bytes,
    domain: String,
    edits: Vec<Edit>,
    time: i64,
) -> (Signatures, Vec<String>) {
    let (with_keys, raw) = (Arc::clone(engine), raw.clone());
    let work = move |_: &mut WarmScanner<'_>| {
        let leaving = message::edited(&raw, &edits);
        let signers = with_keys.signers.of_author(&domain, time);
        signers.into_iter().map(|signer| (signer.label(), signer.sign(&leaving))).collect::<Vec<_>>()
    };
    let mut signed = Signatures::default();
    let mut failed = Vec::new();
    match engine.judges.run(false, work).await {
        Ok(results) => {
            for (label, result) in results {
                match result {
                    Ok(field) => {
                        signed.labels.push(label);
                        signed.fields.push((FIELD.to_owned(), field));
                    }
                    Err(why) => failed.push(format!("DKIM signature {label}: {why}")),
                }
            }
        }
        // Nothing is lost by a deferral, and much by a message that others take for forged.
        Err(Panicked) => std::panic::resume_unwind(Box::new("a signature could not be made")),
    }
    failed.iter().for_each(|why| tracing::warn!(why, "a message leaves without a signature"));
    (signed, failed)
}

/// The domain of the first author, in ASCII.
fn author_domain(raw: &[u8]) -> Result<String, &'static str> {
    let authors = outbound::authors(raw);
    if authors.fields > 1 {
        // A signature would vouch for whichever one a reader sees.
        return Err("the message has several From fields");
    }
    if authors.unreadable {
        return Err("From cannot be read");
    }
    let author = authors.addresses.into_iter().next().map(|author| author.domain);
    author.filter(|domain| !domain.is_empty()).ok_or("From names no address")
}
