use super::*;
use crate::{
    lookup::{Deadline, OnTrouble, dns::Zone},
    reputation::ReverseDns,
    session::ReversePath,
    verdict::{Judgement, Points},
};
use mail_auth::{
    AuthenticatedMessage, AuthenticationResults, arc::ArcSealer, crypto::Ed25519Key, dkim::DkimSigner,
    headers::HeaderWriter,
};
use std::{net::IpAddr, time::Duration};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const PLAIN: &str = "From: Bob <bob@author.test>\r\nTo: x@ours.test\r\nSubject: hello\r\n\r\nA line.\r\n";

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

fn room(settings: Settings, zone: &str) -> Authenticator {
    let zone = Zone::parse(zone).expect("a zone");
    Authenticator::new(settings, Resolver::scripted(zone).expect("a resolver"))
}

fn sender(text: &str) -> ReversePath {
    ReversePath::parse(text.as_bytes()).expect("a sender")
}

struct Key {
    pkcs8: Vec<u8>,
}

impl Key {
    fn new() -> Self {
        Key { pkcs8: Ed25519Key::generate_pkcs8().expect("a key") }
    }

    fn key(&self) -> Ed25519Key {
        Ed25519Key::from_pkcs8_der(&self.pkcs8).expect("a key")
    }

    fn record(&self, name: &str) -> String {
        format!("{name} TXT v=DKIM1; k=ed25519; p={}\n", base64(&self.key().public_key()))
    }

    fn sign(&self, domain: &str, message: &str) -> String {
        let signer = DkimSigner::from_key(self.key()).domain(domain).selector("s").headers(["From", "Subject"]);
        format!("{}{message}", signer.sign(message.as_bytes()).expect("signed").to_header())
    }
}

fn base64(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, &b| bits << 8 | u32::from(b)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let c = if at <= chunk.len() { alphabet[(bits >> (18 - 6 * at)) as usize & 63] } else { b'=' };
            out.push(char::from(c));
        }
    }
    out
}

fn ids(judgement: &Judgement) -> Vec<&str> {
    judgement.findings.iter().map(|finding| finding.id.as_ref()).collect()
}

fn code(judgement: &Judgement) -> Option<u16> {
    judgement.reply.as_ref().map(|reply| reply.code())
}

async fn verified(room: &Authenticator, message: &str, from: &str) -> Results {
    let spf = room.spf(CLIENT, "mail.helo.test", "mx.ours.test", &sender(from), soon()).await;
    let results = room.verify(message.as_bytes(), &spf, soon()).await;
    let text = serde_json::to_string(&results).expect("plain data");
    assert_eq!(serde_json::from_str::<Results>(&text).expect("plain data"), results);
    results
}

#[tokio::test]
async fn spf_gives_each_result_for_its_cause() {
    let zone = "pass.test TXT v=spf1 a mx -all\npass.test A 192.0.2.7\nfail.test TXT v=spf1 ip4:198.51.100.0/24 -all\n\
                soft.test TXT v=spf1 ~all\nneutral.test TXT v=spf1 ?all\nperm.test TXT v=spf1 include:gone.test -all\n\
                syntax.test TXT v=spf1 ip4:nonsense -all\ntemp.test SERVFAIL\nslow.test TIMEOUT\n\
                inner.test TXT v=spf1 include:temp.test -all\nhost.test TXT v=spf1 a:bad.test -all\nbad.test SERVFAIL\n\
                other.test TXT some words\nmx.test TXT v=spf1 mx -all\nmx.test MX 10 pass.test\n\
                ex.test TXT v=spf1 exists:%{i}.list.test -all\n192.0.2.7.list.test A 127.0.0.2\n\
                ptr.test TXT v=spf1 ptr -all\n192.0.2.7 PTR a.ptr.test\na.ptr.test A 192.0.2.7\n";
    let room = room(Settings::default(), zone);
    for (domain, expected, id) in [
        ("pass", SpfResult::Pass, "spf.pass"),
        ("mx", SpfResult::Pass, "spf.pass"),
        ("ex", SpfResult::Pass, "spf.pass"),
        ("ptr", SpfResult::Pass, "spf.pass"),
        ("fail", SpfResult::Fail, "spf.fail"),
        ("soft", SpfResult::Softfail, "spf.softfail"),
        ("neutral", SpfResult::Neutral, ""),
        ("perm", SpfResult::Permerror, "spf.permerror"),
        ("syntax", SpfResult::Permerror, "spf.permerror"),
        ("temp", SpfResult::Temperror, "spf.temperror"),
        ("slow", SpfResult::Temperror, "spf.temperror"),
        ("inner", SpfResult::Temperror, "spf.temperror"),
        ("host", SpfResult::Temperror, "spf.temperror"),
        ("other", SpfResult::None, ""),
        ("gone", SpfResult::None, ""),
    ] {
        let from = sender(&format!("<bob@{domain}.test>"));
        let spf = room.spf(CLIENT, "[192.0.2.7]", "mx.ours.test", &from, soon()).await;
        assert_eq!(spf.mail.as_ref().map(|mail| mail.result), Some(expected), "{domain}");
        assert_eq!(spf.helo, None, "a literal is no domain");
        let judgement = room.judge_spf(&spf);
        assert_eq!(ids(&judgement).first().copied().unwrap_or_default(), id, "{domain}");
        assert_eq!(judgement.reply, None, "points only");
    }
}

