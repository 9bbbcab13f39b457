//! Rules over programs that a message claims to come from.

use super::{Rule, Seen, facts::Facts, header::id_domain, hosts, rules::rule};

pub(super) const RULES: &[Rule] = &[
    rule(
        "mailer.apple-contradiction",
        150,
        "our own observation of Apple Mail: its identifiers are UUIDs in capitals",
        "The message claims to come from an Apple program, but its Message-ID is not of the form of Apple's.",
        apple,
    ),
    rule(
        "mailer.forged-exchange",
        100,
        "MS-OXCMAIL: Exchange Online writes these fields together with others",
        "The message carries fields of Exchange, but no server of Microsoft has handled it.",
        exchange,
    ),
    rule(
        "mailer.freemail-elsewhere",
        100,
        "RFC 6376 §3.5; free mail providers sign what they send and name themselves in Received",
        "The sender's address is of a free mail provider that has neither signed nor handled the message.",
        freemail_elsewhere,
    ),
    rule(
        "mailer.mixed-priority",
        50,
        "our own observation: mail programs that write this field name themselves",
        "The message has fields of Outlook Express, but names no program.",
        priority_without_mailer,
    ),
    rule(
        "mailer.outdated",
        75,
        "the maker gave the program up years before the date of the message",
        "The message claims to come from a mail program that has long been given up.",
        outdated,
    ),
    rule(
        "mailer.php-eval",
        300,
        "php.net mail.add_x_header: the script that sent; eval()'d code is what intruders leave",
        "The message was sent by code that was pushed into a web page.",
        php_eval,
    ),
    rule(
        "mailer.php-script",
        50,
        "php.net mail.add_x_header: the script that sent",
        "The message was sent by a PHP script.",
        php_script,
    ),
    rule(
        "mailer.thunderbird-contradiction",
        100,
        "our own observation of Thunderbird: its identifiers are UUIDs or hexadecimal numbers with a dot",
        "The message claims to come from Thunderbird, but its Message-ID is not of that form.",
        thunderbird,
    ),
];

/// What the message says that wrote it, in lower case.
fn program(facts: &Facts<'_>) -> Option<String> {
    let header = facts.message.headers.first("X-Mailer").or_else(|| facts.message.headers.first("User-Agent"))?;
    let value = String::from_utf8_lossy(&header.value[..header.value.len().min(200)]).trim().to_lowercase();
    (!value.is_empty()).then_some(value)
}

/// The left side of the Message-ID.
fn id_left(facts: &Facts<'_>) -> Option<String> {
    let id = facts.message.message_id()?;
    Some(id.trim_start_matches('<').split_once('@')?.0.to_owned())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn apple(facts: &Facts<'_>) -> Option<Seen> {
    let program = program(facts)?;
    let claims = ["apple mail (", "iphone mail (", "ipad mail ("].iter().any(|start| program.starts_with(start));
    let id = id_left(facts)?;
    // Old versions ended with "-" and more digits of their own.
    let own = id.get(..36).is_some_and(is_uuid) && id.bytes().all(|b| !b.is_ascii_lowercase());
    // Servers that find no Message-ID write their own; iCloud and Exchange do.
    let rewritten = id_domain(facts).is_some_and(|d| d.ends_with(".outlook.com") || d.ends_with("icloud.com"));
    (claims && !own && !rewritten && !facts.is_list).then_some(Seen::Fact(program))
}

fn thunderbird(facts: &Facts<'_>) -> Option<Seen> {
    let program = program(facts)?;
    let claims = program.contains("thunderbird/") || program == "mozilla thunderbird";
    let id = id_left(facts)?;
    let numbers = id
        .split_once('.')
        .is_some_and(|(a, b)| [a, b].iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_hexdigit())));
    let rewritten = id_domain(facts).is_some_and(|d| d.ends_with(".outlook.com"));
    (claims && !is_uuid(&id) && !numbers && !rewritten && !facts.is_list).then_some(Seen::Fact(program))
}

