//! `[networks]` and `[reputation]`.

use super::{
    diagnostic::Faults,
    reader::{Table, points_of},
};
use crate::{
    lookup::OnTrouble,
    reputation::{
        AnswerPattern, Dnsbl, Dnswl, HeloPoints, ReversePoints, Settings,
        content::{ContentList, HashKind, Key, Place},
        parse_network,
    },
    verdict::Points,
};
use ipnet::IpNet;
use std::collections::BTreeSet;
use toml::de::DeValue;

/// Weight of an answer of a list that is configured without points.
const LISTED: Points = Points::hundredths(400);

/// Weight of an answer of an allow list that is configured without points.
const ALLOWED: Points = Points::hundredths(-200);

/// Reads `[networks]` and `[reputation]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let mut settings = Settings::default();
    let file = |text: &str| (!text.is_empty()).then(|| text.into());
    let mut table = root.section("networks", faults);
    settings.internal = networks(&mut table, "internal", faults).unwrap_or(settings.internal);
    settings.relays = networks(&mut table, "relays", faults).unwrap_or_default();
    settings.countries = table.parsed("countries", "a path", file, faults);
    table.finish(faults);
    let mut table = root.section("reputation", faults);
    settings.allow = networks(&mut table, "allow", faults).unwrap_or_default();
    settings.deny = networks(&mut table, "deny", faults).unwrap_or_default();
    settings.allow_files = table.parsed_list("allow_files", "a path", file, faults).unwrap_or_default();
    settings.deny_files = table.parsed_list("deny_files", "a path", file, faults).unwrap_or_default();
    let mut names = BTreeSet::new();
    for list in table.tables("dnsbl", faults) {
        settings.dnsbl.extend(dnsbl(list, &mut names, faults));
    }
    let mut names = BTreeSet::new();
    for list in table.tables("dnswl", faults) {
        settings.dnswl.extend(dnswl(list, &mut names, faults));
    }
    let mut names = BTreeSet::new();
    for list in table.tables("domain_list", faults) {
        settings.content.extend(domain_list(list, &mut names, faults));
    }
    for list in table.tables("address_list", faults) {
        settings.content.extend(address_list(list, &mut names, faults));
    }
    let mut points = table.section("reverse_dns", faults);
    settings.reverse = reverse(&mut points, faults);
    points.finish(faults);
    let mut points = table.section("helo", faults);
    settings.helo = helo(&mut points, faults);
    points.finish(faults);
    let mut learned = table.section("learned", faults);
    settings.learned = super::learned::read(&mut learned, faults);
    learned.finish(faults);
    table.finish(faults);
    settings
}

