//! BATV: senders that are signed, so that a bounce of somebody else's mail is known (draft-levine-smtp-batv-01).
//!
//! `alice@example.com` sends as `prvs=KDDDSSSSSS=alice@example.com`: a digit for the key, the last day on which the tag is
//! good (days since 1970, modulo 1000), and the first three bytes of an HMAC-SHA1. A true bounce comes back to that
//! address; backscatter comes to the plain one. The tag is a seal against random abuse, not a signature: 24 bits.
//!
//! Only null senders need a tag. A tag is good for every sender, since some answer machines and mailing lists write
//! to the envelope sender with an address of their own.

use crate::{
    reputation::NetworkSet,
    session::{Address, ReversePath},
    verdict::{Finding, Judgement, Points, Reply},
};
use aws_lc_rs::{constant_time, hmac};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, path::PathBuf};

/// Whether BATV acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Tags are not looked at.
    #[default]
    Off,
    /// Tags are taken off and checked; nothing is refused.
    Observe,
    /// Bounces without a good tag are refused.
    Enforce,
}

/// At which command a bounce without a good tag is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefuseAt {
    /// At RCPT. Hosts that ask by a null sender whether an untagged address exists hear no.
    #[default]
    Rcpt,
    /// At the end of the message: such questions, which end before DATA, are answered truly.
    Message,
}

/// Settings of BATV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether the senders of outbound mail get their tags here.
    pub sign: bool,
    /// Whether it acts.
    pub mode: Mode,
    /// Domains whose senders are all tagged. Lower case ASCII.
    pub domains: Vec<String>,
    /// Files with a key each. The first signs; all are tried when a tag is checked.
    pub keys: Vec<PathBuf>,
    /// How long a tag is good. Unit: days, at most [`MOST_DAYS`]. Source: the draft, §4.2, recommends 7; MTAs give up
    /// after 5.
    pub days: i64,
    /// Where a refusal is given.
    pub refuse_at: RefuseAt,
    /// Recipients that take bounces without a tag, in the form of [`Address::key`].
    pub exempt_recipients: Vec<String>,
    /// Clients that may bring them.
    pub exempt_networks: Vec<IpNet>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sign: false,
            mode: Mode::Off,
            domains: Vec::new(),
            keys: Vec::new(),
            days: 7,
            refuse_at: RefuseAt::Rcpt,
            exempt_recipients: Vec::new(),
            exempt_networks: Vec::new(),
        }
    }
}

/// Longest life of a tag. Unit: days. Source: days are counted modulo 1000, so old tags become good again.
pub const MOST_DAYS: i64 = 90;
/// Shortest and longest key. Unit: bytes. Source: our own limits; 16 bytes of chance cannot be guessed.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=4096;
/// Longest local part that other hosts must take. Unit: bytes. Source: RFC 5321 §4.5.3.1.1.
const LOCAL_BYTES: usize = 64;
const DAY: i64 = 86_400;
const CYCLE: i64 = 1_000;

/// What the tag of a recipient is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tag {
    /// Of no domain whose senders are tagged.
    NotOurs,
    /// No tag.
    Missing,
    /// Ours, and good for so many days more.
    Valid(i64),
    /// Ours, but too old, or made for longer than is allowed now.
    Expired,
    /// Not made with our keys.
    Forged,
}

impl Tag {
    /// The word that findings and the command line use.
    pub fn word(self) -> &'static str {
        match self {
            Tag::NotOurs => "not ours",
            Tag::Missing => "missing",
            Tag::Valid(_) => "valid",
            Tag::Expired => "expired",
            Tag::Forged => "forged",
        }
    }
}

/// The parts of a tagged local part.
struct Parts<'a> {
    key: &'a str,
    day: i64,
    signature: [u8; 3],
    local: &'a str,
}

/// BATV with its keys.
#[derive(Debug)]
pub struct Batv {
    settings: Settings,
    keys: Vec<hmac::Key>,
    exempt: NetworkSet,
}

