//! RCPT: who is it for, does that exist, and may this client ask.

use super::{Answer, Session};
use crate::{
    explain::Stage,
    recipients::{
        batv::Tag,
        directory::{self, Membership},
    },
    reputation::rates,
    session::{Address, Direction, Recipient, RefuseAt, RefusedByMta},
    verdict::Reply,
};
use std::sync::Arc;

impl Session {
    pub(super) async fn judge_rcpt(
        &mut self,
        time: i64,
        recipient: &[u8],
        refused_by_mta: Option<RefusedByMta>,
    ) -> Answer {
        let address = self.forward_path(recipient);
        if let Some(refused) = refused_by_mta {
            if refused.is_permanent() || refused.is_unknown_recipient() {
                self.note_user_refusal(time);
            }
            if refused.is_unknown_recipient() {
                let domain = address.map(|a| a.domain).unwrap_or_default();
                // The MTA has answered already; a block shows at the next command.
                self.count_unknown(time, &domain).await;
            }
            return Answer::default();
        }
        let address = match address {
            Ok(address) => address,
            Err(error) => {
                tracing::debug!(%error, "malformed recipient");
                let reply = Reply::fixed(501, (5, 1, 3), "Bad recipient address syntax");
                return self.refuse(Stage::Rcpt, None, reply, "malformed address");
            }
        };
        let (address, tag) = self.engine.batv.untag(address, time);
        let acts = self.engine.policy.acts_for_address(&address);
        if self.local_submission {
            // A refusal would leave the mail stuck in the MTA's queue (MILTER_README, "Limitations").
            let groups = self.membership(time, &address).await.groups().to_vec();
            self.accept(Recipient { address, groups });
            return Answer::default();
        }
        self.judge_recipient(time, &address, tag, acts).await
    }

    async fn judge_recipient(&mut self, time: i64, address: &Address, tag: Tag, acts: bool) -> Answer {
        let engine = Arc::clone(&self.engine);
        if acts
            && !address.is_postmaster_or_abuse()
            && let Some((reply, because)) = self.early_refusal(time, Stage::Rcpt, RefuseAt::Rcpt).await
        {
            return self.refuse(Stage::Rcpt, Some(address), reply, because);
        }
        let earned = self.open.as_ref().and_then(|open| open.refuse_recipients.clone());
        if acts
            && let Some((reply, because)) = match earned {
                Some(earned) => Some(earned),
                None => self.judge_recipient_rate(time).await,
            }
        {
            return self.refuse(Stage::Rcpt, Some(address), reply, because);
        }
        if let Some((reply, because)) = self.judge_account(time, false).await.filter(|_| acts) {
            return self.refuse(Stage::Rcpt, Some(address), reply, because);
        }
        let Some(open) = &mut self.open else { return Answer::default() };
        if open.transaction.recipients.len() >= engine.limits.recipients {
            let reply = Reply::fixed(452, (4, 5, 3), "Too many recipients");
            return self.refuse(Stage::Rcpt, Some(address), reply, "limit of recipients");
        }
        let groups = match self.membership(time, address).await {
            // The MTA knows its recipients itself, perhaps, and has taken this one: it counts beside those it refuses.
            Membership::NotOurs => {
                self.count_known(address);
                Vec::new()
            }
            known @ Membership::Known { .. } => {
                self.judge_membership(&known);
                self.count_known(address);
                known.groups().to_vec()
            }
            Membership::Unknown if acts => {
                self.note_user_refusal(time);
                self.judge_membership(&Membership::Unknown);
                let (reply, delay) = self.count_unknown(time, &address.domain).await;
                let (reply, because) = match reply {
                    Some(reply) => (reply, "directory harvest"),
                    None => (Reply::fixed(550, (5, 1, 1), "No such recipient here"), "unknown recipient"),
                };
                return self.refuse(Stage::Rcpt, Some(address), reply, because).after(delay);
            }
            Membership::Unknown => Vec::new(),
            trouble @ Membership::Trouble { .. } => {
                tracing::warn!(?trouble, "the directory cannot be asked");
                let reply = self.judge_membership(&trouble);
                // Users' mail programs do not queue: their mail goes on, and the MTA's own maps decide.
                let inbound = self.direction() == Some(Direction::Inbound);
                if let Some(reply) = reply.filter(|_| acts && inbound) {
                    return self.refuse(Stage::Rcpt, Some(address), reply, "directory in trouble");
                }
                Vec::new()
            }
        };
        if let Some(reply) = self.judge_tag(tag, address, acts) {
            return self.refuse(Stage::Rcpt, Some(address), reply, "bounce without a good tag");
        }
        if acts && let Some(reply) = self.judge_bounce(time, address).await {
            return self.refuse(Stage::Rcpt, Some(address), reply, "bounce");
        }
        if let Some(reply) = self.judge_greylist(time, address, acts).await {
            return self.refuse(Stage::Rcpt, Some(address), reply, "greylisting");
        }
        let recipient = Recipient { address: address.clone(), groups };
        if let Some(first) = self.open.as_ref().and_then(|o| o.transaction.recipients.first())
            && self.policy_class(first) != self.policy_class(&recipient)
        {
            let reply = Reply::fixed(452, (4, 5, 3), "Please send this recipient a message of its own");
            return self.refuse(Stage::Rcpt, Some(address), reply, "another policy class");
        }
        self.note(rates::Kind::Recipients, 1, time);
        self.note_user_recipient(time);
        self.accept(recipient);
        Answer::default()
    }

    /// Notes what the directory's answer says, and gives the reply that it means.
    fn judge_membership(&mut self, membership: &Membership) -> Option<Reply> {
        let judgement = directory::judge(membership, &self.engine.directory_settings);
        for finding in judgement.findings {
            self.find(finding);
        }
        judgement.reply
    }

    fn accept(&mut self, recipient: Recipient) {
        if let Some(open) = &mut self.open {
            open.transaction.recipients.push(recipient);
        }
    }
}