#[tokio::test]
async fn a_null_sender_is_checked_as_postmaster_of_helo_and_counted_once() {
    let room = room(Settings::default(), "mail.helo.test TXT v=spf1 -all\nok.test TXT v=spf1 +all\n");
    let spf = room.spf(CLIENT, "mail.helo.test", "mx.ours.test", &ReversePath::Null, soon()).await;
    assert_eq!(spf.mail.as_ref().map(|mail| mail.identity.as_str()), Some("postmaster@mail.helo.test"));
    assert_eq!(ids(&room.judge_spf(&spf)), ["spf.fail"]);
    let spf = room.spf(CLIENT, "mail.helo.test", "mx.ours.test", &sender("<x@ok.test>"), soon()).await;
    assert_eq!(ids(&room.judge_spf(&spf)), ["spf.pass", "spf.helo-fail"]);
}

#[tokio::test]
async fn trouble_with_dns_defers_where_the_site_wants_it() {
    let settings = Settings { dns_trouble: OnTrouble::Defer, ..Settings::default() };
    let room = room(settings, "* SERVFAIL\n");
    let spf = room.spf(CLIENT, "mail.helo.test", "mx.ours.test", &sender("<bob@author.test>"), soon()).await;
    assert_eq!(code(&room.judge_spf(&spf)), Some(451));
    let results = room.verify(PLAIN.as_bytes(), &spf, soon()).await;
    assert_eq!(results.dmarc.result, DmarcResult::Temperror);
    let judgement = room.judge(&results);
    assert_eq!((ids(&judgement), code(&judgement)), (vec!["dmarc.temperror"], Some(451)));
}

#[tokio::test]
async fn a_good_signature_of_the_author_passes_and_a_changed_message_fails() {
    let key = Key::new();
    let zone = format!("{}_dmarc.author.test TXT v=DMARC1; p=reject\n", key.record("s._domainkey.author.test"));
    let room = room(Settings::default(), &zone);
    let signed = key.sign("author.test", PLAIN);
    let results = verified(&room, &signed, "<>").await;
    let signature = &results.signatures[0];
    assert_eq!(
        (signature.result, signature.aligned, signature.domain.as_str()),
        (DkimResult::Pass, true, "author.test")
    );
    assert_eq!(signature.b.len(), 8);
    assert!(signed.contains(&format!("b={}", &signature.b)), "{} in {signed}", signature.b);
    assert_eq!((results.dmarc.result, code(&room.judge(&results))), (DmarcResult::Pass, None));

    for changed in [signed.replace("A line", "B line"), signed.replace("hello", "goodbye")] {
        let results = verified(&room, &changed, "<>").await;
        assert_eq!(results.signatures[0].result, DkimResult::Fail, "{changed}");
        let judgement = room.judge(&results);
        assert_eq!((ids(&judgement), code(&judgement)), (vec!["dkim.fail", "dmarc.reject"], Some(550)));
    }
}

#[tokio::test]
async fn a_signature_that_covers_a_part_of_the_body_is_not_accepted() {
    let key = Key::new();
    let room = room(Settings::default(), &key.record("s._domainkey.author.test"));
    let signer =
        DkimSigner::from_key(key.key()).domain("author.test").selector("s").headers(["From"]).body_length(true);
    let signed = format!("{}{PLAIN}more", signer.sign(PLAIN.as_bytes()).expect("signed").to_header());
    let results = verified(&room, &signed, "<>").await;
    let signature = &results.signatures[0];
    assert_eq!((signature.result, signature.domain.as_str()), (DkimResult::Policy, "author.test"));
}

