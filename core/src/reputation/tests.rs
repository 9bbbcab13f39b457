use super::*;
use crate::{
    lookup::{
        Deadline, OnTrouble, Outcome,
        dns::{Dns, Zone},
    },
    verdict::{Judgement, Points},
};
use std::{sync::Arc, time::Duration};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn pattern(text: &str) -> AnswerPattern {
    text.parse().expect("a pattern")
}

fn list(name: &str) -> Dnsbl {
    Dnsbl {
        name: name.to_owned(),
        zone: format!("{name}.test"),
        points: vec![(pattern("127.0.0.10"), Points::hundredths(300)), (pattern("*"), Points::hundredths(600))],
        refuse: vec![pattern("127.0.0.2-127.0.0.3")],
        errors: vec![pattern("127.0.0.1")],
        on_trouble: OnTrouble::Skip,
    }
}

fn allow_list() -> Dnswl {
    Dnswl {
        name: "good".into(),
        zone: "good.test".into(),
        points: vec![(pattern("127.0.*.3"), Points::hundredths(-500)), (pattern("*"), Points::hundredths(-100))],
        errors: vec![],
        lifts_refusal: true,
        on_trouble: OnTrouble::Skip,
    }
}

fn room(settings: Settings) -> Reputation {
    Reputation::load(settings).expect("loaded")
}

fn dns(zone: &str) -> Dns {
    let confirmed = format!("192.0.2.7 PTR c.test\nc.test A 192.0.2.7\n{zone}");
    Dns::scripted(Arc::new(Zone::parse(&confirmed).expect("a zone")))
}

async fn judged(room: &Reputation, zone: &str) -> Judgement {
    let answers = room.ask(CLIENT, &dns(zone), Deadline::after(Duration::from_secs(1))).await;
    let text = serde_json::to_string(&answers).expect("plain data");
    assert_eq!(serde_json::from_str::<Answers>(&text).expect("plain data"), answers);
    room.judge(&room.standing(Some(CLIENT)), &answers)
}

fn ids(judgement: &Judgement) -> Vec<&str> {
    judgement.findings.iter().map(|finding| finding.id.as_ref()).collect()
}

fn code(judgement: &Judgement) -> Option<u16> {
    judgement.reply.as_ref().map(|reply| reply.code())
}

#[tokio::test]
async fn a_client_on_a_list_gets_points_by_answer_and_is_refused_for_some() {
    let room = room(Settings { dnsbl: vec![list("bl")], ..Settings::default() });
    assert_eq!(judged(&room, "").await, Judgement::default());
    let policy = judged(&room, "7.2.0.192.bl.test A 127.0.0.10\n").await;
    assert_eq!((ids(&policy), code(&policy)), (vec!["dnsbl.bl"], None));
    assert_eq!(policy.findings[0].points, Points::hundredths(300));
    let spam = judged(&room, "7.2.0.192.bl.test A 127.0.0.10\n7.2.0.192.bl.test A 127.0.0.2\n").await;
    assert_eq!(spam.findings[0].points, Points::hundredths(600), "the heaviest answer counts");
    let reply = spam.reply.expect("refused");
    assert_eq!(reply.to_string(), "550 5.7.1 Your address is listed by bl.test");
}

#[tokio::test]
async fn an_allow_list_lifts_the_refusal() {
    let room = room(Settings { dnsbl: vec![list("bl")], dnswl: vec![allow_list()], ..Settings::default() });
    let zone = "7.2.0.192.bl.test A 127.0.0.2\n7.2.0.192.good.test A 127.0.15.3\n";
    let judgement = judged(&room, zone).await;
    assert_eq!((ids(&judgement), code(&judgement)), (vec!["dnsbl.bl", "dnswl.good"], None));
    assert_eq!(judgement.findings[1].points, Points::hundredths(-500));
    let allow = vec!["192.0.2.0/24".parse().expect("a network")];
    let room = Reputation::load(Settings { dnsbl: vec![list("bl")], allow, ..Settings::default() }).expect("loaded");
    let judgement = judged(&room, "7.2.0.192.bl.test A 127.0.0.2\n").await;
    assert_eq!((ids(&judgement), code(&judgement)), (vec!["dnsbl.bl"], None));
    assert_eq!(judgement.findings[0].points, Points::ZERO);
}

