use super::*;
use crate::{
    authentication::{Authenticator, DkimResult, Resolver, Settings, SpfResults},
    lookup::{Deadline, dns::Zone},
    store::counters::scratch,
};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

const MESSAGE: &str = "Received: from a\r\n\tby b\r\nFrom: Alice <alice@x.test>\r\nTo: bob@y.test\r\nSubject:  hello\r\n \
                       again\r\nDate: Mon, 1 Jun 2026 12:00:00 +0000\r\n\r\nDear Bob, \r\n\r\n.dot\r\n\r\n\r\n";

/// An RSA key of 2048 bits takes long to make in a debug build: it is made once.
fn rsa() -> &'static str {
    static KEY: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    KEY.get_or_init(|| generate_rsa(RsaBits::B2048).expect("a key"))
}

fn ed25519() -> String {
    generate_ed25519().expect("a key")
}

fn settings(domain: &str, selector: &str) -> KeySettings {
    KeySettings {
        place: "mailward.toml:3:7".into(),
        domain: domain.into(),
        selector: selector.into(),
        key: PathBuf::new(),
        domains: Vec::new(),
        headers: SIGNED.iter().map(ToString::to_string).collect(),
        canonicalization: (Canonicalization::Relaxed, Canonicalization::Relaxed),
        expire: None,
        from: None,
        until: None,
    }
}

fn signer(settings: KeySettings, pem: &str) -> Signer {
    Signer { settings, key: PrivateKey::parse(pem.as_bytes()).expect("a key") }
}

fn signed(signer: &Signer, message: &str) -> String {
    let field = signer.sign(message.as_bytes()).expect("signed").replace('\n', "\r\n");
    format!("DKIM-Signature: {field}\r\n{message}")
}

/// What our own verifier finds, with the record of the key in DNS.
async fn verified(signer: &Signer, message: &str) -> Vec<(DkimResult, String)> {
    let zone = format!("{} TXT {}\n", signer.settings().record_name(), signer.key().record());
    let zone = Zone::parse(&zone).expect("a zone");
    let room = Authenticator::new(Settings::default(), Resolver::scripted(zone).expect("a resolver"));
    let deadline = Deadline::after(Duration::from_secs(20));
    let results = room.verify(message.as_bytes(), &SpfResults::default(), deadline).await;
    results.signatures.iter().map(|s| (s.result, s.reason.clone().unwrap_or_default())).collect()
}

async fn passes(signer: &Signer, message: &str) -> bool {
    matches!(verified(signer, message).await.as_slice(), [(DkimResult::Pass, _)])
}

#[tokio::test]
async fn signatures_of_both_kinds_and_all_canonical_forms_verify() {
    use Canonicalization::{Relaxed, Simple};
    for pem in [rsa(), &ed25519()] {
        for canonicalization in [(Relaxed, Relaxed), (Relaxed, Simple), (Simple, Simple), (Simple, Relaxed)] {
            let signer = signer(KeySettings { canonicalization, ..settings("x.test", "s1") }, pem);
            let message = signed(&signer, MESSAGE);
            assert!(passes(&signer, &message).await, "{canonicalization:?}: {message}");
            assert!(!passes(&signer, &message.replace("Dear Bob", "Dear Eve")).await);
            assert!(!passes(&signer, &message.replace("Subject:  hello", "Subject: hullo")).await);
        }
    }
}

#[tokio::test]
async fn nobody_may_add_a_second_author_and_a_relay_may_add_what_is_not_sealed() {
    let signer = signer(settings("x.test", "s1"), &ed25519());
    let message = signed(&signer, MESSAGE);
    for (field, good) in [
        ("From: boss@x.test", false),
        ("Reply-To: eve@z.test", false),
        ("Cc: eve@z.test", false),
        ("Received: from c by d", true),
        ("Message-ID: <1@relay.test>", true),
        ("X-Spam: no", true),
    ] {
        assert_eq!(passes(&signer, &format!("{field}\r\n{message}")).await, good, "{field}");
    }
    let h =
        message.split("h=").nth(1).and_then(|rest| rest.split(';').next()).expect("h=").replace(['\r', '\n', '\t'], "");
    assert_eq!(h.to_lowercase(), "date:subject:to:from:from:reply-to:subject:to:cc");
}

#[tokio::test]
async fn empty_and_odd_bodies_are_signed_as_they_are() {
    let signer = signer(settings("x.test", "s1"), &ed25519());
    let binary = format!("From: a@x.test\r\n\r\n{}", "\u{e4}\u{0}\t \r\n".repeat(3));
    for message in ["From: a@x.test\r\n\r\n", "From: a@x.test\r\n\r\nno line end", binary.as_str()] {
        assert!(passes(&signer, &signed(&signer, message)).await, "{message:?}");
    }
}

