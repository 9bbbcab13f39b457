use super::*;
use crate::{
    lookup::{
        Deadline, OnTrouble, Outcome,
        dns::{Dns, Zone},
    },
    message::{self, Bounds},
    reputation::AnswerPattern,
    session::{Connection, ReversePath},
    verdict::{Evidence, Points},
};
use std::{sync::Arc, time::Duration};

fn list(name: &str, key: Key, of: &[Place]) -> ContentList {
    ContentList {
        name: name.into(),
        zone: format!("{name}.test"),
        key,
        of: of.to_vec(),
        except: vec!["example.net".into()],
        points: vec![
            ("127.0.0.2".parse().expect("a pattern"), Points::hundredths(600)),
            (AnswerPattern::Bits(4), Points::hundredths(200)),
        ],
        errors: Vec::new(),
        on_trouble: OnTrouble::Defer,
    }
}

const DOMAIN: Key = Key::Domain { whole: false, addresses: false };
const MESSAGE: &str = "From: A <first@from.example>\r\nReply-To: <Jo.Hn+x@GMail.com>\r\nSubject: x\r\n\r\n\
                       http://www.shop.evil.co.uk/ http://a.evil.co.uk/ http://192.0.2.7/x http://ok.example.net/\r\n";

fn asked(list: &ContentList, text: &str) -> Vec<(String, String)> {
    let raw = text.as_bytes();
    let message = message::parse(raw, &Bounds::default());
    let connection = Connection {
        helo: Some("Mail.HELO.example.".into()),
        client_name: Some("dyn.client.example".into()),
        ..Connection::default()
    };
    let sender = ReversePath::parse(b"<x@envelope.example>").expect("a path");
    let seen = Seen { connection: &connection, sender: &sender, message: &message };
    let questions = questions(std::slice::from_ref(list), &seen);
    assert!(questions.iter().all(|question| question.list == 0));
    questions.into_iter().map(|question| (question.key, question.about)).collect()
}

fn keys(list: &ContentList, text: &str) -> Vec<String> {
    asked(list, text).into_iter().map(|(key, _)| key).collect()
}

#[test]
fn domains_are_asked_once_as_they_were_registered_and_excepted_ones_not_at_all() {
    let links = |key| keys(&list("l", key, &[Place::Link]), MESSAGE);
    assert_eq!(links(DOMAIN), ["evil.co.uk"]);
    assert_eq!(
        links(Key::Domain { whole: true, addresses: true }),
        ["evil.co.uk", "www.shop.evil.co.uk", "a.evil.co.uk", "7.2.0.192"]
    );
}

#[test]
fn each_place_is_looked_at_if_it_is_named() {
    let names = |place| keys(&list("l", DOMAIN, &[place]), MESSAGE);
    assert_eq!(names(Place::From), ["from.example"]);
    assert_eq!(names(Place::ReplyTo), ["gmail.com"]);
    assert_eq!(names(Place::Envelope), ["envelope.example"]);
    assert_eq!(names(Place::Helo), ["helo.example"]);
    assert_eq!(names(Place::Client), ["client.example"]);
    assert_eq!(names(Place::Link), ["evil.co.uk"]);
}

#[test]
fn addresses_are_asked_by_the_hash_of_their_one_form_and_told_to_nobody() {
    // printf john@gmail.com | sha1sum
    let sha1 = list("l", Key::Address(HashKind::Sha1), &[Place::ReplyTo]);
    assert_eq!(asked(&sha1, MESSAGE), [("9025f6f4ea9e9609ab7cb6fb79e6ae83112be4f8".to_owned(), "address".to_owned())]);
    let sha256 = list("l", Key::Address(HashKind::Sha256), &[Place::Link]);
    let linked = "Content-Type: text/html\r\n\r\n<a href=\"mailto:Pay@scam.example?subject=x\">write to us</a>\r\n";
    // printf pay@scam.example | sha256sum
    assert_eq!(keys(&sha256, linked), ["5dcca02ba87a2ee796ed41aac0f98fc802610d062a93537d97f21aaa0de9363c"]);
    let of_excepted = "Reply-To: a@mail.example.net\r\n\r\nx\r\n";
    assert!(keys(&list("l", Key::Address(HashKind::Sha1), &[Place::ReplyTo]), of_excepted).is_empty());
}

