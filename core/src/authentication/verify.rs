//! DKIM, ARC and DMARC of a whole message.

use super::{
    Arc, ArcResult, ArcSet, Authenticator, DkimResult, Dmarc, DmarcResult, From, Policy, Results, Signature, SpfResult,
    SpfResults,
    fields::{says, tokens},
    memo::Memo,
};
use crate::{
    lookup::{Deadline, Outcome, all},
    session::registered,
};
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimOutput, DmarcOutput, DnsCache, DnsError, Error, Parameters, SpfOutput,
    TxtRecord,
    crypto::Algorithm,
    dkim::{self, DkimError, DomainKey, VerifySignature},
    dmarc::{DmarcRecord, verify::DmarcParameters},
    dns::{TxtRecordParser, UnwrapTxtRecord},
};
use std::collections::BTreeSet;

/// Most domains of a From field that are kept. Unit: domains. Source: our own limit; more than one is suspicious already.
const FROM_DOMAINS: usize = 10;

/// Most labels that a DMARC policy is looked for at, besides the whole domain. Source: RFC 9989 §4.10.
const POLICY_LABELS: usize = 7;

/// Bytes of a signature that `header.b` shows, as base64 eight characters (RFC 6008 §3).
const SHOWN_SIGNATURE: usize = 6;

/// Most fields that a signature may name: each is searched for in the header. Unit: fields. Source: our own limit; honest
/// signatures name fewer than 50.
const SIGNED_FIELDS: usize = 500;

impl Authenticator {
    /// Verifies a message in wire form (CRLF). All that must be fetched is fetched at once; what has no answer by the
    /// deadline is a `temperror`. Hashing happens inside, so call it where CPU time may be spent.
    pub async fn verify(&self, raw: &[u8], spf: &SpfResults, deadline: Deadline) -> Results {
        let Some(mut message) = AuthenticatedMessage::parse(raw) else { return Results::default() };
        let from = from_of(&message);
        let refused = refuse_old_algorithms(&mut message);
        let left_out = leave_out(&mut message, &from, self.settings.dkim_signatures);
        let memo = self.resolver.memo();
        self.fetch(&message, &from, &memo, deadline).await;

        let verify = self.resolver.inner.verify_dkim(Parameters::new(&message).with_cache(&*memo));
        let dkim = match deadline.bound(verify).await {
            Outcome::Done(outputs) => outputs,
            _ => message.dkim_signatures().iter().map(|signature| late(&signature.header)).collect(),
        };
        let verify = self.resolver.inner.verify_arc(Parameters::new(&message).with_cache(&*memo));
        let bounded = message.arc_message_signatures().iter().all(|set| set.header.h.len() <= SIGNED_FIELDS);
        let arc = match bounded {
            true => deadline.bound(verify).await,
            false => Outcome::Done(ArcOutput::from(mail_auth::ArcResult::PermError(Error::Parse))),
        };
        let arc = match arc {
            Outcome::Done(output) => output,
            _ => ArcOutput::from(mail_auth::ArcResult::TempError(no_answer())),
        };
        let spf_output = spf_output(spf);
        let parameters = DmarcParameters::new(&message, &dkim, spf_output.domain(), &spf_output);
        let verify = self.resolver.inner.verify_dmarc(Parameters::new(parameters).with_cache(&*memo));
        let dmarc = match deadline.bound(verify).await {
            Outcome::Done(output) => dmarc_of(&output),
            _ => Dmarc {
                domain: from.domains.first().cloned().unwrap_or_default(),
                result: DmarcResult::Temperror,
                reason: Some(no_answer().to_string()),
                ..Dmarc::default()
            },
        };

        let verified = dkim.iter().filter_map(|output| Some(signature_of(output.signature()?, output.result(), &from)));
        let refused = message.errors().iter().take(refused).filter(|header| is_dkim(header.name));
        let refused = refused.map(|header| refused_of(header.value, &header.header, &from));
        let mut signatures: Vec<Signature> = verified.chain(refused).collect();
        let more = signatures.len().saturating_sub(self.settings.dkim_signatures);
        signatures.truncate(self.settings.dkim_signatures);
        Results { signatures, signatures_left_out: left_out + more, arc: arc_of(&arc, &from), dmarc, from }
    }

    /// Fetches keys and policies into the memo, all at once, and remembers failures: mail-auth, which asks one after
    /// another, then waits for nothing.
    async fn fetch(&self, message: &AuthenticatedMessage<'_>, from: &From, memo: &Memo, deadline: Deadline) {
        let mut keys = BTreeSet::new();
        for signature in message.dkim_signatures() {
            keys.insert(signature.header.domain_key());
            // Asked only to send failure reports, which we do not.
            memo.remember_none(&format!("_report._domainkey.{}", signature.header.d));
        }
        keys.extend(message.arc_seals().iter().map(|seal| seal.header.domain_key()));
        keys.extend(message.arc_message_signatures().iter().map(|signature| signature.header.domain_key()));
        let policies = match from.domains.as_slice() {
            [domain] => policy_names(domain),
            _ => Vec::new(),
        };
        tokio::join!(
            all(keys.iter().map(|name| self.fetch_text::<DomainKey>(name, memo, deadline))),
            all(policies.iter().map(|name| self.fetch_text::<DmarcRecord>(name, memo, deadline))),
        );
    }