/// Programs and the Unix time by which nobody received fixes for them any more.
const GIVEN_UP: [(&str, i64); 6] = [
    ("microsoft outlook express", 1_500_000_000),
    ("microsoft windows live mail", 1_550_000_000),
    ("microsoft outlook, build 10.", 1_500_000_000),
    ("microsoft office outlook 11", 1_500_000_000),
    ("microsoft office outlook, build 11.", 1_500_000_000),
    ("qualcomm windows eudora", 1_500_000_000),
];

fn outdated(facts: &Facts<'_>) -> Option<Seen> {
    let date = facts.message.date?;
    let program = program(facts)?;
    let found = GIVEN_UP.iter().any(|(name, end)| program.starts_with(name) && date > *end);
    (found && !facts.is_list).then_some(Seen::Fact(program))
}

fn priority_without_mailer(facts: &Facts<'_>) -> Option<Seen> {
    let field = ["X-MSMail-Priority", "X-MimeOLE"].into_iter().find(|name| facts.has(name))?;
    let named = facts.has("X-Mailer") || facts.has("User-Agent") || facts.has("X-MS-Exchange-Organization-SCL");
    let exchange = facts
        .message
        .headers
        .first("X-MimeOLE")
        .is_some_and(|h| h.value.windows(8).any(|w| w.eq_ignore_ascii_case(b"exchange")));
    (!named && !exchange && !facts.is_list).then(|| Seen::Fact(field.to_owned()))
}

fn php_eval(facts: &Facts<'_>) -> Option<Seen> {
    let value = facts.message.headers.first("X-PHP-Originating-Script")?.value;
    value.windows(6).any(|w| w == b"eval()").then_some(Seen::Absence)
}

fn php_script(facts: &Facts<'_>) -> Option<Seen> {
    let name = ["X-PHP-Originating-Script", "X-PHP-Script"].into_iter().find(|name| facts.has(name))?;
    (!facts.is_list && php_eval(facts).is_none()).then(|| Seen::Fact(name.to_owned()))
}

/// Whether a Received field or the signature names a host of this registered domain.
fn handled_by(facts: &Facts<'_>, sites: &[&str]) -> bool {
    facts.message.headers.iter().any(|header| {
        let name = &*header.name;
        let trace = name.eq_ignore_ascii_case("Received")
            || name.eq_ignore_ascii_case("DKIM-Signature")
            || name.eq_ignore_ascii_case("X-Google-DKIM-Signature");
        trace && {
            let value = header.value.to_ascii_lowercase();
            sites.iter().any(|site| value.windows(site.len()).any(|w| w == site.as_bytes()))
        }
    })
}

fn exchange(facts: &Facts<'_>) -> Option<Seen> {
    let claims = facts.has("X-MS-Exchange-CrossTenant-Id") || facts.has("X-MS-Exchange-CrossTenant-AuthAs");
    (claims && !handled_by(facts, &["outlook.com", "microsoft", "exchangelabs.com", "office365"]))
        .then_some(Seen::Absence)
}

/// What the large providers call the hosts that handle their users' mail.
const PROVIDERS: [(&str, &[&str]); 8] = [
    ("gmail.com", &["google.com", "gmail.com", "googlemail.com"]),
    ("googlemail.com", &["google.com", "gmail.com", "googlemail.com"]),
    ("yahoo.com", &["yahoo.com", "yahoodns.net", "aol.com"]),
    ("hotmail.com", &["hotmail.com", "outlook.com", "msn.com"]),
    ("outlook.com", &["hotmail.com", "outlook.com"]),
    ("live.com", &["hotmail.com", "outlook.com", "live.com"]),
    ("icloud.com", &["icloud.com", "apple.com", "me.com"]),
    ("aol.com", &["aol.com", "yahoo.com"]),
];

fn freemail_elsewhere(facts: &Facts<'_>) -> Option<Seen> {
    let (_, sites) = PROVIDERS.iter().find(|(domain, _)| *domain == facts.from_domain)?;
    // A client that hands the message in has no history yet.
    let has_history = facts.has("Received");
    (has_history && !facts.is_list && hosts::is_freemail(&facts.from_domain) && !handled_by(facts, sites))
        .then(|| Seen::Fact(facts.from_domain.clone()))
}
