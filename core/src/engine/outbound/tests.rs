use super::super::{ConnectFacts, Ended, Judged, MailFacts, SessionOptions, Shared};
use super::*;
use crate::{
    authentication::signing::{FIELD, PANICS, generate_ed25519},
    config,
    engine::Engine,
    lookup::dns::Zone,
    session::{Login, RefusedByMta},
    store::counters::scratch,
    verdict::{Action, Edit, Host},
};
use std::os::unix::fs::PermissionsExt;

const MESSAGE: &str = "From: alice@x.test\r\nTo: bob@y.test\r\nSubject: hello\r\n\r\nDear Bob\r\n";

/// An engine with a key for `x.test` and more configuration.
async fn engine(name: &str, more: &str) -> Arc<Engine> {
    engine_with_key(name, "selector = \"s1\"", more).await
}

/// The same with other lines of the key's entry.
async fn engine_with_key(name: &str, lines: &str, more: &str) -> Arc<Engine> {
    let key = scratch(name).join("key.pem");
    std::fs::write(&key, generate_ed25519().expect("a key")).expect("written");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("closed");
    let text = format!(
        "[[outbound.dkim]]\ndomain = \"x.test\"\n{lines}\nkey = \"{}\"\n[malware]\nscanning = \
         \"in-process\"\n{more}\n",
        key.display()
    );
    let config = config::parse("test.toml", &text).unwrap_or_else(|faults| panic!("{faults:?}"));
    Engine::build(config, Shared::in_memory(Some(Zone::default()))).await.expect("an engine")
}

/// A session of the user `alice`, up to MAIL.
async fn login(engine: &Arc<Engine>, options: SessionOptions, sender: &str) -> (Session, Option<u16>) {
    let mut session = engine.session(options);
    let client_ip = Some([203, 0, 113, 20].into());
    let facts = ConnectFacts { time: 1, client_ip, client_name: None, mta_name: None, local_submission: false };
    assert!(session.connect(facts).await.reply.is_none());
    let login = Some(Login { name: "alice".into(), mechanism: "PLAIN".into() });
    let sender = format!("<{sender}>");
    let mail = MailFacts { time: 2, sender: sender.as_bytes(), parameters: Vec::new(), login, tls: None };
    let code = session.mail(mail).await.reply.map(|(reply, _)| reply.code());
    (session, code)
}

async fn rcpt(session: &mut Session, recipient: &str) -> Option<u16> {
    session.rcpt(3, format!("<{recipient}>").as_bytes(), None).await.reply.map(|(reply, _)| reply.code())
}

async fn judged(engine: &Arc<Engine>, options: SessionOptions, message: &str) -> Judged {
    let (mut session, code) = login(engine, options, "alice@x.test").await;
    assert_eq!((code, rcpt(&mut session, "bob@y.test").await), (None, None));
    session.whole_message(message.as_bytes());
    session.end_of_message(4, None).await
}

/// Names of the added fields, and what is said of signatures.
fn told(judged: &Judged) -> (Vec<&str>, Vec<String>) {
    let added = judged.verdict.edits.iter().filter_map(|edit| match edit {
        Edit::AddHeader { name, .. } => Some(name.as_str()),
        _ => None,
    });
    let explanation = &judged.report.explanation;
    (added.collect(), [explanation.signed.clone(), explanation.not_applied.clone()].concat())
}

