use super::*;
use crate::{
    message::MessageFacts,
    policy::{AuthenticationResults, Notify, Policy, Then},
    session::{Connection, Direction, Recipient},
    store::SiteKey,
    verdict::{Card, Host, Reference},
};

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).expect("an address")
}

fn settings() -> Settings {
    let administrators = vec![address("root@x.test"), address("it@x.test")];
    Settings { from: Some(address("filter@x.test")), administrators, ..Settings::default() }
}

fn policies() -> policy::Settings {
    let policy = |name: &str, notify| Policy {
        name: name.to_owned(),
        line: None,
        direction: None,
        from: Default::default(),
        to: Default::default(),
        when: Default::default(),
        then: Then::Quarantine(30),
        strip: None,
        notify,
    };
    let all =
        Notify { sender: true, administrator: true, addresses: vec![address("desk@x.test"), address("IT@x.test")] };
    let policies = vec![policy("all", all), policy("sender", Notify { sender: true, ..Notify::default() })];
    policy::Settings { policies, ..policy::Settings::default() }
}

fn told(policy: usize, recipient: &str) -> Told {
    Told { policy, recipient: recipient.to_owned(), disposition: "quarantine" }
}

/// Who is told of a message, and what the explanation says.
fn planned(sender: &str, headers: &[(&str, &str)], direction: Direction, proved: bool) -> (Vec<String>, Vec<String>) {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let recipients = [Recipient { address: address("bob@x.test"), groups: Vec::new() }];
    let facts = Facts {
        direction,
        sender: &ReversePath::parse(format!("<{sender}>").as_bytes()).expect("a path"),
        connection: &Connection::default(),
        country: None,
        time: 0,
        recipients: &recipients,
        card: &Card::default(),
        message: &MessageFacts { headers, ..MessageFacts::default() },
        authentication: &AuthenticationResults::default(),
        early: None,
        early_of_outbound: false,
        complete: true,
        host: Host::default(),
    };
    let (notices, explained) = plan(&settings(), &policies(), &[told(0, "bob@x.test")], &facts, proved);
    (notices.into_iter().map(|notice| notice.to).collect(), explained)
}

#[test]
fn everybody_is_told_once_and_the_sender_only_if_the_message_is_his() {
    let (told, explained) = planned("eve@out.test", &[], Direction::Inbound, true);
    assert_eq!(told, ["desk@x.test", "eve@out.test", "it@x.test", "root@x.test"]);
    assert_eq!(explained[1], "to eve@out.test: policy \"all\"");
    for (sender, headers, proved, why) in [
        ("", &[][..], true, "it is the null sender"),
        ("eve@out.test", &[], false, "neither SPF nor DKIM proves that the message is his"),
        ("eve@out.test", &[("List-Id ", "<l.out.test>")], true, "the message came from a list"),
        ("eve@out.test", &[("Precedence", "Bulk")], true, "the message came from a list"),
        ("eve@out.test", &[("auto-submitted", "auto-replied")], true, "the message was sent by a program"),
    ] {
        let (told, explained) = planned(sender, headers, Direction::Inbound, proved);
        assert_eq!(told, ["desk@x.test", "it@x.test", "root@x.test"], "{why}");
        assert_eq!(explained[0], format!("not to the sender: {why}"));
    }
    let (told, _) = planned("eve@out.test", &[("Auto-Submitted", "no")], Direction::Inbound, true);
    assert_eq!(told.len(), 4);
}

#[test]
fn own_notices_are_known_by_their_signed_body() {
    let key = SiteKey::of(b"secret");
    let notice = Notice { to: "it@x.test".to_owned(), is_for_sender: false, told: vec![told(0, "bob@x.test")] };
    let about = About {
        reference: Reference::from_random(7),
        time: 1_700_000_000,
        subject: "hello",
        sender: "",
        client: "192.0.2.7",
        card: &Card::default(),
    };
    let text = String::from_utf8(compose(&settings(), &policies(), &key, &notice, &about)).expect("text");
    let is_ours = |text: &str| compose::is_ours(&key, text.as_bytes());
    assert!(is_ours(&text) && is_ours(&format!("Received: by x\r\n{text}\r\n")));
    assert!(!is_ours(&text.replace("Subject:   hello", "Subject:   other")));
    assert!(!is_ours("Auto-Submitted: auto-replied\r\nX-Mailward-Notice: 1\r\n\r\nx\r\n"));
    assert!(!compose::is_ours(&SiteKey::of(b"other"), text.as_bytes()));
    let own = [("Auto-Submitted", "auto-replied")];
    assert_eq!(planned("", &own, Direction::Outbound, true).0.len(), 3, "a user may have written that");
}

#[test]
fn text_tells_the_sender_less_and_cannot_be_written_by_him() {
    let settings = settings();
    let about = About {
        reference: Reference::from_random(7),
        time: 1_700_000_000,
        subject: "hello\r\nBcc: eve@out.test\r\n\r\nx",
        sender: "eve@out.test",
        client: "192.0.2.7",
        card: &Card::default(),
    };
    let text = |is_for_sender| {
        let notice = Notice { to: "eve@out.test".to_owned(), is_for_sender, told: vec![told(0, "bob@x.test")] };
        String::from_utf8(compose(&settings, &policies(), &SiteKey::of(b"secret"), &notice, &about)).expect("text")
    };
    for text in [text(true), text(false)] {
        let (header, body) = text.split_once("\r\n\r\n").expect("a body");
        assert_eq!(header.lines().filter(|line| line.starts_with("Bcc")).count(), 0);
        assert!(header.contains("Auto-Submitted: auto-replied") && header.contains("To: <eve@out.test>"), "{header}");
        assert!(header.contains("Date: Tue, 14 Nov 2023 22:13:20 +0000"), "{header}");
        assert!(body.contains("Subject:   hello\u{fffd}\u{fffd}Bcc: eve@out.test"), "{body}");
        assert!(body.contains("For <bob@x.test>: kept in the quarantine"), "{body}");
    }
    assert!(text(false).contains("by policy \"all\"") && text(false).contains("192.0.2.7"));
    assert!(!text(true).contains("policy \"all\"") && !text(true).contains("192.0.2.7"));
}
