//! Rules over the sender that is shown.

use super::{Rule, Seen, facts::Facts, hosts, rules::rule};

pub(super) const RULES: &[Rule] = &[
    rule(
        "from.address-in-name",
        200,
        "RFC 5322 §3.4: the display name is for a name",
        "The sender's display name shows an address of another domain.",
        address_in_name,
    ),
    rule(
        "from.cheap-suffix",
        80,
        "our own observation: names under these top-level domains are bought by the thousand",
        "The sender's domain is under a top-level domain whose names cost next to nothing.",
        cheap_suffix,
    ),
    rule(
        "from.digits",
        50,
        "our own observation: accounts made by programs are numbered",
        "The sender has a free mail address with five digits or more.",
        digits,
    ),
    rule(
        "from.encoded-ascii",
        10,
        "RFC 2047 §1: encoded words are for text that is not ASCII",
        "The sender's name is ASCII, but encoded in base64.",
        encoded_ascii,
    ),
    rule(
        "from.invisible",
        200,
        "Unicode Technical Report 36 §3: characters that are not seen have no use in a name",
        "The sender's name holds invisible characters.",
        invisible,
    ),
    rule(
        "from.missing",
        150,
        "RFC 5322 §3.6.2: exactly one From with an address",
        "There is no From field with an address.",
        missing,
    ),
    rule(
        "from.mixed-alphabets",
        250,
        "Unicode Technical Standard 39 §5.1: mixed scripts",
        "The sender's name mixes alphabets that look alike.",
        mixed_alphabets,
    ),
    rule(
        "from.name-is-link",
        100,
        "RFC 5322 §3.4: the display name is for a name",
        "The sender's display name is a web address of another domain.",
        name_is_link,
    ),
    rule(
        "from.names-recipient-site",
        150,
        "our own observation: the administrator of a site writes from that site",
        "The sender's name shows the recipient's domain, but the address is elsewhere.",
        names_recipient_site,
    ),
    rule(
        "from.several",
        250,
        "RFC 5322 §3.6: From may stand once",
        "There are several From fields, of which programs show different ones.",
        several,
    ),
    rule(
        "from.styled-letters",
        150,
        "our own observation: letters for mathematics imitate bold type and escape filters",
        "The sender's name is written with letters for mathematics.",
        styled_letters,
    ),
    rule(
        "from.unknown-suffix",
        100,
        "RFC 5321 §2.3.5: only domains that exist are used; publicsuffix.org lists the top-level domains",
        "The sender's domain is under a top-level domain that does not exist.",
        unknown_suffix,
    ),
];

fn address_in_name(facts: &Facts<'_>) -> Option<Seen> {
    facts.message.from.iter().filter(|from| from.name.contains('@')).find_map(|from| {
        let shown = from.name.split([' ', '<', '>', '(', ')', '"', '\'', ',', ';']).find(|word| is_address(word))?;
        let domain = shown.rsplit_once('@')?.1.to_lowercase();
        let differs = hosts::registered(&domain) != hosts::registered(&from.domain());
        differs.then(|| Seen::Fact(format!("{shown} for {}", from.address)))
    })
}

fn is_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && psl::domain_str(domain).is_some() && !domain.contains('@')
    })
}

fn several(facts: &Facts<'_>) -> Option<Seen> {
    let fields = facts.message.headers.all("From").count();
    (fields > 1).then(|| Seen::Fact(format!("{fields} From fields")))
}

fn missing(facts: &Facts<'_>) -> Option<Seen> {
    let usable = facts.message.from.iter().any(|from| from.address.contains('@'));
    (!usable).then_some(Seen::Absence)
}

fn cheap_suffix(facts: &Facts<'_>) -> Option<Seen> {
    hosts::has_cheap_suffix(&facts.from_domain).then(|| Seen::Fact(facts.from_domain.clone()))
}

/// Fewest digits that count. Source: our own limit; years and birthdays have four.
const DIGITS: usize = 5;

fn digits(facts: &Facts<'_>) -> Option<Seen> {
    let from = facts.from.filter(|_| hosts::is_freemail(&facts.from_domain))?;
    let (local, _) = from.address.rsplit_once('@')?;
    let count = local.bytes().filter(u8::is_ascii_digit).count();
    // At some providers every address is a number.
    let numbered = local.bytes().all(|b| b.is_ascii_digit());
    (count >= DIGITS && !numbered).then(|| Seen::Fact(from.address.clone()))
}

fn encoded_ascii(facts: &Facts<'_>) -> Option<Seen> {
    let raw = facts.message.headers.first("From")?.value;
    let encoded = raw.windows(3).any(|w| w.eq_ignore_ascii_case(b"?b?"));
    let name = &facts.from?.name;
    (encoded && !name.is_empty() && name.is_ascii()).then(|| Seen::Text(name.clone()))
}

fn invisible(facts: &Facts<'_>) -> Option<Seen> {
    (facts.name.invisible > 0).then(|| Seen::Fact(format!("{} characters", facts.name.invisible)))
}

fn mixed_alphabets(facts: &Facts<'_>) -> Option<Seen> {
    (facts.name.mixed_words > 0).then(|| Seen::Text(facts.name.normal.clone()))
}

fn styled_letters(facts: &Facts<'_>) -> Option<Seen> {
    (facts.name.styled > 1).then(|| Seen::Text(facts.name.normal.clone()))
}

fn name_is_link(facts: &Facts<'_>) -> Option<Seen> {
    let name = &facts.name.normal;
    let at = name.find("www.").or_else(|| name.find("http://")).or_else(|| name.find("https://"))?;
    let link = &name[at..];
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    let host = rest.split(['/', ' ', ')', '"', '>']).next()?;
    let differs = psl::domain_str(host)? != facts.from_site;
    differs.then(|| Seen::Fact(host.to_owned()))
}

fn names_recipient_site(facts: &Facts<'_>) -> Option<Seen> {
    let name = &facts.name.normal;
    let to = facts.recipients.iter().map(|to| hosts::registered(&to.address.domain)).find(|site| {
        let named = site.contains('.') && !hosts::is_freemail(site) && *site != facts.from_site;
        named && name.match_indices(*site).any(|(at, _)| stands_alone(name, at, site.len()))
    })?;
    (!facts.is_list).then(|| Seen::Fact(to.to_owned()))
}

/// Whether no letter, digit or dot stands before and no letter or digit after.
fn stands_alone(text: &str, at: usize, length: usize) -> bool {
    let before = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '-');
    let after = text[at + length..].chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '-');
    before && after
}

fn unknown_suffix(facts: &Facts<'_>) -> Option<Seen> {
    let domain = facts.from_domain.as_str();
    let literal = domain.starts_with('[');
    let known = psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.is_known());
    // RFC 2606 and RFC 6762 names are for tests and local networks.
    let local = ["local", "localdomain", "localhost", "lan", "internal", "test", "example", "invalid", "home", "corp"]
        .contains(&domain.rsplit('.').next().unwrap_or_default());
    (!domain.is_empty() && domain.contains('.') && !literal && !known && !local).then(|| Seen::Fact(domain.to_owned()))
}
