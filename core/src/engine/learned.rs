//! What this site has learned about senders, as the stages use it: asked before the verdict, fed by it.

use super::{Session, open::Open};
use crate::{
    authentication::{DkimResult, DmarcResult, Results, SpfResult, SpfResults},
    lookup::Deadline,
    message::MessageFacts,
    policy::Decision,
    reputation::{
        Answers, ReverseDns, SenderAnswers, SenderQuestion, ask_sender,
        correspondents::RECIPIENTS,
        learned::{Experience, History, Identity, registered},
    },
    score::Thresholds,
    session::{Address, Direction, Recipient},
    spam,
    verdict::{Action, Card, Disposition, Finding, Points},
};

/// Fields of mail that no person writes to another, beside Auto-Submitted (RFC 3834 §5) and Precedence.
const AUTOMATIC: &[&str] = &["list-id", "list-unsubscribe", "x-autoreply", "x-autorespond"];

/// From here on the history of a client's network is bad. Source: our own limit, half of the most points by default.
const BAD_HISTORY: Points = Points::hundredths(150);

impl Session {
    /// Whether this site has seen so much spam of the client's network that its mistakes are no accidents.
    pub(super) async fn has_bad_history(&mut self) -> bool {
        let Ok(Some(client)) = self.reputation.answer().await else { return false };
        self.engine.reputation.learned().points(&[&client.learned]) >= BAD_HISTORY
    }

    /// What is known of the sender of an inbound message, and what it is worth.
    pub(super) async fn judge_sender(
        &mut self,
        time: i64,
        open: &Open,
        message: &MessageFacts,
        authentication: (Option<&SpfResults>, Option<&Results>),
        deadline: Deadline,
    ) -> (SenderAnswers, Vec<Finding>) {
        if open.transaction.direction == Direction::Outbound || self.local_submission {
            return Default::default();
        }
        let domain = authentication.1.and_then(|results| authenticated_domain(results, authentication.0));
        let learns = self.is_counted() && self.engine.reputation.learned().settings().enabled;
        let (connection, nothing) = (&self.connection, Answers::default());
        let client = self.reputation.answer().await.ok().flatten().unwrap_or(&nothing);
        let author = domain.and_then(|domain| author(message, domain));
        let helo = connection.helo.as_deref().filter(|_| learns);
        let question = SenderQuestion {
            identities: [
                domain.filter(|_| learns).and_then(Identity::domain),
                helo.and_then(|helo| Identity::helo(helo, confirmed_names(client, connection.client_name.as_deref()))),
            ]
            .into_iter()
            .flatten()
            .collect(),
            author: author.as_ref(),
            recipients: open.transaction.recipients.iter().map(|recipient| &recipient.address).collect(),
        };
        let (correspondents, ledger) = (&self.engine.correspondents, &self.engine.shared.ledger);
        let live = ask_sender(correspondents, ledger, question, time, deadline);
        let answers = self.journal.ask("sender", live).await;
        let mut findings = match learns {
            true => self.engine.reputation.learned().judge(&[&client.learned, &answers.history]),
            false => Vec::new(),
        };
        findings.extend(correspondents.judge(answers.acquaintance));
        (answers, findings)
    }

    /// Feeds what is learned with a verdict. A replay has nothing to teach.
    pub(super) async fn learn(
        &mut self,
        time: i64,
        open: &Open,
        message: &MessageFacts,
        card: &Card,
        decision: &Decision,
        sender: &SenderAnswers,
    ) {
        if self.journal.is_replay() {
            return;
        }
        if open.transaction.direction == Direction::Outbound {
            if decision.verdict.action == Action::Accept {
                self.learn_correspondents(time, open, message);
            }
            return;
        }
        let written_to_desk = open.transaction.recipients.iter().any(|r| r.address.is_postmaster_or_abuse());
        // Bounces and complaints quote the mail of others.
        if !self.is_counted() || written_to_desk || open.transaction.sender.mailbox().is_none() {
            return;
        }
        let Some(experience) = experience(card, decision, self.engine.score.thresholds) else { return };
        let Ok(Some(client)) = self.reputation.answer().await else { return };
        self.engine.reputation.learned().record_message(
            &self.engine.shared.ledger,
            &client.learned,
            &sender.history,
            experience,
            self.experiences,
            time,
        );
        self.experiences += 1;
    }