#[tokio::test]
async fn refusals_of_a_list_and_foreign_answers_are_noticed_and_not_believed() {
    for answer in ["127.255.255.254", "127.0.0.1", "10.0.0.1", "192.0.2.80"] {
        let room = room(Settings { dnsbl: vec![list("bl")], ..Settings::default() });
        let judgement = judged(&room, &format!("7.2.0.192.bl.test A {answer}\n")).await;
        assert_eq!((ids(&judgement), code(&judgement)), (vec!["dnsbl.bl.trouble"], None), "{answer}");
        assert_eq!(judgement.findings[0].points, Points::ZERO);
    }
}

#[tokio::test]
async fn trouble_of_a_list_skips_or_defers_as_configured() {
    for (kind, on_trouble, expected) in [
        ("SERVFAIL", OnTrouble::Skip, None),
        ("SERVFAIL", OnTrouble::Defer, Some(451)),
        ("TIMEOUT", OnTrouble::Defer, Some(451)),
    ] {
        let room =
            room(Settings { dnsbl: vec![Dnsbl { on_trouble, ..list("bl") }, list("two")], ..Settings::default() });
        let zone = format!("7.2.0.192.bl.test {kind}\n");
        let judgement = judged(&room, &zone).await;
        assert_eq!((ids(&judgement), code(&judgement)), (vec!["dnsbl.bl.trouble"], expected), "{kind}");
        let refused = judged(&room, &format!("{zone}7.2.0.192.two.test A 127.0.0.2\n")).await;
        assert_eq!(code(&refused), Some(550), "what another list refuses need not wait");
    }
}

#[tokio::test]
async fn a_list_that_lists_everything_is_not_believed_even_before_the_first_probe() {
    let room = room(Settings { dnsbl: vec![list("bl")], ..Settings::default() });
    let judgement = judged(&room, "*.bl.test A 127.0.0.2\n").await;
    assert_eq!((ids(&judgement), code(&judgement)), (vec!["dnsbl.bl.trouble"], None));
    assert_eq!(room.health().next(), Some(("bl", Health::ListsEverything)));
    room.probe(&dns("2.0.0.127.bl.test A 127.0.0.2\n")).await;
    assert_eq!(room.health().next(), Some(("bl", Health::Sound)), "it has recovered");
    assert_eq!(code(&judged(&room, "7.2.0.192.bl.test A 127.0.0.2\n").await), Some(550));
}

#[tokio::test]
async fn probes_tell_sound_lists_from_dead_and_refusing_ones() {
    for (zone, health) in [
        ("2.0.0.127.bl.test A 127.0.0.4\n", Health::Sound),
        ("", Health::ListsNothing),
        ("*.bl.test A 127.0.0.2\n", Health::ListsEverything),
        ("*.bl.test A 192.0.2.80\n", Health::ListsEverything),
        ("*.bl.test A 127.255.255.254\n", Health::Refuses),
        ("2.0.0.127.bl.test SERVFAIL\n", Health::Unprobed),
    ] {
        let room = room(Settings { dnsbl: vec![list("bl")], ..Settings::default() });
        room.probe(&dns(zone)).await;
        assert_eq!(room.health().next(), Some(("bl", health)), "{zone}");
    }
}

#[tokio::test]
async fn the_health_that_was_used_is_part_of_the_answers() {
    let listed = ListAnswer {
        list: "dnsbl.bl".into(),
        outcome: Outcome::Done(vec![[127, 0, 0, 2].into()]),
        health: Health::ListsEverything,
    };
    let answers = Answers { lists: vec![listed], reverse: ReverseDns::NotAsked, ..Answers::default() };
    let room = room(Settings { dnsbl: vec![list("bl")], ..Settings::default() });
    assert_eq!(ids(&room.judge(&Standing::Unlisted, &answers)), ["dnsbl.bl.trouble"], "whatever the health is now");
}