#[tokio::test]
async fn a_user_s_message_is_signed_once_and_what_cannot_be_signed_says_why() {
    let limits = "[limits]\nmessage_bytes = \"1 KiB\"\n";
    let policies = "[[policy]]\nname = \"wait\"\ndirection = \"outbound\"\nwhen = { header = { name = \"X-Hold\", present \
                    = true } }\nthen = \"hold\"\n[[policy]]\nname = \"no\"\ndirection = \"outbound\"\nwhen = { header = { \
                    name = \"X-No\", present = true } }\nthen = \"reject\"\n";
    let engine = engine("outbound-sign", &format!("{limits}{policies}")).await;
    let plain = SessionOptions::default;
    let signed = "d=x.test s=s1 a=ed25519-sha256".to_owned();
    let usual = judged(&engine, plain(), MESSAGE).await;
    assert_eq!(told(&usual), (vec![FIELD], vec![signed.clone()]));
    assert!(usual.report.explanation.to_string().contains("signed   d=x.test"), "{}", usual.report.explanation);

    let held = judged(&engine, plain(), &format!("X-Hold: 1\r\n{MESSAGE}")).await;
    assert_eq!(told(&held), (vec![FIELD], vec![signed]));
    assert!(matches!(held.verdict.edits.last(), Some(Edit::Hold { .. })), "{:?}", held.verdict.edits);

    let refused = judged(&engine, plain(), &format!("X-No: 1\r\n{MESSAGE}")).await;
    assert!(matches!(refused.verdict.action, Action::Reply(_)));
    assert_eq!(told(&refused), (vec![], vec![]));

    let why = |text: &str| (vec![], vec![format!("DKIM signature: {text}")]);
    let large = format!("{MESSAGE}{}", "x".repeat(2_000));
    assert_eq!(told(&judged(&engine, plain(), &large).await), why("the message is too large"));
    let host = Host { edit_header: false, ..Host::default() };
    let poor = judged(&engine, SessionOptions { host, ..plain() }, MESSAGE).await;
    assert_eq!(told(&poor), why("the host cannot add a header"));
    let two = judged(&engine, plain(), &format!("From: eve@x.test\r\n{MESSAGE}")).await;
    assert_eq!(told(&two), why("the message has several From fields"));
    let nobody = judged(&engine, plain(), "Subject: x\r\n\r\nx\r\n").await;
    assert_eq!(told(&nobody), why("From names no address"));
    let stranger = judged(&engine, plain(), &MESSAGE.replace("alice@x.test", "alice@z.test")).await;
    assert_eq!(told(&stranger), (vec![], vec![]));
}

#[tokio::test]
async fn a_key_that_has_run_out_does_not_stop_in_silence() {
    let engine = engine_with_key("outbound-over", "selector = \"s1\"\nfrom = \"2020-01-01\"", "").await;
    let early = judged(&engine, SessionOptions::default(), MESSAGE).await;
    assert_eq!(told(&early), (vec![], vec!["DKIM signature: no key is in force".to_owned()]));
    let stranger = judged(&engine, SessionOptions::default(), &MESSAGE.replace("alice@x", "alice@z")).await;
    assert_eq!(told(&stranger), (vec![], vec![]));
}

#[tokio::test]
async fn a_message_that_cannot_be_signed_for_an_error_of_ours_waits() {
    let lines = format!("selector = \"{PANICS}\"");
    let engine = engine_with_key("outbound-panic", &lines, "").await;
    let deferred = judged(&engine, SessionOptions::default(), MESSAGE).await;
    let Action::Reply(reply) = &deferred.verdict.action else { panic!("{:?}", deferred.verdict) };
    assert_eq!(reply.code(), 451);
    assert!(deferred.report.explanation.findings.iter().any(|finding| finding.id == "internal.panic"));
}

const ENFORCED: &str = "[outbound.rights]\nmode = \"enforce\"\nlogin_domain = \"x.test\"\n";