#[tokio::test]
async fn keys_that_are_missing_revoked_or_out_of_reach_are_told_apart() {
    let key = Key::new();
    let signed = key.sign("author.test", PLAIN);
    for (zone, expected) in [
        ("", DkimResult::Permerror),
        ("s._domainkey.author.test TXT v=DKIM1; p=\n", DkimResult::Permerror),
        ("s._domainkey.author.test SERVFAIL\n", DkimResult::Temperror),
        ("s._domainkey.author.test TIMEOUT\n", DkimResult::Temperror),
    ] {
        let results = verified(&room(Settings::default(), zone), &signed, "<>").await;
        assert_eq!(results.signatures[0].result, expected, "{zone}");
    }
    let other = Key::new().record("s._domainkey.author.test");
    let results = verified(&room(Settings::default(), &other), &signed, "<>").await;
    assert_eq!(results.signatures[0].result, DkimResult::Fail, "another key");
}

#[tokio::test]
async fn only_a_few_signatures_are_verified_and_the_author_is_not_crowded_out() {
    let key = Key::new();
    let room = room(Settings::default(), &key.record("s._domainkey.author.test"));
    let mut message = key.sign("author.test", PLAIN);
    for i in 0..20 {
        message = key.sign(&format!("crowd{i}.test"), &message);
    }
    message = format!("{}{message}", "DKIM-Signature: v=9; a=x\r\n".repeat(20));
    let results = verified(&room, &message, "<>").await;
    assert_eq!(results.signatures.len(), 5);
    assert!(results.signatures_left_out >= 16, "{}", results.signatures_left_out);
    assert!(results.signatures.iter().any(|s| s.result == DkimResult::Pass && s.domain == "author.test"));
    assert!(ids(&room.judge(&results)).contains(&"dkim.too-many"));
}

#[tokio::test]
async fn dmarc_acts_as_the_domain_asks() {
    for (record, mode, id, reply) in [
        ("p=reject", DmarcMode::Enforce, "dmarc.reject", Some(550)),
        ("p=quarantine", DmarcMode::Enforce, "dmarc.quarantine", None),
        ("p=none", DmarcMode::Enforce, "dmarc.fail", None),
        ("p=reject; t=y", DmarcMode::Enforce, "dmarc.quarantine", None),
        ("p=reject", DmarcMode::Observe, "dmarc.reject", None),
    ] {
        let settings = Settings { dmarc: mode, ..Settings::default() };
        let room = room(settings, &format!("_dmarc.author.test TXT v=DMARC1; {record}\n"));
        let results = verified(&room, PLAIN, "<>").await;
        let judgement = room.judge(&results);
        assert_eq!((ids(&judgement), code(&judgement)), (vec![id], reply), "{record}");
        if mode == DmarcMode::Observe {
            assert_eq!(judgement.findings[0].points, ResultPoints::default().dmarc_fail);
        }
    }
    let room = room(Settings::default(), "");
    assert_eq!(verified(&room, PLAIN, "<>").await.dmarc.result, DmarcResult::None);
}

#[tokio::test]
async fn subdomains_follow_sp_and_spf_passes_only_when_it_is_aligned() {
    let zone = "_dmarc.author.test TXT v=DMARC1; p=none; sp=reject\nsub.author.test A 192.0.2.1\n\
                bounce.author.test TXT v=spf1 +all\nelsewhere.test TXT v=spf1 +all\n";
    let room = room(Settings::default(), zone);
    let message = PLAIN.replace("bob@author.test", "bob@sub.author.test");
    let aligned = verified(&room, &message, "<x@bounce.author.test>").await;
    assert_eq!(aligned.dmarc.result, DmarcResult::Pass);
    let foreign = verified(&room, &message, "<x@elsewhere.test>").await;
    assert_eq!((foreign.dmarc.result, foreign.dmarc.policy), (DmarcResult::Fail, Policy::Reject));
}

#[tokio::test]
async fn a_missing_or_ambiguous_author_is_noticed() {
    let room = room(Settings::default(), "_dmarc.author.test TXT v=DMARC1; p=reject\n");
    for (message, id) in [
        ("Subject: x\r\n\r\n", "from.missing"),
        ("From: undisclosed:;\r\n\r\n", "from.missing"),
        ("From: a@author.test\r\nFrom: b@other.test\r\n\r\n", "from.multiple"),
        ("From: a@author.test\r\nFROM : a@author.test\r\n\r\n", "from.multiple"),
        ("From: a@author.test, b@other.test\r\n\r\n", "from.multiple"),
        ("", "from.missing"),
    ] {
        let judgement = room.judge(&verified(&room, message, "<>").await);
        assert!(ids(&judgement).contains(&id), "{message:?}: {:?}", ids(&judgement));
    }
}