impl Batv {
    /// Reads the keys.
    ///
    /// # Errors
    ///
    /// What is wrong with the files.
    pub fn load(settings: Settings) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut keys = Vec::new();
        for file in &settings.keys {
            match read_key(file) {
                Ok(key) => keys.push(key),
                Err(why) => faults.push(format!("batv.keys: {}: {why}", file.display())),
            }
        }
        let exempt = settings.exempt_networks.iter().copied().collect();
        if faults.is_empty() { Ok(Batv { settings, keys, exempt }) } else { Err(faults) }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The recipient as directory and policies know it, and what its tag is worth. `raw` stays as the client wrote it.
    pub fn untag(&self, address: Address, now: i64) -> (Address, Tag) {
        if self.settings.mode == Mode::Off {
            return (address, Tag::NotOurs);
        }
        let tag = self.check(&address, now);
        match parts(&address.local) {
            Some(parts) if tag != Tag::NotOurs => {
                let local = parts.local.to_owned();
                (Address { local, ..address }, tag)
            }
            _ => (address, tag),
        }
    }

    /// What the tag of an address is worth, whatever the mode.
    pub fn check(&self, address: &Address, now: i64) -> Tag {
        if !self.settings.domains.contains(&address.domain) {
            return Tag::NotOurs;
        }
        let Some(parts) = parts(&address.local) else { return Tag::Missing };
        // We sign lower case, because some hosts return it so; others sign the address as it stands.
        let as_written = format!("{}@{}", parts.local, address.domain);
        let lower = as_written.to_lowercase();
        let signed = self.keys.iter().any(|key| {
            [&lower, &as_written].into_iter().any(|address| {
                let expected = signature(key, parts.key, parts.day, address);
                constant_time::verify_slices_are_equal(&expected, &parts.signature).is_ok()
            })
        });
        if !signed {
            return Tag::Forged;
        }
        let left = (parts.day - now.div_euclid(DAY)).rem_euclid(CYCLE);
        if left <= self.settings.days { Tag::Valid(left) } else { Tag::Expired }
    }

    /// The address with a fresh tag; `None` if its domain is not tagged or there is no key.
    pub fn tag(&self, address: &Address, now: i64) -> Option<String> {
        let key = self.keys.first()?;
        if !self.settings.domains.contains(&address.domain) {
            return None;
        }
        let bare = parts(&address.local).map_or(address.local.as_str(), |parts| parts.local);
        let day = now.div_euclid(DAY).saturating_add(self.settings.days).rem_euclid(CYCLE);
        let [a, b, c] = signature(key, "0", day, &format!("{bare}@{}", address.domain).to_lowercase());
        let local = format!("prvs=0{day:03}{a:02x}{b:02x}{c:02x}={bare}");
        let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let local = match local.chars().all(plain) && !local.ends_with('.') && !local.contains("..") {
            true => local,
            false => format!("\"{}\"", local.replace('\\', "\\\\").replace('"', "\\\"")),
        };
        Some(format!("{local}@{}", address.domain))
    }

    /// The sender that outbound mail is to have in place of its own; `None` if it keeps that: the null sender, one of another
    /// domain, one whose tag is good, or one whose bounces need no tag.
    ///
    /// # Errors
    ///
    /// Why a sender that should have a tag gets none.
    pub fn sign(&self, sender: &ReversePath, now: i64) -> Option<Result<String, &'static str>> {
        let sender = sender.mailbox().filter(|sender| self.settings.sign && !self.spares(sender))?;
        if matches!(self.check(sender, now), Tag::NotOurs | Tag::Valid(_)) {
            return None;
        }
        let tagged = self.tag(sender, now)?;
        // Else mail itself would be refused, for the sake of its bounces.
        let long = tagged.len() > LOCAL_BYTES + "@".len() + sender.domain.len();
        Some(if long { Err("the local part would be too long") } else { Ok(tagged) })
    }

    /// Whether bounces reach this address without a tag.
    fn spares(&self, address: &Address) -> bool {
        address.is_postmaster_or_abuse() || self.settings.exempt_recipients.contains(&address.key())
    }

    /// Judges the tag of one recipient. `acts` is false for recipients outside the trial list.
    pub fn judge(
        &self,
        tag: Tag,
        recipient: &Address,
        null_sender: bool,
        client: Option<IpAddr>,
        acts: bool,
    ) -> Judgement {
        let mut judgement = Judgement::default();
        let exempt = self.spares(recipient) || client.is_some_and(|ip| self.exempt.contains(ip));
        let id = match tag {
            Tag::NotOurs => return judgement,
            Tag::Missing if !null_sender || exempt => return judgement,
            Tag::Missing => "batv.missing",
            Tag::Valid(_) => "batv.valid",
            Tag::Expired => "batv.expired",
            Tag::Forged => "batv.forged",
        };
        judgement.findings.push(Finding::new(id, Points::ZERO, "draft-levine-smtp-batv-01").fact(recipient.key()));
        let good = matches!(tag, Tag::Valid(_));
        if null_sender && !good && !exempt && acts && self.settings.mode == Mode::Enforce {
            let text = "This notification is about mail that was not sent from here";
            judgement.reply = Some(Reply::fixed(550, (5, 7, 1), text));
        }
        judgement
    }
}