    async fn fetch_text<T>(&self, name: &str, memo: &Memo, deadline: Deadline)
    where
        T: TxtRecordParser + Into<TxtRecord> + UnwrapTxtRecord,
    {
        match deadline.bound(self.resolver.inner.txt_lookup::<T>(name, memo.txt())).await {
            Outcome::Done(Ok(_)) => {}
            Outcome::Done(Err(error)) => memo.remember_failure(name, error),
            _ => memo.remember_failure(name, no_answer()),
        }
    }
}

fn no_answer() -> Error {
    Error::Dns(DnsError::Resolver("no answer in time".to_owned()))
}

fn late<'m>(signature: &'m dkim::Signature) -> DkimOutput<'m> {
    DkimOutput::from(mail_auth::DkimResult::TempError(no_answer())).with_signature(signature)
}

fn from_of(message: &AuthenticatedMessage<'_>) -> From {
    let fields = message.headers().iter().filter(|(name, _)| name.trim_ascii().eq_ignore_ascii_case(b"from")).count();
    let mut domains: Vec<String> = Vec::new();
    for address in message.from_addresses() {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
        if !domain.is_empty() && !domains.contains(&domain) && domains.len() < FROM_DOMAINS {
            domains.push(domain);
        }
    }
    From { fields, domains }
}

/// Sets signatures with SHA-1 (RFC 8301 §3.1) and with too many fields aside. Gives the number of authentication fields that are damaged or
/// refused so far.
fn refuse_old_algorithms(message: &mut AuthenticatedMessage<'_>) -> usize {
    message.retain_dkim_signatures(|signature| match signature.a {
        Algorithm::RsaSha1 => Err(DkimError::UnsupportedAlgorithm),
        _ if signature.h.len() > SIGNED_FIELDS => Err(DkimError::UnsupportedVersion),
        _ => Ok(()),
    });
    message.errors().len()
}

fn is_dkim(name: &[u8]) -> bool {
    name.trim_ascii().eq_ignore_ascii_case(b"DKIM-Signature")
}

/// Drops signatures beyond the limit, those of the author's organisation last. Gives their number.
fn leave_out(message: &mut AuthenticatedMessage<'_>, from: &From, limit: usize) -> usize {
    let signatures = message.dkim_signatures();
    let mut order: Vec<usize> = (0..signatures.len()).collect();
    order.sort_by_key(|&at| signatures.get(at).is_none_or(|signature| !is_aligned(&signature.header.d, from)));
    let kept: BTreeSet<usize> = order.into_iter().take(limit).collect();
    let left_out = signatures.len().saturating_sub(limit);
    let mut at = 0;
    message.retain_dkim_signatures(|_| {
        at += 1;
        // The error is never seen: fields set aside here stand behind those that are reported.
        if kept.contains(&(at - 1)) { Ok(()) } else { Err(DkimError::UnsupportedVersion) }
    });
    left_out
}

/// Where DMARC looks for a policy: at the domain and at its ends (RFC 9989 §4.10).
fn policy_names(domain: &str) -> Vec<String> {
    let ends = domain.match_indices('.').filter_map(|(at, _)| domain.get(at + 1..));
    let mut names: Vec<&str> = ends.collect();
    let names = names.split_off(names.len().saturating_sub(POLICY_LABELS));
    [domain].into_iter().chain(names).map(|name| format!("_dmarc.{name}.")).collect()
}

fn is_aligned(domain: &str, from: &From) -> bool {
    let domain = domain.to_ascii_lowercase();
    from.domains.first().is_some_and(|author| from.domains.len() == 1 && registered(author) == registered(&domain))
}

fn signature_of(signature: &dkim::Signature, result: &mail_auth::DkimResult, from: &From) -> Signature {
    let (result, error) = match result {
        mail_auth::DkimResult::Pass => (DkimResult::Pass, None),
        mail_auth::DkimResult::Neutral(error) => (unfit(error), Some(error)),
        mail_auth::DkimResult::Fail(error) => (DkimResult::Fail, Some(error)),
        mail_auth::DkimResult::PermError(error) => (DkimResult::Permerror, Some(error)),
        mail_auth::DkimResult::TempError(error) => (DkimResult::Temperror, Some(error)),
        mail_auth::DkimResult::None => (DkimResult::Neutral, None),
    };
    Signature {
        domain: signature.d.to_ascii_lowercase(),
        selector: signature.s.clone(),
        b: start_of(&signature.b),
        result,
        reason: error.map(Error::to_string),
        aligned: is_aligned(&signature.d, from),
        signed: if result == DkimResult::Pass { signature.h.clone() } else { Vec::new() },
    }
}

