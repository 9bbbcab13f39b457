//! Rules over the header, names of senders and subjects apart.

use super::{Rule, Seen, facts::Facts, hosts, rules::rule};
use crate::message::Damage;

pub(super) const RULES: &[Rule] = &[
    rule(
        "header.damaged",
        100,
        "RFC 5322 §2.2, RFC 6532 §3.2",
        "The header holds lines that are no fields, or bytes that are no UTF-8.",
        damaged,
    ),
    rule(
        "header.date-future",
        150,
        "RFC 5322 §3.6.1: the date is when the message was completed",
        "The date lies more than a day ahead.",
        future_date,
    ),
    rule(
        "header.date-malformed",
        100,
        "RFC 5322 §3.3: the form of dates",
        "There is a Date field that no date can be read from.",
        malformed_date,
    ),
    rule("header.date-missing", 40, "RFC 5322 §3.6: Date is required", "There is no Date field.", no_date),
    rule(
        "header.date-old",
        50,
        "RFC 5322 §3.6.1; mail gives up after days",
        "The date lies more than 30 days back.",
        old_date,
    ),
    rule(
        "header.date-zone",
        75,
        "RFC 5322 §3.3; zones reach from -12:00 to +14:00 in quarters of an hour",
        "The date names a time zone that does not exist.",
        impossible_zone,
    ),
    rule(
        "header.empty-field",
        50,
        "RFC 5322 §3.6: these fields name an address",
        "An address field is there, but empty.",
        empty_field,
    ),
    rule(
        "header.lower-case",
        50,
        "our own observation: mail programs write these names with capitals",
        "From, To, Subject or Date is written in small letters.",
        lower_case,
    ),
    rule(
        "header.no-recipient",
        40,
        "RFC 5322 §3.6.3: To and Cc name the recipients",
        "Neither To nor Cc names an address.",
        no_recipient,
    ),
    rule(
        "header.no-unsubscribe",
        50,
        "RFC 2369; bulk sender rules of Gmail and Yahoo (2024)",
        "A bulk mailing offers no way to unsubscribe.",
        no_unsubscribe,
    ),
    rule(
        "header.post-without-link",
        20,
        "RFC 8058 §3.1: List-Unsubscribe-Post belongs to an https link in List-Unsubscribe",
        "The message promises to unsubscribe by one click, but names no web page for it.",
        post_without_link,
    ),
    rule(
        "header.recipients-as-name",
        150,
        "our own observation: a program's default text for the field",
        "The To field names \"Recipients\" or \"undisclosed recipients\" beside an address.",
        recipients_as_name,
    ),
    rule(
        "header.repeated",
        100,
        "RFC 5322 §3.6: these fields may stand once",
        "A field that may stand once stands twice.",
        repeated,
    ),
    rule(
        "header.reply-freemail",
        100,
        "a reply address at another free mail provider",
        "Replies go to a free mail address that is not of the sender's domain.",
        reply_freemail,
    ),
    rule(
        "header.reply-moved",
        150,
        "a reply address at another free mail account",
        "A free mail sender wants replies at another free mail account.",
        reply_moved,
    ),
    rule(
        "header.to-self",
        60,
        "all real recipients are hidden",
        "The message is addressed to its own sender.",
        to_self,
    ),
    rule(
        "header.urgent",
        40,
        "our own observation: honest senders rarely mark mail to strangers",
        "The message is marked as of highest priority.",
        urgent,
    ),
    rule(
        "message-id.from-recipient",
        75,
        "RFC 5322 §3.6.4: the identifier names the host that made it",
        "The Message-ID claims to be made at the recipient's domain, the sender is elsewhere.",
        id_of_recipient,
    ),
    rule(
        "message-id.malformed",
        50,
        "RFC 5322 §3.6.4",
        "The Message-ID is not of the form <left@right>.",
        malformed_id,
    ),
    rule("message-id.missing", 30, "RFC 5322 §3.6.4: every message should have one", "There is no Message-ID.", no_id),
];

const DAY: i64 = 86_400;

fn damaged(facts: &Facts<'_>) -> Option<Seen> {
    let of_header = [Damage::HeaderGarbage, Damage::EightBitHeader];
    of_header.iter().find(|d| facts.message.damage.contains(d)).map(|d| Seen::Fact(d.word().to_owned()))
}

fn no_date(facts: &Facts<'_>) -> Option<Seen> {
    (!facts.has("Date")).then_some(Seen::Absence)
}

fn malformed_date(facts: &Facts<'_>) -> Option<Seen> {
    (facts.has("Date") && facts.message.date.is_none()).then_some(Seen::Absence)
}

fn future_date(facts: &Facts<'_>) -> Option<Seen> {
    let ahead = facts.message.date?.saturating_sub(facts.now);
    (ahead > DAY).then(|| Seen::Fact(format!("{} h ahead", ahead / 3_600)))
}

fn old_date(facts: &Facts<'_>) -> Option<Seen> {
    let behind = facts.now.saturating_sub(facts.message.date?);
    (behind > 30 * DAY).then(|| Seen::Fact(format!("{} days behind", behind / DAY)))
}

fn impossible_zone(facts: &Facts<'_>) -> Option<Seen> {
    let value = facts.message.headers.first("Date")?.value;
    let zone = value.split(|b| b.is_ascii_whitespace()).find(
        |word| matches!(word, [b'+' | b'-', digits @ ..] if digits.len() == 4 && digits.iter().all(u8::is_ascii_digit)),
    )?;
    let text = std::str::from_utf8(zone).ok()?;
    let number: i32 = text.parse().ok()?;
    let possible = (-1_200..=1_400).contains(&number) && matches!(number.abs() % 100, 0 | 15 | 30 | 45);
    (!possible).then(|| Seen::Fact(text.to_owned()))
}