#[tokio::test]
async fn reverse_dns_is_missing_unconfirmed_or_confirmed() {
    let room = room(Settings::default());
    for (zone, id) in [
        ("", Some("rdns.missing")),
        ("192.0.2.7 PTR liar.test\nliar.test A 192.0.2.8\n", Some("rdns.unconfirmed")),
        ("192.0.2.7 PTR gone.test\n192.0.2.7 PTR real.test\nreal.test A 192.0.2.7\n", None),
        ("192.0.2.7 SERVFAIL\n", Some("rdns.trouble")),
        ("192.0.2.7 PTR slow.test\nslow.test TIMEOUT\n", Some("rdns.trouble")),
    ] {
        let dns = Dns::scripted(Arc::new(Zone::parse(zone).expect("a zone")));
        let answers = room.ask(CLIENT, &dns, Deadline::after(Duration::from_secs(1))).await;
        let judgement = room.judge(&Standing::Unlisted, &answers);
        assert_eq!(ids(&judgement).first().copied(), id, "{zone}");
    }
}

#[test]
fn standing_follows_the_lists_in_their_order() {
    let net = |text: &str| vec![networks::parse_network(text).expect("a network")];
    let room = room(Settings {
        relays: net("192.0.2.25"),
        allow: net("198.51.100.0/24"),
        deny: net("198.51.0.0/16"),
        ..Settings::default()
    });
    let standing = |ip: &str| room.standing(Some(ip.parse().expect("an address")));
    assert_eq!(room.standing(None), Standing::Internal);
    assert_eq!(standing("127.9.9.9"), Standing::Internal);
    assert_eq!(standing("::1"), Standing::Internal);
    assert_eq!(standing("::ffff:192.0.2.25"), Standing::Relay);
    assert_eq!(standing("198.51.100.1"), Standing::Allowed);
    assert_eq!(standing("192.0.2.1"), Standing::Unlisted);
    let Standing::Denied { by } = standing("198.51.1.1") else { panic!("not denied") };
    assert_eq!(by, "reputation.deny: 198.51.0.0 to 198.51.255.255");
    let denied = room.judge(&Standing::Denied { by }, &Answers::default());
    assert_eq!((ids(&denied), code(&denied)), (vec!["reputation.denied"], Some(550)));
}

#[test]
fn list_files_are_read_and_their_faults_named() {
    let folder = std::env::temp_dir().join(format!("mailward-reputation-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (good, bad) = (folder.join("good"), folder.join("bad"));
    std::fs::write(&good, "# ours\n203.0.113.0/24\n").expect("written");
    std::fs::write(&bad, "203.0.113.0/24\nnonsense\n").expect("written");
    let room = Reputation::load(Settings { deny_files: vec![good], ..Settings::default() }).expect("loaded");
    assert!(matches!(room.standing(Some([203, 0, 113, 9].into())), Standing::Denied { .. }));
    let missing = folder.join("missing");
    let faults =
        Reputation::load(Settings { deny_files: vec![bad, missing], ..Settings::default() }).expect_err("faults");
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("bad:2: \"nonsense\""), "{}", faults[0]);
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn the_access_key_in_a_zone_is_never_shown() {
    let zone = "abcdefghijklmnopqrstuvwxyz.zen.dq.example".to_owned();
    let room = room(Settings { dnsbl: vec![Dnsbl { zone, ..list("zen") }], ..Settings::default() });
    let outcome = Outcome::Done(vec![[127, 0, 0, 2].into()]);
    let lists = vec![ListAnswer { list: "dnsbl.zen".into(), outcome, health: Health::Sound }];
    let judgement =
        room.judge(&Standing::Unlisted, &Answers { lists, reverse: ReverseDns::NotAsked, ..Answers::default() });
    let all = serde_json::to_string(&judgement).expect("plain data");
    assert!(all.contains("zen.dq.example") && !all.contains("abcdefghij"), "{all}");
}

#[tokio::test]
async fn a_client_that_comes_again_is_not_looked_up_again_but_the_health_of_lists_is() {
    let room = room(Settings { dnsbl: vec![list("bl")], ..Settings::default() });
    let deadline = Deadline::after(Duration::from_secs(1));
    let first = room.look_up(CLIENT, &dns("7.2.0.192.bl.test A 127.0.0.10"), deadline).await;
    assert_eq!(first.lists[0].outcome, Outcome::Done(vec![[127, 0, 0, 10].into()]));
    room.health[0].set(Health::ListsEverything, "bl");
    let again = room.look_up(CLIENT, &dns(""), deadline).await;
    assert_eq!((&again.lists[0].outcome, again.lists[0].health), (&first.lists[0].outcome, Health::ListsEverything));
    assert_eq!(again.reverse, first.reverse);
}
