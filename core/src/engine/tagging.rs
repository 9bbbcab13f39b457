//! The tag of the sender on mail that leaves the site, by which its bounces are known when they come back.

use super::{Session, open::Open};
use crate::{
    policy::Decision,
    session::Direction,
    verdict::{Action, Edit},
};

impl Session {
    /// Gives an outbound message that is taken a sender with a tag. All that was judged and recorded names the sender without.
    pub(super) fn tag_sender(&self, time: i64, open: &Open, decision: &mut Decision) {
        let outbound = open.transaction.direction == Direction::Outbound;
        if !outbound || decision.verdict.action != Action::Accept {
            return;
        }
        let tagged = match self.engine.batv.sign(&open.transaction.sender, time) {
            None => return,
            Some(_) if !self.options.host.change_sender => Err("the host cannot change the sender"),
            Some(tagged) => tagged,
        };
        match tagged {
            Ok(tagged) => {
                let edits = &mut decision.verdict.edits;
                let place = edits.iter().position(Edit::is_of_envelope).unwrap_or(edits.len());
                edits.insert(place, Edit::ChangeSender { address: format!("<{tagged}>") });
            }
            Err(why) => decision.not_applied.push(format!("BATV tag: {why}")),
        }
    }
}