/// Takes `prvs=KDDDSSSSSS=local` apart.
fn parts(local: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = local.split_at_checked(5)?;
    let (tag, local) = rest.split_once('=')?;
    if !scheme.eq_ignore_ascii_case("prvs=") || tag.len() != 10 || local.is_empty() || !tag.is_ascii() {
        return None;
    }
    let (key, day, hex) = (tag.get(..1)?, tag.get(1..4)?, tag.get(4..)?);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(key) || !digits(day) || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let [_, signature @ ..] = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
    Some(Parts { key, day: day.parse().ok()?, signature, local })
}

/// First three bytes of the HMAC of key digit, day and address (draft §4.2).
fn signature(key: &hmac::Key, digit: &str, day: i64, address: &str) -> [u8; 3] {
    let mac = hmac::sign(key, format!("{digit}{day:03}{address}").as_bytes());
    match mac.as_ref() {
        [a, b, c, ..] => [*a, *b, *c],
        _ => [0; 3],
    }
}

fn read_key(file: &std::path::Path) -> Result<hmac::Key, String> {
    let mut key = std::fs::read(file).map_err(|error| error.to_string())?;
    while key.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
        key.pop();
    }
    if !KEY_BYTES.contains(&key.len()) {
        return Err(format!(
            "the key has {} bytes, must have {} to {}; make one with: openssl rand -hex 20",
            key.len(),
            KEY_BYTES.start(),
            KEY_BYTES.end()
        ));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000; // day 20833

    fn key(text: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes())
    }

    fn batv(mode: Mode, keys: &[&str]) -> Batv {
        let settings = Settings {
            mode,
            domains: vec!["x.test".into()],
            exempt_recipients: vec!["list@x.test".into()],
            exempt_networks: vec!["203.0.113.0/24".parse().expect("a network")],
            ..Settings::default()
        };
        Batv {
            settings,
            keys: keys.iter().map(|k| key(k)).collect(),
            exempt: ["203.0.113.0/24".parse().expect("a network")].into_iter().collect(),
        }
    }

    fn address(text: &str) -> Address {
        Address::parse(text.as_bytes()).expect("an address")
    }

    fn tagged(batv: &Batv, text: &str, now: i64) -> Address {
        address(&batv.tag(&address(text), now).expect("a tag"))
    }

    #[test]
    fn a_tag_is_the_hmac_of_key_digit_day_and_address() {
        // Computed apart: printf '0840bob@x.test' | openssl dgst -sha1 -hmac 0123456789abcdef
        let batv = batv(Mode::Enforce, &["0123456789abcdef"]);
        assert_eq!(batv.tag(&address("Bob@X.test"), NOW).as_deref(), Some("prvs=0840ca76ae=Bob@x.test"));
    }

    #[test]
    fn tags_that_exim_made_are_valid() {
        // Exim 4.96: exim -be '${prvs{Bob@x.test}{0123456789abcdef}{0}}'
        let batv = batv(Mode::Enforce, &["0123456789abcdef"]);
        let then = 1_795_322_464;
        for made in ["prvs=07864b3386=Bob@x.test", "prvs=0786321bf7=bob@x.test"] {
            assert_eq!(batv.check(&address(made), then), Tag::Valid(7), "{made}");
        }
    }

    #[test]
    fn a_tag_is_good_for_seven_days_and_whatever_case_it_comes_back_in() {
        let batv = batv(Mode::Enforce, &["0123456789abcdef"]);
        let mail = tagged(&batv, "Bob@x.test", NOW);
        assert_eq!(batv.check(&mail, NOW), Tag::Valid(7));
        assert_eq!(batv.check(&mail, NOW + 7 * DAY), Tag::Valid(0));
        assert_eq!(batv.check(&mail, NOW + 8 * DAY), Tag::Expired);
        assert_eq!(batv.check(&mail, NOW - DAY), Tag::Expired, "from the future");
        assert_eq!(batv.check(&address(&mail.raw.to_uppercase()), NOW), Tag::Valid(7));
        assert_eq!(batv.check(&address(&mail.raw.to_lowercase()), NOW), Tag::Valid(7));
        assert_eq!(batv.tag(&mail, NOW).as_deref(), Some(mail.raw.as_str()), "a tag is renewed, not doubled");
        for (at, day) in [(995 * DAY, "002"), (0, "007")] {
            let mail = tagged(&batv, "bob@x.test", at);
            assert!(mail.raw.starts_with(&format!("prvs=0{day}")), "{}", mail.raw);
            assert_eq!((batv.check(&mail, at), batv.check(&mail, at + 5 * DAY)), (Tag::Valid(7), Tag::Valid(2)));
        }
    }

    #[test]
    fn senders_of_outbound_mail_get_one_tag_where_their_bounces_need_it() {
        let signing = |sign| {
            let batv = batv(Mode::Observe, &["0123456789abcdef", "the old key of 16"]);
            Batv { settings: Settings { sign, ..batv.settings }, ..batv }
        };
        let sign = |sender: &str| signing(true).sign(&ReversePath::parse(sender.as_bytes()).expect("a path"), NOW);
        let tagged = Some(Ok("prvs=0840ca76ae=bob@x.test".to_owned()));
        assert_eq!(sign("<bob@x.test>"), tagged);
        let earlier =
            |days| super::tests::tagged(&batv(Mode::Observe, &["the old key of 16"]), "bob@x.test", NOW - days * DAY);
        for bad in ["prvs=0840000000=bob@x.test", &earlier(8).raw] {
            assert_eq!(sign(bad), tagged, "{bad} is not good, so it is made anew");
        }
        let old = earlier(3);
        for kept in ["<>", "bob@y.test", "Postmaster@x.test", "list@x.test", "prvs=0840ca76ae=bob@x.test", &old.raw] {
            assert_eq!(sign(kept), None, "{kept}");
        }
        assert_eq!(signing(false).sign(&ReversePath::Mailbox(address("bob@x.test")), NOW), None);
        let long = |bytes: usize| sign(&format!("{}@x.test", "b".repeat(bytes)));
        assert!(long(48).is_some_and(|tagged| tagged.is_ok()));
        assert_eq!(long(49), Some(Err("the local part would be too long")));
    }

    #[test]
    fn a_tag_of_another_address_day_or_key_is_forged_and_old_keys_still_count() {
        let old = batv(Mode::Enforce, &["the old key of 16"]);
        let new = batv(Mode::Enforce, &["the new key of 16", "the old key of 16"]);
        let mail = tagged(&old, "bob@x.test", NOW);
        assert_eq!(new.check(&mail, NOW), Tag::Valid(7));
        assert_ne!(new.tag(&address("bob@x.test"), NOW), old.tag(&address("bob@x.test"), NOW));
        assert_eq!(batv(Mode::Enforce, &["some other key 16"]).check(&mail, NOW), Tag::Forged);
        assert_eq!(old.check(&address(&mail.raw.replace("bob", "eve")), NOW), Tag::Forged);
        assert_eq!(old.check(&address(&mail.raw.replace("prvs=0", "prvs=1")), NOW), Tag::Forged);
        assert_eq!(old.check(&address("prvs=0840000000=bob@x.test"), NOW), Tag::Forged);
    }

    #[test]
    fn what_is_no_tag_of_ours_is_left_alone() {
        let batv = batv(Mode::Enforce, &["0123456789abcdef"]);
        for text in [
            "bob@x.test",
            "prvs=bob@x.test",
            "prvs=084012345=bob@x.test",
            "prvs=08401234zz=bob@x.test",
            "prv@x.test",
            "prvs=x840123456=bob@x.test",
            "prvs=\u{e4}840123456=bob@x.test",
        ] {
            let (same, tag) = batv.untag(address(text), NOW);
            assert_eq!((same, tag), (address(text), Tag::Missing), "{text}");
        }
        let elsewhere = address("prvs=0840123456=bob@y.test");
        assert_eq!(batv.untag(elsewhere.clone(), NOW), (elsewhere, Tag::NotOurs));
        let off = super::tests::batv(Mode::Off, &["0123456789abcdef"]);
        let mail = tagged(&off, "bob@x.test", NOW);
        assert_eq!(off.untag(mail.clone(), NOW), (mail, Tag::NotOurs));
        assert_eq!(batv.tag(&address("bob@y.test"), NOW), None);
    }

    #[test]
    fn the_tag_is_taken_off_and_what_the_mta_knows_is_kept() {
        let batv = batv(Mode::Observe, &["0123456789abcdef"]);
        for text in ["bob@x.test", "\"b \\\"o\\\\b\"@x.test", "\"bob.\"@x.test", "\"b..b\"@x.test"] {
            let mail = tagged(&batv, text, NOW);
            let raw = mail.raw.clone();
            let (bare, tag) = batv.untag(mail, NOW);
            assert_eq!((bare.key(), bare.raw, tag), (address(text).key(), raw, Tag::Valid(7)));
        }
    }

    #[test]
    fn only_bounces_without_a_good_tag_are_refused_and_only_when_enforced() {
        let enforcing = batv(Mode::Enforce, &["0123456789abcdef"]);
        let bob = address("bob@x.test");
        let judge = |batv: &Batv, tag, null| {
            let judgement = batv.judge(tag, &bob, null, None, true);
            let reply = judgement.reply.map(|r| (r.code(), r.enhanced()));
            (judgement.findings.first().map(|f| f.id.to_string()), reply)
        };
        let refused = Some((550, "5.7.1".to_owned()));
        for (tag, id) in [(Tag::Missing, "batv.missing"), (Tag::Expired, "batv.expired"), (Tag::Forged, "batv.forged")]
        {
            assert_eq!(judge(&enforcing, tag, true), (Some(id.to_owned()), refused.clone()));
            assert_eq!(judge(&batv(Mode::Observe, &[]), tag, true), (Some(id.to_owned()), None));
            assert_eq!(judge(&enforcing, tag, false).1, None, "only null senders need a tag");
        }
        assert_eq!(judge(&enforcing, Tag::Missing, false), (None, None));
        assert_eq!(judge(&enforcing, Tag::Valid(3), false), (Some("batv.valid".into()), None));
        assert_eq!(judge(&enforcing, Tag::Valid(3), true), (Some("batv.valid".into()), None));
        assert_eq!(enforcing.judge(Tag::Missing, &bob, true, None, false).reply, None, "outside the trial");
        let partner = "203.0.113.9".parse().ok();
        assert_eq!(enforcing.judge(Tag::Missing, &bob, true, partner, true), Judgement::default());
        for desk in ["postmaster@x.test", "Abuse@x.test", "List@x.test"] {
            assert_eq!(enforcing.judge(Tag::Missing, &address(desk), true, None, true), Judgement::default(), "{desk}");
        }
    }

    #[test]
    fn keys_that_are_missing_or_short_are_named() {
        let dir = crate::store::counters::scratch("batv-keys");
        let file = dir.join("short.key");
        std::fs::write(&file, "too short\n").expect("a file");
        let settings = Settings { keys: vec![file, dir.join("none.key")], ..Settings::default() };
        let faults = Batv::load(settings).expect_err("faults");
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("short.key") && faults[0].contains("9 bytes"), "{faults:?}");
    }
}
