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

#[cfg(test)]
mod tests {
    use super::super::{ConnectFacts, Engine, Judged, MailFacts, SessionOptions, Shared};
    use crate::{
        config, explain::edit_text, lookup::dns::Zone, session::Login, store::counters::scratch, verdict::Host,
    };
    use std::{net::IpAddr, sync::Arc};

    const NOW: i64 = 1_800_000_000; // day 20833
    // Computed apart: printf '0840alice@x.test' | openssl dgst -sha1 -hmac 0123456789abcdef
    const TAGGED: &str = "change sender <prvs=0840c22a4d=alice@x.test>";

    async fn engine(name: &str, more: &str) -> Arc<Engine> {
        let key = scratch(name).join("batv.key");
        std::fs::write(&key, "0123456789abcdef\n").expect("a key");
        let text = format!(
            "[malware]\nscanning = \"in-process\"\n[batv]\nmode = \"observe\"\ndomains = [\"x.test\"]\nkeys = [\"{}\"]\n\
             {more}",
            key.display()
        );
        let config = config::parse("test.toml", &text).unwrap_or_else(|faults| panic!("{faults:?}"));
        Engine::build(config, Shared::in_memory(Some(Zone::default()))).await.expect("an engine")
    }

    /// Who sends: a user, a program on this host, or a stranger.
    #[derive(Clone, Copy, PartialEq)]
    enum From {
        User,
        Program,
        Stranger,
    }

    async fn judged(engine: &Arc<Engine>, from: From, host: Host, sender: &str, recipients: &[&str]) -> Judged {
        let mut session = engine.session(SessionOptions { host, ..SessionOptions::default() });
        let client_ip = (from != From::Program).then_some(IpAddr::from([203, 0, 113, 20]));
        let local_submission = from == From::Program;
        let facts = ConnectFacts { time: NOW, client_ip, client_name: None, mta_name: None, local_submission };
        assert!(session.connect(facts).await.reply.is_none());
        let login = (from == From::User).then(|| Login { name: "alice".into(), mechanism: "PLAIN".into() });
        let mail = MailFacts { time: NOW, sender: sender.as_bytes(), parameters: Vec::new(), login, tls: None };
        assert!(session.mail(mail).await.reply.is_none());
        for recipient in recipients {
            assert!(session.rcpt(NOW, recipient.as_bytes(), None).await.reply.is_none());
        }
        session.whole_message(b"From: alice@x.test\r\nSubject: hello\r\n\r\nDear Bob\r\n");
        session.end_of_message(NOW, None).await
    }

    /// The edits but for added fields, and what was not applied.
    fn told(judged: &Judged) -> (Vec<String>, Vec<String>) {
        let edits = judged.verdict.edits.iter().map(edit_text).filter(|edit| !edit.starts_with("add "));
        (edits.collect(), judged.report.explanation.not_applied.clone())
    }

    const POLICIES: &str = r#"sign = true
[[policy]]
name = "wait"
direction = "outbound"
to = "held@y.test"
then = "hold"
[[policy]]
name = "drop"
direction = "outbound"
to = "drop@y.test"
then = "discard"
[[policy]]
name = "no"
direction = "outbound"
to = "no@y.test"
then = "reject"
[[policy]]
name = "mark"
direction = "outbound"
to = "mark@y.test"
then = { tag = { subject = "[OUT]" } }
"#;

    #[tokio::test]
    async fn mail_that_leaves_has_a_tagged_sender_and_its_record_the_plain_one() {
        let engine = engine("tagging", POLICIES).await;
        let host = Host::default();
        let tagged = |edits: &[&str]| (edits.iter().map(|&edit| edit.to_owned()).collect::<Vec<_>>(), vec![]);
        for from in [From::User, From::Program] {
            let usual = judged(&engine, from, host, "<Alice@x.test>", &["bob@y.test"]).await;
            let as_written = TAGGED.replace("=alice", "=Alice");
            assert_eq!(told(&usual), tagged(&[&as_written]));
            assert_eq!(usual.report.explanation.sender.as_deref(), Some("Alice@x.test"));
            let text = usual.report.explanation.to_string();
            assert!(text.contains("  change sender <prvs="), "{text}");
        }
        let judged = |from, sender, recipients| judged(&engine, from, host, sender, recipients);
        let marked = judged(From::User, "alice@x.test", &["mark@y.test"]).await;
        assert_eq!(told(&marked), tagged(&["change Subject 1: [OUT] hello", TAGGED]));
        let held = judged(From::User, "alice@x.test", &["held@y.test", "drop@y.test"]).await;
        let hold = "hold: policy \"wait\"";
        assert_eq!(told(&held), tagged(&[TAGGED, "remove recipient <drop@y.test>", hold]), "it may be let go later");

        for gone in [&["drop@y.test"], &["no@y.test"]] {
            assert_eq!(told(&judged(From::User, "alice@x.test", gone).await), tagged(&[]), "{gone:?}: nobody gets it");
        }
        for kept in ["<>", "alice@z.test", "alice", "prvs=0840c22a4d=alice@x.test"] {
            assert_eq!(told(&judged(From::User, kept, &["bob@y.test"]).await), tagged(&[]), "{kept}");
        }
        assert_eq!(told(&judged(From::Stranger, "alice@x.test", &["bob@x.test"]).await), tagged(&[]));
    }

    #[tokio::test]
    async fn a_sender_that_cannot_be_tagged_says_why() {
        let signs = engine("tagging-not", "sign = true\n").await;
        let poor = Host { change_sender: false, ..Host::default() };
        let why = |text: &str| (vec![], vec![format!("BATV tag: {text}")]);
        let left = judged(&signs, From::User, poor, "alice@x.test", &["bob@y.test"]).await;
        assert_eq!(told(&left), why("the host cannot change the sender"));
        let other = judged(&signs, From::User, poor, "alice@z.test", &["bob@y.test"]).await;
        assert_eq!(told(&other), (vec![], vec![]), "it needs none");
        let long = format!("{}@x.test", "a".repeat(60));
        let left = judged(&signs, From::User, Host::default(), &long, &["bob@y.test"]).await;
        assert_eq!(told(&left), why("the local part would be too long"));
        let off = engine("tagging-off", "").await;
        let usual = judged(&off, From::User, Host::default(), "alice@x.test", &["bob@y.test"]).await;
        assert_eq!(told(&usual), (vec![], vec![]), "off by default");
    }

    #[tokio::test]
    async fn a_sender_who_is_tagged_already_is_the_user_s_own() {
        let rights = "[outbound.rights]\nmode = \"enforce\"\nlogin_domain = \"x.test\"\n";
        let engine = engine("tag-rights", rights).await;
        let host = Host::default();
        let judged = judged(&engine, From::User, host, "<prvs=0840c22a4d=alice@x.test>", &["bob@y.test"]).await;
        let found = judged.report.explanation.findings.iter().any(|finding| finding.id.starts_with("outbound."));
        assert!(!found, "{}", judged.report.explanation);
    }
}