#[test]
fn a_message_of_many_links_costs_few_questions_and_odd_hosts_none() {
    let many: String = (0..100).map(|n| format!("http://n{n}.example/ ")).collect();
    let text = format!("Subject: x\r\n\r\n{many}\r\n");
    assert_eq!(keys(&list("l", DOMAIN, &[Place::Envelope, Place::Link]), &text).len(), 20);
    let odd =
        format!("Subject: x\r\n\r\nhttp://localhost/ http://[2001:db8::1]/ http://{}.example/\r\n", "a".repeat(70));
    assert_eq!(keys(&list("l", DOMAIN, &[Place::Link]), &odd), [""; 0]);
}

async fn judged(zone: &str) -> (Vec<(String, i32, Vec<String>)>, Option<u16>) {
    let lists = [list("dbl", DOMAIN, &[Place::Link]), list("ebl", Key::Address(HashKind::Sha1), &[Place::From])];
    let raw = "From: a@x.example\r\nSubject: x\r\n\r\nhttp://one.example/ http://two.example/\r\n".as_bytes();
    let message = message::parse(raw, &Bounds::default());
    let (connection, sender) = (Connection::default(), ReversePath::Null);
    let questions = questions(&lists, &Seen { connection: &connection, sender: &sender, message: &message });
    let dns = Dns::scripted(Arc::new(Zone::parse(zone).expect("a zone")));
    let answers = ask(&lists, &questions, &dns, Deadline::after(Duration::from_secs(2))).await;
    let judgement = judge(&lists, &answers);
    let told = judgement.findings.iter().map(|finding| {
        let facts = finding.evidence.iter().filter_map(|evidence| match evidence {
            Evidence::Fact(fact) => Some(fact.clone()),
            Evidence::Text(_) => None,
        });
        (finding.id.to_string(), finding.points.as_hundredths(), facts.collect())
    });
    (told.collect(), judgement.reply.map(|reply| reply.code()))
}

#[tokio::test]
async fn a_list_gives_one_finding_by_its_heaviest_answer_with_all_that_it_lists() {
    let (findings, reply) = judged("one.example.dbl.test A 127.0.0.6\ntwo.example.dbl.test A 127.0.0.2").await;
    assert_eq!(findings, [("uribl.dbl".to_owned(), 600, vec!["one.example".to_owned(), "two.example".to_owned()])]);
    assert_eq!(reply, None);
    let (findings, _) = judged("one.example.dbl.test A 127.0.0.12").await;
    assert_eq!(findings[0].1, 200, "by its bit");
}

#[tokio::test]
async fn what_is_no_answer_of_a_list_is_not_believed_and_means_what_is_configured() {
    for zone in [
        "one.example.dbl.test A 127.255.255.254",
        "one.example.dbl.test A 192.0.2.1",
        "*.dbl.test A 127.0.0.2",
        "one.example.dbl.test SERVFAIL",
    ] {
        let (findings, reply) = judged(zone).await;
        assert_eq!(findings.len(), 1, "{zone}: {findings:?}");
        assert_eq!((findings[0].0.as_str(), findings[0].1), ("uribl.dbl.trouble", 0), "{zone}");
        assert_eq!(reply, Some(451), "{zone}");
    }
    assert_eq!(judged("").await, (Vec::new(), None));
}

#[test]
fn answers_stay_the_same_in_a_recording() {
    let answer = Answer {
        list: "dbl".into(),
        about: "x.example".into(),
        outcome: Outcome::Done(vec![[127, 0, 0, 2].into()]),
        lists_everything: false,
    };
    let text = serde_json::to_string(&answer).expect("JSON");
    assert_eq!(serde_json::from_str::<Answer>(&text).expect("an answer"), answer);
}