/// mail-auth calls all of these neutral; RFC 8601 §2.7.1 tells them apart.
fn unfit(error: &Error) -> DkimResult {
    match error {
        Error::Dkim(DkimError::BodyHashMismatch | DkimError::SignatureExpired) => DkimResult::Fail,
        Error::Dkim(DkimError::BodyLengthTag) => DkimResult::Policy,
        _ => DkimResult::Neutral,
    }
}

/// A signature that was not verified: its field is read once more for its names.
fn refused_of(value: &[u8], error: &Error, from: &From) -> Signature {
    let signature = dkim::Signature::parse(value).unwrap_or_default();
    let result = match error {
        _ if signature.a == Algorithm::RsaSha1 && !signature.d.is_empty() => DkimResult::Policy,
        error => unfit(error),
    };
    let reason = match result {
        DkimResult::Policy if signature.a == Algorithm::RsaSha1 => "SHA-1 is not accepted (RFC 8301)".to_owned(),
        _ => error.to_string(),
    };
    Signature {
        domain: signature.d.to_ascii_lowercase(),
        aligned: is_aligned(&signature.d, from),
        selector: signature.s,
        b: start_of(&signature.b),
        result,
        reason: Some(reason),
        signed: Vec::new(),
    }
}

fn start_of(signature: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let Some(start) = signature.get(..SHOWN_SIGNATURE) else { return String::new() };
    let bits = start.iter().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
    (0..8).rev().map(|at| char::from(ALPHABET[(bits >> (6 * at)) as usize & 63])).collect()
}

fn arc_of(output: &ArcOutput<'_>, from: &From) -> Arc {
    let (result, error) = match output.result() {
        mail_auth::ArcResult::None => (ArcResult::None, None),
        mail_auth::ArcResult::Pass => (ArcResult::Pass, None),
        mail_auth::ArcResult::TempError(error) => (ArcResult::Temperror, Some(error)),
        mail_auth::ArcResult::Neutral(error)
        | mail_auth::ArcResult::Fail(error)
        | mail_auth::ArcResult::PermError(error) => (ArcResult::Fail, Some(error)),
    };
    let author = from.domains.first().map(String::as_str).unwrap_or_default();
    let sets = output.chain().iter().map(|link| ArcSet {
        sealer: link.seal.header.d.to_ascii_lowercase(),
        dmarc_passed: says(&tokens(link.results.value), "dmarc", "pass", "header.from", author),
    });
    let passed = result == ArcResult::Pass;
    let sets = if passed { sets.collect() } else { Vec::new() };
    let newest = output.chain().last().filter(|_| passed);
    let signed = newest.map(|link| link.signature.header.h.clone()).unwrap_or_default();
    Arc { result, reason: error.map(Error::to_string), sets, signed }
}

fn spf_output(spf: &SpfResults) -> SpfOutput {
    let Some(mail) = &spf.mail else { return SpfOutput::default() };
    SpfOutput::new(mail.domain.clone()).with_result(match mail.result {
        SpfResult::None => mail_auth::SpfResult::None,
        SpfResult::Neutral => mail_auth::SpfResult::Neutral,
        SpfResult::Pass => mail_auth::SpfResult::Pass,
        SpfResult::Fail => mail_auth::SpfResult::Fail,
        SpfResult::Softfail => mail_auth::SpfResult::SoftFail,
        SpfResult::Temperror => mail_auth::SpfResult::TempError,
        SpfResult::Permerror => mail_auth::SpfResult::PermError,
    })
}

fn dmarc_of(output: &DmarcOutput) -> Dmarc {
    let (result, reason) = match output.result() {
        mail_auth::DmarcResult::None => (DmarcResult::None, None),
        mail_auth::DmarcResult::Pass => (DmarcResult::Pass, None),
        mail_auth::DmarcResult::Fail(_) => (DmarcResult::Fail, None),
        mail_auth::DmarcResult::TempError(error) => (DmarcResult::Temperror, Some(error.to_string())),
        mail_auth::DmarcResult::PermError(error) => (DmarcResult::Permerror, Some(error.to_string())),
    };
    Dmarc {
        domain: output.domain().to_owned(),
        result,
        policy: match output.policy() {
            mail_auth::dmarc::Policy::Reject => Policy::Reject,
            mail_auth::dmarc::Policy::Quarantine => Policy::Quarantine,
            mail_auth::dmarc::Policy::None | mail_auth::dmarc::Policy::Unspecified => Policy::None,
        },
        testing: output.record().is_some_and(|record| record.t),
        reason,
    }
}