#[tokio::test]
async fn with_a_trial_only_its_recipients_are_refused_for_a_sender_that_is_not_the_user_s() {
    let engine = engine("outbound-trial", &format!("{ENFORCED}[trial]\nrecipients = [\"pilot@y.test\"]\n")).await;
    let (mut session, code) = login(&engine, SessionOptions::default(), "boss@x.test").await;
    assert_eq!(code, None);
    assert_eq!(rcpt(&mut session, "pilot@y.test").await, Some(550));
    assert_eq!(rcpt(&mut session, "bob@y.test").await, None);
    session.whole_message(MESSAGE.replace("alice@", "boss@").as_bytes());
    let judged = session.end_of_message(4, None).await;
    assert_eq!(judged.verdict.action, Action::Accept);
    let found = |id: &str| judged.report.explanation.findings.iter().any(|finding| finding.id == id);
    assert!(found("outbound.sender-not-allowed") && found("outbound.author-not-allowed"));
}

#[tokio::test]
async fn the_author_is_refused_though_outbound_mail_is_not_filtered_and_the_null_sender_is_everybody_s() {
    let engine = engine("outbound-author", ENFORCED).await;
    let (_, code) = login(&engine, SessionOptions::default(), "boss@x.test").await;
    assert_eq!(code, Some(550));
    let (mut session, code) = login(&engine, SessionOptions::default(), "").await;
    assert_eq!((code, rcpt(&mut session, "bob@y.test").await), (None, None));
    session.whole_message(MESSAGE.replace("alice@", "boss@").as_bytes());
    let judged = session.end_of_message(4, None).await;
    let Action::Reply(reply) = &judged.verdict.action else { panic!("{:?}", judged.verdict) };
    assert_eq!((reply.code(), reply.text()), (550, "This account may not write as this author"));
}

/// The code of the answer to a message with this header, for a user who may write as `alice@x.test` only.
async fn answer_to(engine: &Arc<Engine>, header: &str) -> (Option<u16>, Vec<String>) {
    let judged = judged(engine, SessionOptions::default(), &format!("{header}To: bob@y.test\r\n\r\nx\r\n")).await;
    let code = match &judged.verdict.action {
        Action::Reply(reply) => Some(reply.code()),
        _ => None,
    };
    (code, judged.report.explanation.findings.iter().map(|finding| finding.id.to_string()).collect())
}

#[tokio::test]
async fn nobody_hides_an_author_behind_others_or_by_how_it_is_written() {
    let engine = engine("outbound-authors", ENFORCED).await;
    let ten = ["alice@x.test"; 10].join(", ");
    let not_allowed = |id: &String| id == "outbound.author-not-allowed";
    for (header, code) in [
        (format!("From: {ten}\r\n"), None),
        ("From: alice (me) @ x.test\r\n".to_owned(), None),
        (format!("From: {ten}, alice@x.test\r\n"), Some(550)),
        (format!("From: {ten}, boss@x.test\r\n"), Some(550)),
        (format!("{}From: boss@x.test\r\n", "From: alice@x.test\r\n".repeat(10)), Some(550)),
        ("From: boss(x)@x.test\r\n".to_owned(), Some(550)),
        ("From: boss@x.test <>\r\n".to_owned(), Some(550)),
        ("From: =?utf-8?q?boss=40x.test?=\r\n".to_owned(), Some(550)),
        ("From: <alice@x.test> <boss@x.test>\r\n".to_owned(), Some(550)),
        ("From: boss\r\n".to_owned(), Some(550)),
        ("From:\r\n".to_owned(), Some(550)),
        (String::new(), Some(550)),
    ] {
        let (answer, findings) = answer_to(&engine, &header).await;
        assert_eq!((answer, findings.iter().any(not_allowed)), (code, code.is_some()), "{header}");
    }
    let lenient = ENFORCED.replace("enforce", "observe");
    let observing = self::engine("outbound-authors-seen", &lenient).await;
    let (code, findings) = answer_to(&observing, "").await;
    assert!(code.is_none() && findings.iter().any(not_allowed), "{findings:?}");
}

