//! Greylisting and tags of bounces, as RCPT uses them.

use super::Session;
use crate::{
    authentication::SpfResult,
    recipients::{
        batv::{RefuseAt, Tag},
        greylist::{Attempt, Client, untold},
    },
    reputation::{ReverseDns, correspondents::Acquaintance},
    session::{Address, Direction},
    verdict::{Judgement, Points, Reply},
};
use std::sync::Arc;

impl Session {
    /// Whether the client is to try again later.
    pub(super) async fn judge_greylist(&mut self, time: i64, recipient: &Address, acts: bool) -> Option<Reply> {
        let engine = Arc::clone(&self.engine);
        if engine.greylist.is_off() || self.is_trusted() || self.direction() != Some(Direction::Inbound) {
            return None;
        }
        let ip = self.connection.client_ip?;
        if self.open.as_ref()?.client.is_none() {
            let judgement = self.judge_client().await;
            self.open.as_mut()?.client = Some(judgement);
        }
        let reverse = self.reputation.answer().await.ok().flatten().map(|answers| &answers.reverse);
        let confirmed_name = match reverse {
            Some(ReverseDns::Confirmed { name }) => Some(name.as_str()),
            _ => None,
        };
        let open = self.open.as_mut()?;
        let mail = open.spf.answer().await.ok().flatten().and_then(|spf| spf.mail.as_ref());
        let spf_domain = mail.filter(|mail| mail.result == SpfResult::Pass).map(|mail| mail.domain.as_str());
        let found = open.client.iter().flat_map(|judgement| &judgement.findings);
        let client = Client {
            ip,
            confirmed_name,
            spf_domain,
            points: found.clone().map(|finding| finding.points).sum(),
            on_allow_list: found.clone().any(|f| f.id.starts_with("dnswl.") && f.points < Points::ZERO),
        };
        let deadline = self.command;
        let sender = &open.transaction.sender;
        let attempt = Attempt { client, sender, recipient };
        let subject = engine.greylist.subject(&attempt)?;
        if let Some(author) = sender.mailbox().filter(|_| engine.correspondents.is_enabled()) {
            let live = engine.correspondents.ask(&engine.shared.ledger, author, [recipient], time, deadline);
            let known = self.journal.ask("greylist.correspondent", live).await;
            let authentic = spf_domain == Some(author.domain.as_str());
            match known.done() {
                Some(Acquaintance::Recipient | Acquaintance::Site) => return None,
                Some(Acquaintance::Domain) if authentic => return None,
                _ => {}
            }
        }
        let counters = &engine.shared.counters;
        let live = engine.greylist.ask(&subject, counters, time, deadline);
        let answers = self.journal.ask("greylist", live).await;
        // Where nothing lasts (`mailward check`), nobody could come back; a replay says what was said.
        let acts = acts && (engine.shared.store().is_some() || self.journal.is_replay());
        let mut ruling = engine.greylist.judge(&subject, &answers, acts, time);
        if let Some(note) = ruling.note {
            let live = engine.greylist.note(note, &subject, counters, time, deadline);
            // Who cannot be remembered must not be sent away: he would be sent away each time.
            if let Some(why) = self.journal.ask("greylist.note", live).await {
                ruling.judgement = untold(why);
            }
        }
        self.conclude(ruling.judgement)
    }

    /// Judges the tag of a recipient. The reply, if there is one, is to be given at RCPT.
    pub(super) fn judge_tag(&mut self, tag: Tag, recipient: &Address, acts: bool) -> Option<Reply> {
        let transaction = &self.open.as_ref()?.transaction;
        if tag == Tag::NotOurs || transaction.direction == Direction::Outbound || self.is_trusted() {
            return None;
        }
        let null_sender = transaction.sender.mailbox().is_none();
        let batv = &self.engine.batv;
        let judgement = batv.judge(tag, recipient, null_sender, self.connection.client_ip, acts);
        let late = batv.settings().refuse_at == RefuseAt::Message;
        let reply = self.conclude(judgement)?;
        if !late {
            return Some(reply);
        }
        self.open.as_mut()?.refuse_message = Some(reply);
        None
    }

    /// Notes what was found, and gives the reply.
    fn conclude(&mut self, judgement: Judgement) -> Option<Reply> {
        for finding in judgement.findings {
            self.find(finding);
        }
        judgement.reply
    }
}