fn networks(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<Vec<IpNet>> {
    table.parsed_list(key, "an address or a network such as \"192.0.2.0/24\"", parse_network, faults)
}

fn dnsbl(mut table: Table<'_>, names: &mut BTreeSet<String>, faults: &mut Faults<'_>) -> Option<Dnsbl> {
    let named = name_and_zone(&mut table, names, faults);
    let points = points(&mut table, LISTED, faults);
    let refuse = patterns(&mut table, "refuse", faults);
    let errors = patterns(&mut table, "errors", faults);
    let on_trouble = table.choice("on_trouble", &["skip", "defer"], OnTrouble::Skip, faults);
    table.finish(faults);
    named.map(|(name, zone)| Dnsbl { name, zone, points, refuse, errors, on_trouble })
}

fn dnswl(mut table: Table<'_>, names: &mut BTreeSet<String>, faults: &mut Faults<'_>) -> Option<Dnswl> {
    let named = name_and_zone(&mut table, names, faults);
    let points = points(&mut table, ALLOWED, faults);
    let errors = patterns(&mut table, "errors", faults);
    let lifts_refusal = table.boolean("lifts_refusal", true, faults);
    let on_trouble = table.choice("on_trouble", &["skip", "defer"], OnTrouble::Skip, faults);
    table.finish(faults);
    named.map(|(name, zone)| Dnswl { name, zone, points, errors, lifts_refusal, on_trouble })
}

fn domain_list(mut table: Table<'_>, names: &mut BTreeSet<String>, faults: &mut Faults<'_>) -> Option<ContentList> {
    let whole = table.boolean("whole_names", false, faults);
    let addresses = table.boolean("addresses", false, faults);
    let of = ["link", "from", "reply-to", "envelope"];
    content_list(table, Key::Domain { whole, addresses }, &Place::ALL, &of, names, faults)
}

fn address_list(mut table: Table<'_>, names: &mut BTreeSet<String>, faults: &mut Faults<'_>) -> Option<ContentList> {
    let hash = table.choice("hash", &["sha1", "sha256"], HashKind::Sha1, faults);
    // The last two are names of hosts, which are no addresses.
    content_list(table, Key::Address(hash), &Place::ALL[..4], &["link", "from", "reply-to", "envelope"], names, faults)
}

fn content_list(
    mut table: Table<'_>,
    key: Key,
    places: &[(&'static str, Place)],
    default: &[&str],
    names: &mut BTreeSet<String>,
    faults: &mut Faults<'_>,
) -> Option<ContentList> {
    let named = name_and_zone(&mut table, names, faults);
    let words: Vec<&str> = places.iter().map(|(word, _)| *word).collect();
    let place = |text: &str| places.iter().find(|(word, _)| *word == text).map(|(_, place)| *place);
    let expected = format!("one of {}", words.join(", "));
    let of = table.parsed_list("of", &expected, place, faults);
    let of = of.unwrap_or_else(|| default.iter().filter_map(|word| place(word)).collect());
    let except = table.parsed_list("except", "a domain name such as \"example.com\"", zone, faults).unwrap_or_default();
    let points = points(&mut table, LISTED, faults);
    let errors = patterns(&mut table, "errors", faults);
    let on_trouble = table.choice("on_trouble", &["skip", "defer"], OnTrouble::Skip, faults);
    table.finish(faults);
    named.map(|(name, zone)| ContentList { name, zone, key, of, except, points, errors, on_trouble })
}

/// The zone must be given; the name is by default its first label that is no access key.
fn name_and_zone(
    table: &mut Table<'_>,
    names: &mut BTreeSet<String>,
    faults: &mut Faults<'_>,
) -> Option<(String, String)> {
    let span = table.span.clone();
    let zone = table.parsed("zone", "a domain name such as \"zen.spamhaus.org\"", zone, faults);
    let expected = "a short name of a-z, 0-9 and hyphens";
    let name = table.parsed("name", expected, |text| is_name(text).then(|| text.to_owned()), faults);
    let Some(zone) = zone else {
        faults.at(span, format!("{} needs a zone, for instance zone = \"zen.spamhaus.org\"", table.path_of("zone")));
        return None;
    };
    let name = name.or_else(|| zone.split('.').find(|label| is_name(label)).map(str::to_owned))?;
    if !names.insert(name.clone()) {
        let message = format!("two lists are named \"{name}\"; give one of them another name = \"…\"");
        faults.at(span, message);
        return None;
    }
    Some((name, zone))
}

fn zone(text: &str) -> Option<String> {
    let text = text.trim_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (text.len() <= 180 && text.contains('.') && text.split('.').all(label)).then_some(text)
}

fn is_name(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn patterns(table: &mut Table<'_>, key: &'static str, faults: &mut Faults<'_>) -> Vec<AnswerPattern> {
    let parse = |text: &str| text.parse().ok();
    table.parsed_list(key, ANSWER, parse, faults).unwrap_or_default()
}

const ANSWER: &str = "an answer such as \"127.0.0.2\", \"127.0.0.4-127.0.0.7\", \"127.0.*.3\", \"&8\" or \"*\"";

/// `points = 4.0` for every answer, or `points = { "127.0.0.2" = 6.0 }`. Special patterns come before general ones.
fn points(table: &mut Table<'_>, default: Points, faults: &mut Faults<'_>) -> Vec<(AnswerPattern, Points)> {
    let Some((span, value)) = table.take("points") else { return vec![(AnswerPattern::ANY, default)] };
    if let Some(points) = points_of(&value) {
        return vec![(AnswerPattern::ANY, points)];
    }
    if !matches!(value, DeValue::Table(_)) {
        let expected = "a number of points, or a table of points by answer such as { \"127.0.0.2\" = 6.0 }";
        table.wrong_type("points", span, expected, &value, faults);
        return Vec::new();
    }
    let Some(mut by_answer) = table.table_of("points", span, value, faults) else { return Vec::new() };
    let mut found = Vec::new();
    for (key, key_span, value_span, value) in by_answer.take_rest() {
        let pattern = key.parse::<AnswerPattern>();
        if pattern.is_err() {
            faults.at(key_span, format!("\"{key}\" must be {ANSWER}"));
        }
        match (pattern, points_of(&value)) {
            (Ok(pattern), Some(points)) => found.push((pattern, points)),
            (_, None) => by_answer.wrong_type(&key, value_span, "a number of points such as 2.5", &value, faults),
            (Err(()), Some(_)) => {}
        }
    }
    found.sort_by_key(|(pattern, points)| (breadth(pattern), std::cmp::Reverse(*points)));
    found
}

fn breadth(pattern: &AnswerPattern) -> u64 {
    match pattern {
        AnswerPattern::Range(first, last) => u64::from(u32::from(*last)) - u64::from(u32::from(*first)) + 1,
        AnswerPattern::Bits(bits) => 1 << (32 - bits.count_ones()),
        AnswerPattern::Octets(octets) => 256_u64.pow(octets.iter().filter(|octet| octet.is_none()).count() as u32),
    }
}

fn reverse(table: &mut Table<'_>, faults: &mut Faults<'_>) -> ReversePoints {
    let defaults = ReversePoints::default();
    ReversePoints {
        missing: table.points("missing", defaults.missing, faults),
        unconfirmed: table.points("unconfirmed", defaults.unconfirmed, faults),
    }
}

fn helo(table: &mut Table<'_>, faults: &mut Faults<'_>) -> HeloPoints {
    let defaults = HeloPoints::default();
    HeloPoints {
        our_name: table.points("our_name", defaults.our_name, faults),
        malformed: table.points("malformed", defaults.malformed, faults),
        other_address: table.points("other_address", defaults.other_address, faults),
        missing: table.points("missing", defaults.missing, faults),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::read_text, *};

    #[test]
    fn a_good_file_is_read() {
        let text = r#"
[networks]
relays = ["192.0.2.25"]
countries = "/srv/countries.mmdb"
[reputation]
deny = ["198.51.100.0/24"]
deny_files = ["/etc/mailward/deny"]
[[reputation.domain_list]]
zone = "dbl.spamhaus.org"
of = ["link", "from"]
whole_names = true
except = ["w3.org"]
points = { "&8" = 2, "127.0.1.2" = 6 }
[[reputation.address_list]]
zone = "ebl.msbl.org"
[[reputation.dnsbl]]
zone = "abcdefghijklmnopqrstuvwxyz.zen.dq.example"
points = { "*" = 1.0, "127.0.0.2" = 6.0, "127.0.0.2-127.0.0.9" = 3 }
refuse = ["127.0.0.2"]
on_trouble = "defer"
[[reputation.dnswl]]
name = "good"
zone = "list.good.example."
points = -2.0
[reputation.reverse_dns]
missing = 0
"#;
        let (settings, faults) = read_text(text, read);
        assert_eq!(faults, [""; 0]);
        assert_eq!(settings.internal, Settings::default().internal);
        assert_eq!(settings.relays, ["192.0.2.25/32".parse::<IpNet>().expect("a network")]);
        assert_eq!(settings.countries.as_deref(), Some("/srv/countries.mmdb".as_ref()));
        let [domains, addresses] = &settings.content[..] else { panic!("{:?}", settings.content) };
        assert_eq!((domains.name.as_str(), domains.of.len()), ("dbl", 2));
        assert_eq!(domains.key, Key::Domain { whole: true, addresses: false });
        assert_eq!(domains.points[0].0.to_string(), "127.0.1.2");
        assert_eq!((addresses.key, addresses.of.len()), (Key::Address(HashKind::Sha1), 4));
        let list = &settings.dnsbl[0];
        assert_eq!((list.name.as_str(), list.on_trouble), ("zen", OnTrouble::Defer));
        let order: Vec<String> = list.points.iter().map(|(pattern, _)| pattern.to_string()).collect();
        assert_eq!(order, ["127.0.0.2", "127.0.0.2-127.0.0.9", "*"]);
        assert_eq!(settings.dnswl[0].zone, "list.good.example");
        assert_eq!(settings.reverse.missing, Points::ZERO);
        assert_eq!(read_text("", read).0, Settings::default());
    }

    #[test]
    fn every_fault_of_a_bad_file_is_named() {
        let text = "[networks]\ninternal = [\"ten\"]\n[reputation]\nalow = []\n\
                    [[reputation.dnsbl]]\nzone = \"a.test\"\npoints = { x = 1.0, \"127.0.0.2\" = \"y\" }\n\
                    [[reputation.dnsbl]]\nzone = \"a.test\"\nrefuse = [\"no\"]\n[[reputation.dnsbl]]\npoints = true\n\
                    [[reputation.domain_list]]\nzone = \"b.test\"\nof = [\"links\"]\npoints = { \"&0\" = 1 }\n\
                    [[reputation.address_list]]\nzone = \"b.test\"\nof = [\"helo\"]\nhash = \"md5\"\n";
        let (_, faults) = read_text(text, read);
        for expected in [
            "2:13: networks.internal is \"ten\"",
            "did you mean \"allow\"",
            "two lists are named \"a\"",
            "domain_list.of is \"links\", must be one of link, from, reply-to, envelope, helo, client",
            "\"&0\" must be an answer",
            "address_list.of is \"helo\", must be one of link, from, reply-to, envelope",
            "hash is \"md5\"",
            "two lists are named \"b\"",
            "\"x\" must be an answer",
            "refuse is \"no\"",
            "needs a zone",
            "points is of type boolean",
        ] {
            assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected}: {faults:#?}");
        }
    }
}