#[tokio::test]
async fn what_verifiers_hash_differently_is_neither_signed_nor_sealed() {
    let signer = signer(settings("x.test", "s1"), &ed25519());
    let sealer = sealer(&ed25519());
    for body in ["a\rb\r\n", "a\r\r\n", "a\r\n\r", "\r"] {
        let message = format!("From: a@x.test\r\n\r\n{body}");
        assert_eq!(signer.sign(message.as_bytes()), Err(BARE_CR.to_owned()), "{body:?}");
        assert_eq!(sealed(&room(&sealer), &sealer, &message, &message).await, Err(BARE_CR.to_owned()), "{body:?}");
    }
}

#[tokio::test]
async fn nobody_may_add_an_author_where_other_fields_are_named() {
    let few = KeySettings { headers: vec!["from".into(), "X-Ticket".into()], ..settings("x.test", "s1") };
    let signer = signer(few, &ed25519());
    let message = signed(&signer, &format!("X-Ticket: 7\r\n{MESSAGE}"));
    assert!(passes(&signer, &format!("Date: today\r\n{message}")).await);
    for field in SEALED {
        assert!(!passes(&signer, &format!("{field}: eve@z.test\r\n{message}")).await, "{field}");
    }
    assert!(!passes(&signer, &message.replace("bob@y.test", "eve@z.test")).await);
}

#[tokio::test]
async fn a_signature_expires_when_it_should() {
    let long = KeySettings { expire: Some(Duration::from_secs(86_400)), ..settings("x.test", "s1") };
    let signer = signer(long, &ed25519());
    let message = signed(&signer, MESSAGE);
    let tags: String = message.chars().filter(|c| !c.is_whitespace()).collect();
    let tag = |name: &str| -> i64 {
        let tag = tags.split(';').find_map(|tag| tag.strip_prefix(name)).expect("a tag");
        tag.parse().expect("a number")
    };
    assert_eq!(tag("x=") - tag("t="), 86_400);
    assert!(passes(&signer, &message).await);
}

fn sealer(pem: &str) -> Sealer {
    let file = scratch("arc-key").join("key.pem");
    fs::write(&file, pem).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("closed");
    let (place, domain, selector) = ("mailward.toml:3:7".into(), "hop.test".into(), "arc".into());
    Sealer::load(SealSettings { place, domain, selector, key: file, inbound: false }).expect("a key")
}

/// A room that knows the sealer's key.
fn room(sealer: &Sealer) -> Authenticator {
    let zone = format!("{} TXT {}\n", sealer.settings().record_name(), sealer.key().record());
    let resolver = Resolver::scripted(Zone::parse(&zone).expect("a zone")).expect("a resolver");
    Authenticator::new(Settings::default(), resolver)
}

async fn sealed(room: &Authenticator, sealer: &Sealer, raw: &str, leaving: &str) -> Result<(String, String), String> {
    let deadline = Deadline::after(Duration::from_secs(20));
    let results = "mx.hop.test;\n\tspf=pass smtp.mailfrom=a@x.test;\n\tdkim=pass\n\t header.d=x.test";
    let Sealed { label, fields } = room.seal(sealer, raw.as_bytes(), leaving.as_bytes(), results, deadline).await?;
    let on_top = fields.iter().rev().map(|(name, value)| format!("{name}: {}\r\n", value.replace('\n', "\r\n")));
    Ok((label, format!("{}{leaving}", on_top.collect::<String>())))
}

async fn chain(room: &Authenticator, message: &str) -> crate::authentication::ArcResult {
    let deadline = Deadline::after(Duration::from_secs(20));
    room.verify(message.as_bytes(), &SpfResults::default(), deadline).await.arc.result
}

#[tokio::test]
async fn seals_make_a_chain_that_holds_until_somebody_breaks_it() {
    use crate::authentication::ArcResult;
    for pem in [rsa(), &ed25519()] {
        let sealer = sealer(pem);
        let room = room(&sealer);
        let (label, one) =
            sealed(&room, &sealer, MESSAGE, &MESSAGE.replace("Dear", "Sent on: Dear")).await.expect("sealed");
        assert_eq!(label, "ARC i=1 cv=none d=hop.test s=arc");
        assert!(one.starts_with("ARC-Seal: i=1;") && one.contains(";\r\n\tspf=pass smtp.mailfrom=a@x.test"), "{one}");
        assert_eq!(chain(&room, &one).await, ArcResult::Pass, "{one}");
        let (label, two) = sealed(&room, &sealer, &one, &one).await.expect("sealed");
        assert_eq!((label.as_str(), chain(&room, &two).await), ("ARC i=2 cv=pass d=hop.test s=arc", ArcResult::Pass));
        let changed = one.replace("Dear", "Cheap");
        assert_eq!(chain(&room, &changed).await, ArcResult::Fail);
        let broken = || Err("the chain of seals is broken".to_owned());
        assert_eq!(sealed(&room, &sealer, &changed, &changed).await, broken());
        let cut = two.replacen("ARC-Seal: i=2;", "X-Seal: i=2;", 1);
        assert_eq!(sealed(&room, &sealer, &cut, &cut).await, broken());
    }
}

