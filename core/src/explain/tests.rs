//! Golden explanations.

use super::*;
use crate::{
    message::MessageFacts,
    policy::{AddressPattern, AddressSet, AuthenticationResults, Conditions, Policy, Settings, Then, decide},
    score::{Overrides, add_up},
    session::{Address, Recipient, Tls},
    verdict::Host,
};

fn connection() -> Connection {
    Connection {
        client_ip: Some([192, 0, 2, 7].into()),
        client_name: Some("mail.sender.test".into()),
        helo: Some("mail.sender.test".into()),
        tls: Some(Tls { version: "TLSv1.3".into(), cipher: "x".into() }),
        ..Connection::default()
    }
}

fn explain(settings: &Settings, recipients: &[&str], findings: Vec<Finding>) -> Explanation {
    let recipients: Vec<Recipient> = recipients
        .iter()
        .map(|r| Recipient { address: Address::parse(r.as_bytes()).expect("an address"), groups: Vec::new() })
        .collect();
    let card = add_up(findings, &Overrides::default());
    let message = MessageFacts {
        headers: vec![("Subject".into(), " Your parcel".into())],
        subject: "Your parcel".into(),
        ..MessageFacts::default()
    };
    let facts = Facts {
        direction: Direction::Inbound,
        sender: &ReversePath::parse(b"<alice@sender.test>").expect("a sender"),
        connection: &connection(),
        country: None,
        time: 0,
        recipients: &recipients,
        card: &card,
        message: &message,
        authentication: &AuthenticationResults::default(),
        early: None,
        early_of_outbound: false,
        complete: true,
        host: Host::default(),
    };
    Explanation::of_message(&facts, &decide(settings, Thresholds::default(), &facts))
}

fn findings() -> Vec<Finding> {
    vec![
        Finding::new("spam.parcel", Points::hundredths(260), "our own rule").text("Your \u{202e}parcel"),
        Finding::new("dnsbl.zen", Points::hundredths(600), "zen.spamhaus.org").fact("192.0.2.7 is 127.0.0.3"),
        Finding::new("dnswl.list", Points::hundredths(-100), "").fact("192.0.2.7"),
    ]
}

fn site() -> Settings {
    let marks = crate::policy::Marks { subject: Some("[SPAM]".into()), ..crate::policy::Marks::none() };
    let policy = |name: &str, line, to: &str, then| Policy {
        name: name.into(),
        line: Some(line),
        direction: Some(Direction::Inbound),
        from: AddressSet::default(),
        to: AddressPattern::parse(to).into_iter().collect(),
        when: Conditions::default(),
        then,
        strip: None,
        notify: Default::default(),
    };
    Settings {
        policies: vec![
            policy("no mail for eve", 12, "eve@example.com", Then::Reject(refusal())),
            policy("mark it", 20, "bob@example.com", Then::Tag(marks)),
        ],
        ..Settings::default()
    }
}

fn refusal() -> Reply {
    Reply::new(550, (5, 7, 1), "No").expect("a reply")
}

#[test]
fn a_message_is_explained_line_by_line() {
    let explanation = explain(&site(), &["<bob@example.com>", "<Eve@example.com>"], findings());
    let expected = "\
verdict  tag, 7.60 points
client   192.0.2.7, mail.sender.test, helo mail.sender.test, tls TLSv1.3, inbound
from     <alice@sender.test>
to       <bob@example.com>: tag, because: policy \"mark it\" (line 20)
           without policy \"mark it\": tag (threshold tag)
to       <Eve@example.com>: tag, because: policy \"no mail for eve\" (line 12)
           wanted reject; recipients differ
           without policy \"no mail for eve\": tag (threshold tag)
findings
     6.00 dnsbl.zen                192.0.2.7 is 127.0.0.3  [zen.spamhaus.org]
    -1.00 dnswl.list               192.0.2.7
     2.60 spam.parcel              \"Your \u{fffd}parcel\"  [our own rule]
     7.60 total; tag at 5.00, reject at 15.00
edits
  add X-Mailward-Flag: yes
  add X-Mailward-Points: 7.60
";
    assert_eq!(explanation.to_string(), expected);
}

#[test]
fn a_clean_message_and_a_refused_one_are_explained() {
    assert_eq!(
        explain(&Settings::default(), &["<bob@example.com>"], Vec::new()).to_string(),
        "\
verdict  deliver, 0.00 points
client   192.0.2.7, mail.sender.test, helo mail.sender.test, tls TLSv1.3, inbound
from     <alice@sender.test>
to       <bob@example.com>: deliver, because: nothing against it
           5.00 points more: marked
           15.00 points more: refused
findings none; tag at 5.00, reject at 15.00
"
    );
    let refused = explain(&site(), &["<eve@example.com>"], Vec::new());
    assert!(refused.to_string().starts_with("verdict  reject, 0.00 points\nreply    550 5.7.1 No\n"), "{refused}");
}