fn no_id(facts: &Facts<'_>) -> Option<Seen> {
    facts.message.message_id().is_none_or(|id| id.is_empty()).then_some(Seen::Absence)
}

fn malformed_id(facts: &Facts<'_>) -> Option<Seen> {
    let id = facts.message.message_id().filter(|id| !id.is_empty())?;
    let proper =
        id.starts_with('<') && id.ends_with('>') && id.split_once('@').is_some_and(|(l, r)| l.len() > 1 && r.len() > 1);
    (!proper).then_some(Seen::Fact(id))
}

/// The right side of a Message-ID.
pub(super) fn id_domain(facts: &Facts<'_>) -> Option<String> {
    let id = facts.message.message_id()?;
    Some(id.trim_end_matches('>').rsplit_once('@')?.1.to_lowercase())
}

fn id_of_recipient(facts: &Facts<'_>) -> Option<Seen> {
    let domain = id_domain(facts)?;
    let site = hosts::registered(&domain);
    let of_recipient = facts.recipients.iter().any(|to| hosts::registered(&to.address.domain) == site);
    let answers = facts.has("In-Reply-To") || facts.has("References");
    let bounce = facts.sender.mailbox().is_none();
    let elsewhere = !bounce && site != facts.from_site && !hosts::is_freemail(site) && !facts.is_list && !answers;
    (of_recipient && elsewhere).then(|| Seen::Fact(domain.clone()))
}

/// Fields that may stand once (RFC 5322 §3.6); From has its own rule.
const ONCE: [&str; 7] = ["Subject", "Date", "Message-ID", "To", "Cc", "Reply-To", "Sender"];

fn repeated(facts: &Facts<'_>) -> Option<Seen> {
    let twice = ONCE.iter().find(|name| facts.message.headers.all(name).nth(1).is_some());
    twice.map(|name| Seen::Fact((*name).to_owned()))
}

fn empty_field(facts: &Facts<'_>) -> Option<Seen> {
    ["Reply-To", "Cc", "Sender"]
        .iter()
        .find(|name| facts.message.headers.first(name).is_some_and(|h| h.value.trim_ascii().is_empty()))
        .map(|name| Seen::Fact((*name).to_owned()))
}

fn lower_case(facts: &Facts<'_>) -> Option<Seen> {
    let header = facts.message.headers.iter().find(|h| matches!(&*h.name, "from" | "to" | "subject" | "date"))?;
    Some(Seen::Fact(header.name.to_string()))
}

fn no_recipient(facts: &Facts<'_>) -> Option<Seen> {
    let message = facts.message;
    let named = message.to.iter().chain(&message.cc).any(|to| to.address.contains('@'));
    (!named && !facts.is_list).then_some(Seen::Absence)
}

fn recipients_as_name(facts: &Facts<'_>) -> Option<Seen> {
    let to = facts.message.to.iter().find(|to| {
        let name = to.name.to_lowercase();
        to.address.contains('@') && (name == "recipients" || name.starts_with("undisclosed"))
    })?;
    Some(Seen::Fact(to.address.clone()))
}

fn to_self(facts: &Facts<'_>) -> Option<Seen> {
    let [from] = facts.message.from.as_slice() else { return None };
    let [to] = facts.message.to.as_slice() else { return None };
    let same = from.address.contains('@') && from.address.eq_ignore_ascii_case(&to.address);
    // Who really writes to himself is among the recipients.
    let own = facts.recipients.iter().any(|to| to.address.key() == from.address.to_lowercase());
    (same && !own && !facts.is_list).then(|| Seen::Fact(from.address.clone()))
}

fn reply_freemail(facts: &Facts<'_>) -> Option<Seen> {
    let reply = facts.message.reply_to.first().filter(|reply| hosts::is_freemail(&reply.domain()))?;
    let company = !facts.from_domain.is_empty() && !hosts::is_freemail(&facts.from_domain);
    (company && reply.domain() != facts.from_domain && !facts.is_list).then(|| Seen::Fact(reply.address.clone()))
}

fn reply_moved(facts: &Facts<'_>) -> Option<Seen> {
    let from = facts.from.filter(|_| hosts::is_freemail(&facts.from_domain))?;
    let [reply] = facts.message.reply_to.as_slice() else { return None };
    let moved = hosts::is_freemail(&reply.domain()) && !from.address.eq_ignore_ascii_case(&reply.address);
    (moved && !facts.is_list).then(|| Seen::Fact(format!("{} instead of {}", reply.address, from.address)))
}

fn no_unsubscribe(facts: &Facts<'_>) -> Option<Seen> {
    let headers = &facts.message.headers;
    let bulk =
        headers.decoded("Precedence").is_some_and(|p| matches!(p.trim().to_lowercase().as_str(), "bulk" | "junk"));
    let automatic = headers.has("Auto-Submitted") || facts.sender.mailbox().is_none();
    let list = headers.has("List-Unsubscribe") || headers.has("List-Id") || headers.has("Mailing-List");
    (bulk && !list && !automatic).then_some(Seen::Absence)
}

fn post_without_link(facts: &Facts<'_>) -> Option<Seen> {
    facts.message.headers.first("List-Unsubscribe-Post")?;
    // Some senders write the field as encoded words, and some use http.
    let link = facts.message.headers.all("List-Unsubscribe").any(|(_, header)| header.decoded().contains("http"));
    (!link).then_some(Seen::Absence)
}

fn urgent(facts: &Facts<'_>) -> Option<Seen> {
    let value = |name| facts.message.headers.first(name).map(|h| h.value.trim_ascii());
    let first = value("X-Priority").is_some_and(|v| v.starts_with(b"1"));
    (first && !facts.is_list).then_some(Seen::Absence)
}