#[tokio::test]
async fn a_second_author_field_does_not_lead_around_dmarc() {
    let two = "From: ceo@author.test\r\nFrom: x@other.test\r\n\r\n";
    let room = room(Settings::default(), "_dmarc.author.test TXT v=DMARC1; p=reject\n");
    let reply = room.judge(&verified(&room, two, "<x@other.test>").await).reply;
    assert_eq!(reply.map(|reply| reply.code()), Some(550));
    let observing =
        Authenticator::new(Settings { dmarc: DmarcMode::Observe, ..Settings::default() }, room.resolver().clone());
    assert_eq!(observing.judge(&verified(&observing, two, "<x@other.test>").await).reply, None);
}

#[tokio::test]
async fn a_signature_that_names_thousands_of_fields_is_not_worked_on() {
    let fields: Vec<String> = (0..5_000).map(|n| format!("x-{n}")).collect();
    let message = format!(
        "DKIM-Signature: v=1; a=ed25519-sha256; d=author.test; s=s; h=from:{}; bh=AAAA; b=AAAA\r\n{PLAIN}",
        fields.join(":")
    );
    let room = room(Settings::default(), "");
    let results = verified(&room, &message, "<>").await;
    assert!(results.signatures.iter().all(|signature| signature.result != DkimResult::Pass), "{results:?}");
    assert!(results.signatures.iter().any(|signature| signature.result == DkimResult::Neutral), "{results:?}");
}

fn sealed(key: &Key, sealer: &str, verdict: &str, message: &str) -> String {
    // The sealer's own results are written by hand: mail-auth writes only what it has verified.
    let parsed = AuthenticatedMessage::parse(message.as_bytes()).expect("a message");
    let hostname = format!("{sealer}; dmarc={verdict} header.from=author.test");
    let results = AuthenticationResults::new(&hostname);
    let set = ArcSealer::from_key(key.key()).domain(sealer).selector("s").headers(["From", "Subject"]);
    let set = set.seal(&parsed, &results, &mail_auth::ArcOutput::default()).expect("sealed");
    format!("{}{message}", set.to_header())
}

#[tokio::test]
async fn a_trusted_sealer_that_saw_dmarc_pass_lifts_the_failure_and_nobody_else_does() {
    let key = Key::new();
    let zone = format!("{}_dmarc.author.test TXT v=DMARC1; p=reject\n", key.record("s._domainkey.list.test"));
    let trusting = Settings { trusted_arc_sealers: vec!["list.test".into()], ..Settings::default() };
    let passed = sealed(&key, "list.test", "pass", PLAIN);
    for (settings, message, reply) in [
        (trusting.clone(), passed.clone(), None),
        (Settings::default(), passed.clone(), Some(550)),
        (trusting.clone(), sealed(&key, "list.test", "fail", PLAIN), Some(550)),
        (trusting.clone(), passed.replace("A line", "B line"), Some(550)),
        (
            trusting,
            passed.replace("author.test\r\nTo", "author.test\r\nX: y\r\nTo").replace("dmarc=pass", "dmarc=fail"),
            Some(550),
        ),
    ] {
        let room = room(settings, &zone);
        let results = verified(&room, &message, "<>").await;
        let judgement = room.judge(&results);
        assert_eq!(code(&judgement), reply, "{:?} {message}", results.arc);
        if reply.is_none() {
            assert_eq!(ids(&judgement), ["dmarc.overridden"]);
        }
    }
}

#[tokio::test]
async fn a_known_mailing_list_lifts_the_failure_by_its_own_signature() {
    let key = Key::new();
    let zone = format!("{}_dmarc.author.test TXT v=DMARC1; p=reject\n", key.record("s._domainkey.lists.test"));
    let message = key.sign("lists.test", PLAIN);
    let settings = Settings { mailing_lists: vec!["lists.test".into()], ..Settings::default() };
    let room = room(settings, &zone);
    assert_eq!(code(&room.judge(&verified(&room, &message, "<>").await)), None);
    let broken = message.replace("A line", "B line");
    assert_eq!(code(&room.judge(&verified(&room, &broken, "<>").await)), Some(550));
}

