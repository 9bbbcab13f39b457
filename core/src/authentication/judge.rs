//! What the results mean: points, and a refusal where the author's domain asks for it.

use super::{
    ArcResult, Authenticator, DkimResult, DmarcMode, DmarcResult, Policy, Results, SpfIdentity, SpfResult, SpfResults,
    arc_trust::vouched_by,
};
use crate::{
    lookup::OnTrouble,
    verdict::{Finding, Judgement, Points, Reply},
};

impl Authenticator {
    /// Judges SPF: points only (RFC 7208 §8.4 leaves refusal to the receiver, and forwarded mail fails honestly).
    pub fn judge_spf(&self, spf: &SpfResults) -> Judgement {
        let points = &self.settings.points;
        let mut judgement = Judgement::default();
        if let Some(mail) = &spf.mail {
            let weight = match mail.result {
                SpfResult::Fail => Some(points.spf_fail),
                SpfResult::Softfail => Some(points.spf_softfail),
                SpfResult::Permerror => Some(points.spf_permerror),
                SpfResult::Pass => Some(points.spf_pass),
                SpfResult::Temperror => Some(Points::ZERO),
                SpfResult::None | SpfResult::Neutral => None,
            };
            judgement.findings.extend(weight.map(|weight| spf_finding("spf", mail, weight)));
            if mail.result == SpfResult::Temperror && self.settings.dns_trouble == OnTrouble::Defer {
                judgement.reply = Some(dns_trouble());
            }
        }
        let is_same = |helo: &SpfIdentity| spf.mail.as_ref().is_some_and(|mail| mail.domain == helo.domain);
        if let Some(helo) = spf.helo.as_ref().filter(|helo| helo.result == SpfResult::Fail && !is_same(helo)) {
            judgement.findings.push(spf_finding("spf.helo", helo, points.spf_helo_fail));
        }
        judgement
    }

    /// Judges DKIM, ARC and DMARC. SPF is judged by [`Authenticator::judge_spf`].
    pub fn judge(&self, results: &Results) -> Judgement {
        let mut judgement = Judgement::default();
        self.judge_from(results, &mut judgement);
        self.judge_dkim(results, &mut judgement);
        if results.arc.result == ArcResult::Fail {
            let finding = Finding::new("arc.fail", self.settings.points.arc_fail, "RFC 8617 section 5.2");
            judgement.findings.push(results.arc.reason.iter().fold(finding, |finding, why| finding.fact(why)));
        }
        self.judge_dmarc(results, &mut judgement);
        judgement
    }

    /// What the author's domain asks for, after the site's exceptions: the policy that applies, and who vouches.
    pub fn applied_policy(&self, results: &Results) -> (Policy, Option<String>) {
        if results.dmarc.result != DmarcResult::Fail {
            return (Policy::None, None);
        }
        match vouched_by(&self.settings, results) {
            Some(by) => (Policy::None, Some(by)),
            None if self.settings.dmarc == DmarcMode::Observe => (Policy::None, None),
            None => (results.dmarc.policy, None),
        }
    }

    fn judge_from(&self, results: &Results, judgement: &mut Judgement) {
        let points = &self.settings.points;
        let source = "RFC 5322 section 3.6.2: one From field with an address";
        if results.from.domains.is_empty() {
            judgement.findings.push(Finding::new("from.missing", points.from_missing, source));
        } else if results.from.fields > 1 || results.from.domains.len() > 1 {
            let finding = Finding::new("from.multiple", points.from_multiple, source);
            judgement.findings.push(results.from.domains.iter().fold(finding, |finding, domain| finding.fact(domain)));
            // DMARC says nothing about such a message, while a reader sees the first author (RFC 9989 §11).
            let enforced = self.settings.dmarc == DmarcMode::Enforce;
            if enforced && results.from.fields > 1 && results.from.domains.len() > 1 {
                judgement.reply = Some(Reply::fixed(550, (5, 7, 1), "Message names more than one author"));
            }
        }
    }