#[tokio::test]
async fn without_dns_a_chain_is_not_gone_on_with() {
    let sealer = sealer(&ed25519());
    let (_, one) = sealed(&room(&sealer), &sealer, MESSAGE, MESSAGE).await.expect("sealed");
    let deaf = Resolver::scripted(Zone::parse("* SERVFAIL\n").expect("a zone")).expect("a resolver");
    let deaf = Authenticator::new(Settings::default(), deaf);
    assert_eq!(sealed(&deaf, &sealer, &one, &one).await, Err("DNS did not answer".to_owned()));
    let (label, _) = sealed(&deaf, &sealer, MESSAGE, MESSAGE).await.expect("nothing need be asked");
    assert!(label.starts_with("ARC i=1"), "{label}");
}

#[test]
fn the_nearest_keys_in_force_sign_and_several_at_a_time() {
    let pem = ed25519();
    let entry = |domain: &str, selector: &str| signer(settings(domain, selector), &pem);
    let mut old = entry("x.test", "old");
    old.settings.until = Some(100);
    let mut new = entry("x.test", "new");
    new.settings.from = Some(100);
    let mut other = entry("corp.test", "c");
    other.settings.domains = vec!["brand.test".into(), "special.x.test".into()];
    let signers = Signers(vec![old, new, entry("x.test", "ed"), entry("sub.x.test", "s"), other]);
    let of = |domain: &str, now| {
        signers.of_author(domain, now).iter().map(|s| s.settings.selector.clone()).collect::<Vec<_>>().join(" ")
    };
    for (domain, now, expected) in [
        ("x.test", 99, "old ed"),
        ("x.test", 100, "new ed"),
        ("a.b.x.test", 100, "new ed"),
        ("sub.x.test", 100, "s"),
        ("a.sub.x.test", 100, "s"),
        ("special.x.test", 100, "c"),
        ("brand.test", 100, "c"),
        ("www.brand.test", 100, ""),
        ("notx.test", 100, ""),
        ("test", 100, ""),
        ("", 100, ""),
    ] {
        assert_eq!(of(domain, now), expected, "{domain} at {now}");
    }
}

#[test]
fn the_record_fits_its_key_and_no_other() {
    let (rsa, ed) = (PrivateKey::parse(rsa().as_bytes()).expect("a key"), PrivateKey::parse(ed25519().as_bytes()));
    let ed = ed.expect("a key");
    for key in [&rsa, &ed] {
        assert_eq!(key.fits(&key.record()), Ok(()));
        assert_eq!(key.fits(&key.record().replace("; ", ";").replace("p=", "p = ")), Ok(()));
    }
    assert!(rsa.record().starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), "{}", rsa.record());
    assert_eq!(ed.record().len(), "v=DKIM1; k=ed25519; p=".len() + 44);
    assert_eq!(rsa.fits(&ed.record()), Err("it publishes a key of another kind"));
    assert_eq!(ed.fits("v=DKIM1; k=ed25519; p="), Err("the key is revoked: p= is empty"));
    assert_eq!(ed.fits("v=DKIM1; k=ed25519; p=AAAA"), Err("it publishes another key"));
    assert_eq!(ed.fits("v=spf1 -all"), Err("it is no key record: there is no p="));
}

#[test]
fn keys_that_are_open_broken_or_missing_are_refused_at_their_place() {
    let dir = scratch("dkim-keys");
    let file = |name: &str, text: &[u8], mode| {
        let path = dir.join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("closed");
        path
    };
    let pem = ed25519();
    let fault = |key: PathBuf| {
        let faults = Signers::load(vec![KeySettings { key, ..settings("x.test", "s1") }]).expect_err("a fault");
        faults.join("\n")
    };
    let open = fault(file("open.pem", pem.as_bytes(), 0o644));
    assert!(open.starts_with("mailward.toml:3:7: outbound.dkim.key: ") && open.contains("chmod o="), "{open}");
    assert!(fault(dir.join("none.pem")).contains("cannot be read"));
    let not_a_key = "holds no private key";
    for text in ["", "hello", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE-----"]
    {
        let fault = fault(file("bad.pem", text.as_bytes(), 0o600));
        assert!(fault.contains(not_a_key) || fault.contains("is no RSA key"), "{text:?}: {fault}");
    }
    let cut = pem.replacen("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vu", 1);
    assert_ne!(cut, pem);
    assert!(fault(file("x448.pem", cut.as_bytes(), 0o600)).contains("is no RSA key"));
    assert!(fault(file("huge.pem", &[b'x'; 100_000], 0o600)).contains("100000 bytes"));
    let good = KeySettings { key: file("good.pem", pem.as_bytes(), 0o640), ..settings("x.test", "s1") };
    assert_eq!(Signers::load(vec![good]).expect("a key").all().len(), 1);
    let _ = fs::remove_dir_all(dir);
}