    /// The outside recipients of a user's message become known.
    fn learn_correspondents(&self, time: i64, open: &Open, message: &MessageFacts) {
        let transaction = &open.transaction;
        let Some(user) = transaction.sender.mailbox() else { return };
        let domains = &self.engine.directory_settings.domains;
        let is_ours = |address: &Address| match domains.is_empty() {
            true => registered(&address.domain) == registered(&user.domain),
            false => domains.contains(&address.domain),
        };
        // Forwarded mail keeps the sender that it came with.
        let from_user = !user.domain.is_empty() && is_ours(user);
        if !from_user || transaction.recipients.len() > RECIPIENTS || is_automatic(message) {
            return;
        }
        let has_domain = |r: &&Recipient| registered(&r.address.domain).is_some();
        for Recipient { address, .. } in transaction.recipients.iter().filter(has_domain) {
            if !is_ours(address) {
                let anybodys = spam::is_freemail(&address.domain);
                self.engine.correspondents.record(&self.engine.shared.ledger, user, address, anybodys, time);
            }
        }
    }
}

/// What a client's address has taught, for [`Answers`].
pub(super) async fn with_history(
    answers: impl Future<Output = Answers>,
    history: impl Future<Output = History>,
) -> Answers {
    let (answers, learned) = tokio::join!(answers, history);
    Answers { learned, ..answers }
}

/// Names that DNS confirms for the client: by our own lookup, and by the MTA's.
fn confirmed_names<'a>(client: &'a Answers, client_name: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let own = match &client.reverse {
        ReverseDns::Confirmed { name } => Some(name.as_str()),
        _ => None,
    };
    own.into_iter().chain(client_name)
}

/// The domain of the author, if anything proves it: DMARC, a signature of that organisation, or SPF for it. What a message
/// only claims must neither earn nor spoil a reputation.
fn authenticated_domain<'r>(results: &'r Results, spf: Option<&SpfResults>) -> Option<&'r str> {
    let [domain] = results.from.domains.as_slice() else { return None };
    let signed = results.signatures.iter().any(|s| s.aligned && s.result == DkimResult::Pass);
    let by_spf = spf.and_then(|spf| spf.mail.as_ref()).is_some_and(|mail| {
        let own = registered(&mail.domain);
        mail.result == SpfResult::Pass && own.is_some() && own == registered(domain)
    });
    let proven = results.from.fields == 1 && (results.dmarc.result == DmarcResult::Pass || signed || by_spf);
    proven.then_some(domain)
}

/// The author, if there is one alone and of this domain.
fn author(message: &MessageFacts, domain: &str) -> Option<Address> {
    let [author] = message.from.as_slice() else { return None };
    Address::parse(author.as_bytes()).ok().filter(|author| author.domain == domain)
}

/// Whether a program has written the message, to answer one perhaps: an automatic reply to spam makes no acquaintance.
fn is_automatic(message: &MessageFacts) -> bool {
    message.headers.iter().any(|(name, value)| {
        let value = value.trim();
        let is = |field: &str| name.eq_ignore_ascii_case(field);
        let word = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
        is("auto-submitted") && !word(&["no"])
            || is("precedence") && word(&["bulk", "junk", "list", "auto_reply"])
            || AUTOMATIC.iter().any(|field| is(field))
    })
}