#[test]
fn recipients_with_settings_of_their_own_show_them() {
    let own = crate::policy::ScopedSettings {
        of: AddressPattern::parse("bob@example.com").into_iter().collect(),
        reject: Some(Points::hundredths(700)),
        skip: crate::score::FindingPattern::parse("spam.*").ok().map(|p| vec![p]),
        ..crate::policy::ScopedSettings::default()
    };
    let settings = Settings { scoped: vec![own], ..Settings::default() };
    let text = explain(&settings, &["<bob@example.com>", "<eve@example.com>"], findings()).to_string();
    let expected = "\
to       <bob@example.com>: tag, because: threshold tag
           own settings: 5.00 points; tag at 5.00, reject at 7.00
           2.00 points more: refused
           0.01 points fewer: no mark
           settings of the recipient leave out 2.60 points
to       <eve@example.com>: tag, because: threshold tag
           own settings: 7.60 points; tag at 5.00, reject at 15.00
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_refused_session_is_explained() {
    let listed = [Finding::new("dnsbl.zen", Points::hundredths(600), "zen.spamhaus.org").fact("127.0.0.2")];
    let connection = connection();
    let explanation = Explanation::of_refusal(&Refusal {
        stage: Stage::Rcpt,
        connection: &connection,
        direction: Some(Direction::Inbound),
        sender: Some(&ReversePath::Null),
        recipient: Some("bob@example.com"),
        findings: &listed,
        reply: &Reply::new(450, (4, 7, 1), "Later").expect("a reply"),
        because: "list zen",
    });
    assert_eq!(
        explanation.to_string(),
        "\
verdict  defer at rcpt, because: list zen
reply    450 4.7.1 Later
client   192.0.2.7, mail.sender.test, helo mail.sender.test, tls TLSv1.3, inbound
from     <>
to       <bob@example.com>: defer, because: list zen
findings
     6.00 dnsbl.zen                127.0.0.2  [zen.spamhaus.org]
     6.00 total
"
    );
}

#[test]
fn logs_and_history_get_no_words_of_the_message() {
    let marks = crate::policy::Marks { subject: Some("[SPAM]".into()), ..crate::policy::Marks::none() };
    let mut settings = site();
    settings.policies[0].then = Then::Tag(marks);
    let explanation = explain(&settings, &["<eve@example.com>"], findings());
    assert!(explanation.to_string().contains("change Subject 1: [SPAM] Your parcel"));
    let bare = explanation.clone().without_text();
    let with_text = serde_json::to_string(&explanation).expect("JSON");
    assert!(with_text.contains("Your"), "the other form has them");
    for form in [bare.to_string(), serde_json::to_string(&bare).expect("JSON"), format!("{:?}", explanation.log_line())]
    {
        assert!(!form.contains("Your"), "{form}");
        assert!(form.contains("dnsbl.zen"));
    }
}

#[test]
fn the_json_form_is_stable_and_reads_back() {
    let explanation = explain(&Settings::default(), &["<bob@example.com>"], findings()[1..2].to_vec());
    let json = serde_json::to_string(&explanation).expect("JSON");
    assert_eq!(
        json,
        r#"{"schema":1,"stage":"message","verdict":"tag","direction":"inbound","client":{"ip":"192.0.2.7","name":"mail.sender.test","helo":"mail.sender.test","tls":"TLSv1.3"},"sender":"alice@sender.test","points":6.0,"recipients":[{"address":"bob@example.com","disposition":{"tag":{"headers":[["X-Mailward-Flag","yes"],["X-Mailward-Points","6.00"]]}},"wanted":{"tag":{"headers":[["X-Mailward-Flag","yes"],["X-Mailward-Points","6.00"]]}},"because":"threshold tag","note":{"points":6.0,"thresholds":{"tag":5.0,"reject":15.0},"would_change":["9.00 points more: refused","1.01 points fewer: no mark"]}}],"findings":[{"id":"dnsbl.zen","points":6.0,"evidence":[{"fact":"192.0.2.7 is 127.0.0.3"}],"source":"zen.spamhaus.org"}],"edits":[{"add-header":{"name":"X-Mailward-Flag","value":"yes"}},{"add-header":{"name":"X-Mailward-Points","value":"6.00"}}]}"#
    );
    assert_eq!(serde_json::from_str::<Explanation>(&json).expect("read back"), explanation);
}

#[test]
fn a_log_line_is_bounded_and_cannot_be_forged() {
    let many: Vec<String> = (0..20).map(|i| format!("<r{i}@example.com>")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut explanation = explain(&Settings::default(), &many, findings());
    explanation.client.helo = Some("x\nverdict=deliver".into());
    let line = explanation.log_line();
    let field = |key: &str| line.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str());
    assert_eq!(field("helo"), Some("x\u{fffd}verdict=deliver"));
    assert!(field("to").is_some_and(|to| to.ends_with(",+12")));
    assert_eq!(field("findings"), Some("dnsbl.zen:6.00,dnswl.list:-1.00,spam.parcel:2.60"));
    assert_eq!(field("because"), Some("threshold tag"));
    assert_eq!(field("wanted"), None);
}

#[test]
fn only_our_own_colours_reach_the_terminal() {
    let mut explanation = explain(&Settings::default(), &["<bob@example.com>"], Vec::new());
    explanation.client.helo = Some("\u{1b}[2J".into());
    let painted = explanation.text(true);
    assert!(
        painted.contains("\u{1b}[32mdeliver\u{1b}[0m")
            && !painted.contains("[2J\u{1b}")
            && !painted.contains("\u{1b}[2J")
    );
    assert!(!explanation.text(false).contains('\u{1b}'));
}