#[tokio::test]
async fn a_header_past_the_limits_hides_no_author() {
    let hidden = format!("From: alice@x.test\r\n{}From: boss@x.test\r\n", "X: y\r\n".repeat(2_000));
    let long = format!("From: alice@x.test\r\nX: {}\r\nFrom: boss@x.test\r\n", "y".repeat(1 << 20));
    for (name, header) in [("count", hidden), ("bytes", long)] {
        let engine = engine(&format!("outbound-header-{name}"), ENFORCED).await;
        let (code, findings) = answer_to(&engine, &header).await;
        assert_eq!(code, Some(552), "{findings:?}");
        assert!(findings.iter().any(|id| id == "outbound.rights-trouble"), "{findings:?}");
        let plain = self::engine(&format!("outbound-plain-{name}"), "").await;
        assert_eq!(answer_to(&plain, &header).await.0, None, "outbound mail is not filtered");
    }
}

#[tokio::test]
async fn a_second_author_behind_many_fields_is_seen_where_the_limit_is_higher() {
    let engine = engine("outbound-many-fields", "[limits]\nheader_count = 6000\n").await;
    let message = MESSAGE.replacen("To:", &format!("{}From: boss@x.test\r\nTo:", "X: y\r\n".repeat(5_200)), 1);
    let many = judged(&engine, SessionOptions::default(), &message).await;
    assert_eq!(told(&many), (vec![], vec!["DKIM signature: the message has several From fields".to_owned()]));
    assert_eq!(engine.bounds.headers, 6_000);
}

#[tokio::test]
async fn what_the_mta_only_defers_rings_no_alarm() {
    let engine = engine("outbound-deferred", "[outbound.alarm]\nmode = \"defer\"\nrefused = 2\n").await;
    for (status, code) in [("4.7.1", None), ("5.7.1", Some(450))] {
        let (mut session, _) = login(&engine, SessionOptions::default(), "alice@x.test").await;
        for _ in 0..3 {
            let refused = Some(RefusedByMta { status: Some(status.to_owned()), text: None });
            assert!(session.rcpt(3, b"<bob@y.test>", refused).await.reply.is_none());
        }
        assert_eq!(login(&engine, SessionOptions::default(), "alice@x.test").await.1, code, "{status}");
    }
}

#[tokio::test]
async fn a_replay_says_the_same_of_rates_alarms_and_signatures() {
    let config = "[outbound.rates]\nmode = \"enforce\"\nmessages_per_hour = 1\n[outbound.alarm]\nmode = \"observe\"\n\
                  networks = 1\n";
    let engine = engine("outbound-replay", config).await;
    let options = SessionOptions { record: true, ..SessionOptions::default() };
    let (mut session, _) = login(&engine, options, "alice@x.test").await;
    assert_eq!(rcpt(&mut session, "bob@y.test").await, None);
    session.whole_message(MESSAGE.as_bytes());
    let first = session.end_of_message(4, None).await;
    assert!(first.report.explanation.findings.iter().any(|finding| finding.id == "outbound.account-alarm"));
    let sender = Login { name: "alice".into(), mechanism: "PLAIN".into() };
    let mail = MailFacts { time: 5, sender: b"<alice@x.test>", parameters: Vec::new(), login: Some(sender), tls: None };
    assert_eq!(session.mail(mail).await.reply.map(|(reply, _)| reply.code()), Some(450));
    assert!(session.abort(6).await.is_some());
    assert_eq!(engine.shared().meter().alarms(false), 1);

    let recording = session.recording().expect("it is recorded");
    let said = recording.explanations.clone();
    assert!(said.len() == 2 && said[0].contains("\"signed\":[\"d=x.test"), "{said:?}");
    let replayed =
        engine.replay(recording, SessionOptions::default()).await.into_iter().map(|replayed| match replayed.ended {
            Ended::Message(judged) => judged.report.explanation.json(),
            Ended::Refused(refusal) => refusal.report.explanation.json(),
        });
    assert_eq!(replayed.collect::<Vec<_>>(), said);
    assert_eq!(engine.shared().meter().alarms(false), 1, "a replay rings nowhere");
}