/// What a message was by its verdict; `None` if that says too little. What was learned about the sender does not count,
/// else a first impression would confirm itself.
fn experience(card: &Card, decision: &Decision, thresholds: Thresholds) -> Option<Experience> {
    let verdict = &decision.verdict;
    if matches!(&verdict.action, Action::Reply(reply) if reply.is_temporary()) {
        return None;
    }
    let learned =
        |finding: &&Finding| finding.id.starts_with("reputation.learned.") || finding.id.starts_with("correspondent.");
    let total: Points = card.findings.iter().filter(|finding| !learned(finding)).map(|finding| finding.points).sum();
    let all_want = |wanted: &Disposition| verdict.recipients.iter().all(|recipient| recipient.wanted == *wanted);
    let bad = total >= thresholds.tag || card.findings.iter().any(Finding::is_malware);
    if bad {
        // Delivered all the same: a policy of the site says so.
        return (!all_want(&Disposition::Deliver)).then_some(Experience::Bad);
    }
    let clear = total.plus(total) <= thresholds.tag;
    let taken = verdict.action == Action::Accept && all_want(&Disposition::Deliver);
    (clear && taken).then_some(Experience::Good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authentication::{Dmarc, From, Signature, SpfIdentity},
        verdict::{RecipientVerdict, Reply, Tag, Verdict},
    };

    fn judged(points: &[(&'static str, i32)], wanted: Disposition, action: Action) -> Option<Experience> {
        let findings: Vec<Finding> =
            points.iter().map(|(id, points)| Finding::new(*id, Points::hundredths(*points), "test")).collect();
        let total = findings.iter().map(|finding| finding.points).sum();
        let recipient = RecipientVerdict {
            address: "a@x.test".into(),
            wanted: wanted.clone(),
            disposition: wanted,
            because: String::new(),
            reply: None,
        };
        let verdict = Verdict { action, recipients: vec![recipient], edits: Vec::new() };
        let changes = crate::message::Changes::default();
        let decision = Decision { verdict, notes: Vec::new(), not_applied: Vec::new(), changes, told: Vec::new() };
        experience(&Card { findings, total }, &decision, Thresholds::default())
    }

    fn refused(code: u16, enhanced: (u8, u16, u16)) -> Action {
        Action::Reply(Reply::fixed(code, enhanced, "no"))
    }

    #[test]
    fn verdicts_by_score_or_malware_are_bad_and_clearly_clean_ones_good() {
        let marked = || Disposition::Tag(Tag::default());
        assert_eq!(judged(&[("spam.x", 500)], marked(), Action::Accept), Some(Experience::Bad));
        assert_eq!(judged(&[("spam.x", 1500)], Disposition::Reject, refused(550, (5, 7, 1))), Some(Experience::Bad));
        assert_eq!(judged(&[("malware.x", 0)], Disposition::Reject, refused(550, (5, 7, 1))), Some(Experience::Bad));
        assert_eq!(judged(&[("spam.x", 250)], Disposition::Deliver, Action::Accept), Some(Experience::Good));
        for (points, wanted, action) in [
            (300, Disposition::Deliver, Action::Accept),
            (0, Disposition::Reject, refused(550, (5, 7, 1))),
            (0, Disposition::Defer, refused(451, (4, 7, 1))),
            (900, Disposition::Defer, refused(451, (4, 7, 1))),
            (900, Disposition::Deliver, Action::Accept),
            (0, marked(), Action::Accept),
        ] {
            assert_eq!(judged(&[("spam.x", points)], wanted.clone(), action), None, "{points} {wanted:?}");
        }
    }

    #[test]
    fn what_was_learned_about_a_sender_confirms_nothing() {
        let learned = ("reputation.learned.network", 300);
        let marked = Disposition::Tag(Tag::default());
        assert_eq!(
            judged(&[learned, ("spam.x", 250)], marked.clone(), Action::Accept),
            None,
            "marked, but not by itself"
        );
        assert_eq!(judged(&[learned, ("spam.x", 0)], Disposition::Deliver, Action::Accept), Some(Experience::Good));
        let praise = [("correspondent.known", -200), ("reputation.learned.domain", -200), ("spam.x", 600)];
        assert_eq!(judged(&praise, marked, Action::Accept), Some(Experience::Bad));
    }

    #[test]
    fn a_domain_that_a_message_only_claims_is_nobodys() {
        let from = From { fields: 1, domains: vec!["mail.bank.test".into()] };
        let signature = |aligned, result| Signature {
            domain: "bank.test".into(),
            selector: "s".into(),
            b: String::new(),
            result,
            reason: None,
            aligned,
            signed: Vec::new(),
        };
        let claimed = Results { from: from.clone(), ..Results::default() };
        let spf = |domain: &str, result| SpfResults {
            helo: None,
            mail: Some(SpfIdentity { identity: String::new(), domain: domain.into(), result }),
        };
        let proven = |results: &Results, spf: &SpfResults| authenticated_domain(results, Some(spf)).is_some();
        let nothing = SpfResults::default();
        assert!(!proven(&claimed, &nothing));
        assert!(!proven(&claimed, &spf("spammer.test", SpfResult::Pass)), "SPF of another domain");
        assert!(!proven(&claimed, &spf("bank.test", SpfResult::Softfail)));
        assert!(proven(&claimed, &spf("bounce.bank.test", SpfResult::Pass)));
        for (aligned, result, expected) in
            [(true, DkimResult::Pass, true), (false, DkimResult::Pass, false), (true, DkimResult::Fail, false)]
        {
            let signed = Results { signatures: vec![signature(aligned, result)], ..claimed.clone() };
            assert_eq!(proven(&signed, &nothing), expected, "{aligned} {result:?}");
        }
        let passed = Results { dmarc: Dmarc { result: DmarcResult::Pass, ..Dmarc::default() }, ..claimed };
        assert!(proven(&passed, &nothing));
        let two = Results { from: From { fields: 2, ..from }, ..passed };
        assert!(!proven(&two, &nothing), "two From fields");
    }

    #[test]
    fn automatic_replies_make_no_acquaintance() {
        let message = |name: &str, value: &str| MessageFacts {
            headers: vec![("Subject".into(), "x".into()), (name.into(), value.into())],
            ..MessageFacts::default()
        };
        for (name, value) in
            [("auto-submitted", "auto-replied"), ("Precedence", "Bulk"), ("List-Id", "<x>"), ("X-Autoreply", "yes")]
        {
            assert!(is_automatic(&message(name, value)), "{name}");
        }
        assert!(!is_automatic(&message("Auto-Submitted", " no")));
        assert!(!is_automatic(&message("Precedence", "first-class")));
    }
}