#[tokio::test]
async fn a_dead_dns_costs_one_wait_and_everything_is_a_temperror() {
    let server = crate::lookup::dns::tests::Server::start();
    let mut settings = server.settings();
    settings.timeout = Duration::from_secs(10);
    let resolver = Resolver::open(&settings).expect("a resolver");
    let room = Authenticator::new(Settings::default(), resolver);
    let key = Key::new();
    let mut message = PLAIN.replace("author.test", "hang.author.test");
    for i in 0..5 {
        // The first label of a question tells the test server what to do: here it is the selector.
        let signer = DkimSigner::from_key(key.key()).domain(format!("d{i}.test")).selector("hang").headers(["From"]);
        message = format!("{}{message}", signer.sign(message.as_bytes()).expect("signed").to_header());
    }
    let start = std::time::Instant::now();
    let deadline = Deadline::after(Duration::from_millis(300));
    let spf = room.spf(CLIENT, "hang.helo.test", "mx", &sender("<x@hang.test>"), deadline).await;
    assert_eq!(spf.mail.as_ref().map(|mail| mail.result), Some(SpfResult::Temperror));
    let results = room.verify(message.as_bytes(), &spf, Deadline::after(Duration::from_millis(300))).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(results.signatures.len(), 5);
    assert!(results.signatures.iter().all(|signature| signature.result == DkimResult::Temperror), "{results:?}");
}

#[tokio::test]
async fn all_rooms_share_one_cache() {
    let server = crate::lookup::dns::tests::Server::start();
    let resolver = Resolver::open(&server.settings()).expect("a resolver");
    let dns = resolver.dns();
    assert_eq!(dns.a("host.test", soon()).await.done().map(Vec::len), Some(1));
    let asked = server.questions.load(std::sync::atomic::Ordering::SeqCst);
    let again = resolver.inner.ipv4_lookup("host.test", None::<&mail_auth::NoCache>).await;
    assert_eq!(again.map(|found| found.records.len()), Ok(1));
    assert_eq!(server.questions.load(std::sync::atomic::Ordering::SeqCst), asked, "answered from the cache");
}

fn facts<'a>(results: &'a Results, spf: &'a SpfResults, reverse: &'a ReverseDns) -> Facts<'a> {
    Facts { authserv_id: "mx.ours.test", client_ip: Some(CLIENT), reverse, spf: Some(spf), results: Some(results) }
}

#[tokio::test]
async fn the_header_tells_every_result() {
    let key = Key::new();
    let zone = format!(
        "{}_dmarc.author.test TXT v=DMARC1; p=reject\nauthor.test TXT v=spf1 -all\nmail.helo.test TXT v=spf1 +all\n",
        key.record("s._domainkey.author.test")
    );
    let room = room(Settings::default(), &zone);
    let message = key.sign("author.test", PLAIN);
    let spf = room.spf(CLIENT, "mail.helo.test", "mx", &sender("<bob@author.test>"), soon()).await;
    let results = room.verify(message.as_bytes(), &spf, soon()).await;
    let reverse = ReverseDns::Confirmed { name: "mail.helo.test".into() };
    let b = &results.signatures[0].b;
    let b = if b.chars().all(|c| c.is_ascii_alphanumeric() || c == '+') { b.clone() } else { format!("\"{b}\"") };
    assert_eq!(
        room.header_value(&facts(&results, &spf, &reverse)),
        format!(
            "mx.ours.test;\n\tspf=fail smtp.mailfrom=bob@author.test;\n\tspf=pass smtp.helo=mail.helo.test;\n\t\
             dkim=pass\n\t header.d=author.test\n\t header.s=s\n\t header.b={b};\n\t\
             dmarc=pass header.from=author.test;\n\tiprev=pass policy.iprev=192.0.2.7 (mail.helo.test)"
        )
    );
    let nothing = Facts { spf: None, results: None, reverse: &ReverseDns::NotAsked, ..facts(&results, &spf, &reverse) };
    assert_eq!(room.header_value(&nothing), "mx.ours.test;\n\tnone");
}