    fn judge_dkim(&self, results: &Results, judgement: &mut Judgement) {
        let points = &self.settings.points;
        let of_author = results.signatures.iter().any(|s| s.aligned && s.result == DkimResult::Pass);
        for (id, result, weight) in [
            ("dkim.pass", DkimResult::Pass, if of_author { points.dkim_pass_aligned } else { Points::ZERO }),
            // A broken signature beside a good one of the author says nothing: lists and gateways break them.
            ("dkim.fail", DkimResult::Fail, if of_author { Points::ZERO } else { points.dkim_fail }),
            ("dkim.policy", DkimResult::Policy, Points::ZERO),
            ("dkim.neutral", DkimResult::Neutral, Points::ZERO),
            ("dkim.temperror", DkimResult::Temperror, Points::ZERO),
            ("dkim.permerror", DkimResult::Permerror, Points::ZERO),
        ] {
            let of_this: Vec<_> = results.signatures.iter().filter(|signature| signature.result == result).collect();
            if of_this.is_empty() {
                continue;
            }
            let finding =
                of_this.iter().fold(Finding::new(id, weight, "RFC 6376 section 6.1"), |finding, signature| {
                    let reason = signature.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
                    finding.fact(format!("{}{reason}", signature.domain))
                });
            judgement.findings.push(finding);
        }
        if results.signatures_left_out > 0 {
            let source = "RFC 6376 section 6.1: verifiers may limit signatures";
            let finding = Finding::new("dkim.too-many", points.dkim_too_many, source);
            judgement.findings.push(finding.fact(format!("{} not verified", results.signatures_left_out)));
        }
    }

    fn judge_dmarc(&self, results: &Results, judgement: &mut Judgement) {
        let points = &self.settings.points;
        let dmarc = &results.dmarc;
        let finding = |id: &'static str, weight: Points| Finding::new(id, weight, "RFC 9989").fact(&dmarc.domain);
        match dmarc.result {
            DmarcResult::None | DmarcResult::Pass => {}
            DmarcResult::Temperror => {
                judgement.findings.push(finding("dmarc.temperror", Points::ZERO));
                if self.settings.dns_trouble == OnTrouble::Defer {
                    judgement.reply = Some(dns_trouble());
                }
            }
            DmarcResult::Permerror => judgement.findings.push(finding("dmarc.permerror", points.dmarc_permerror)),
            DmarcResult::Fail => {
                let id = match dmarc.policy {
                    Policy::None => "dmarc.fail",
                    Policy::Quarantine => "dmarc.quarantine",
                    Policy::Reject => "dmarc.reject",
                };
                let (applied, vouched) = self.applied_policy(results);
                if let Some(by) = vouched {
                    judgement.findings.push(finding("dmarc.overridden", Points::ZERO).fact(by));
                    return;
                }
                let weight = match applied {
                    Policy::None => points.dmarc_fail,
                    Policy::Quarantine => points.dmarc_quarantine,
                    Policy::Reject => points.dmarc_reject,
                };
                judgement.findings.push(finding(id, weight));
                if applied == Policy::Reject {
                    judgement.reply = Some(refused(&dmarc.domain));
                }
            }
        }
    }
}

fn spf_finding(prefix: &str, checked: &SpfIdentity, weight: Points) -> Finding {
    let separator = if prefix == "spf" { '.' } else { '-' };
    Finding::new(format!("{prefix}{separator}{}", checked.result.word()), weight, "RFC 7208").fact(&checked.domain)
}

fn refused(domain: &str) -> Reply {
    Reply::new(550, (5, 7, 1), format!("Mail that names {domain} as its author must be sent by that domain (DMARC)"))
        .unwrap_or_else(|_| Reply::fixed(550, (5, 7, 1), "The author's domain refuses this mail (DMARC)"))
}

fn dns_trouble() -> Reply {
    Reply::fixed(451, (4, 4, 3), "The sender's domain cannot be checked now, please try again later")
}