#[test]
fn hostile_names_cannot_break_out_of_the_header() {
    let room = room(Settings::default(), "");
    let evil = "x\"\r\nX-Injected: 1;\n\tdkim=pass (\\".to_owned();
    let long = "a".repeat(100_000);
    for bad in [&evil, &long] {
        let signature = Signature {
            domain: bad.clone(),
            selector: bad.clone(),
            b: bad.clone(),
            result: DkimResult::Fail,
            reason: Some(bad.clone()),
            aligned: false,
            signed: Vec::new(),
        };
        let arc = Arc {
            result: ArcResult::Pass,
            reason: None,
            sets: vec![ArcSet { sealer: bad.clone(), dmarc_passed: true }],
            signed: Vec::new(),
        };
        let dmarc = Dmarc { domain: bad.clone(), result: DmarcResult::Fail, ..Dmarc::default() };
        let results = Results { signatures: vec![signature], arc, dmarc, ..Results::default() };
        let identity = SpfIdentity { identity: bad.clone(), domain: bad.clone(), result: SpfResult::Fail };
        let spf = SpfResults { helo: Some(identity.clone()), mail: Some(identity) };
        let reverse = ReverseDns::Confirmed { name: bad.clone() };
        let value = room.header_value(&Facts { authserv_id: bad, ..facts(&results, &spf, &reverse) });
        assert!(!value.contains('\r') && value.is_ascii());
        assert!(value.lines().skip(1).all(|line| line.starts_with('\t')), "{value}");
        assert!(value.lines().all(|line| line.len() <= 998), "RFC 5322 section 2.1.1");
        let parts = fields::tokens(value.as_bytes()).iter().filter(|t| **t == fields::Token::Semicolon).count();
        assert_eq!(parts, 6, "no result was added: {value}");
        assert!(ids(&room.judge(&results)).len() >= 2);
    }
}

#[tokio::test]
async fn hostile_messages_end_without_a_panic() {
    let room = room(Settings::default(), "");
    let deep = format!("From: {}a@b.test\r\n\r\n", "(".repeat(100_000));
    let many = format!(
        "{}\r\n",
        "DKIM-Signature: v=1; a=rsa-sha256; d=x.test; s=s; h=From; bh=AAAA; b=AAAA\r\n".repeat(2_000)
    );
    let arcs = format!("{}\r\n", "ARC-Seal: i=1; a=rsa-sha256; d=x; s=s; cv=none; b=AAAA\r\n".repeat(2_000));
    for message in
        [b"\0\xff\r\n\r\n".to_vec(), vec![b':'; 1000], deep.into_bytes(), many.into_bytes(), arcs.into_bytes()]
    {
        let results = room.verify(&message, &SpfResults::default(), soon()).await;
        assert!(results.signatures.len() <= 5);
        room.judge(&results);
    }
    let long = format!("{}.test", "x".repeat(300));
    for helo in ["", ".", "..", "\u{0}", "é.test", &long, "a b", "[", "%{i}.test"] {
        room.spf(CLIENT, helo, "", &ReversePath::Null, soon()).await;
    }
}

#[test]
fn our_name_is_that_of_the_settings_or_of_the_mta() {
    let named = Settings { authserv_id: Some("Ours.test".into()), ..Settings::default() };
    assert_eq!(room(named, "").authserv_id(Some("mx")), "ours.test");
    let unnamed = room(Settings::default(), "");
    assert_eq!(
        (unnamed.authserv_id(Some("MX.test")), unnamed.authserv_id(None)),
        ("mx.test".into(), "localhost".into())
    );
    assert_eq!(Points::ZERO, unnamed.settings().points.spf_pass);
}

#[test]
fn behind_a_seal_that_is_not_trusted_nothing_is_believed() {
    let set = |sealer: &str, dmarc_passed| ArcSet { sealer: sealer.into(), dmarc_passed };
    let settings = Settings { trusted_arc_sealers: vec!["good.test".into()], ..Settings::default() };
    for (sets, believed) in [
        (vec![set("good.test", true), set("evil.test", true)], false),
        (vec![set("evil.test", true), set("good.test", false)], false),
        (vec![set("good.test", true), set("mx.good.test", false)], true),
        (vec![set("notgood.test", true)], false),
    ] {
        let arc = Arc { result: ArcResult::Pass, reason: None, sets, signed: Vec::new() };
        let results = Results { arc, ..Results::default() };
        assert_eq!(arc_trust::vouched_by(&settings, &results).is_some(), believed, "{:?}", results.arc);
    }
}

#[test]
fn opening_a_resolver_sends_nothing_and_needs_no_runtime() {
    let start = std::time::Instant::now();
    Resolver::open(&crate::lookup::dns::DnsSettings::default()).expect("a resolver");
    println!("opened in {:?}", start.elapsed());
}
