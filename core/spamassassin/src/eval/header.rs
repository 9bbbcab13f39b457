//! Questions about header fields.

use super::{Evaluation, Function};
use crate::message::date;
use std::collections::BTreeSet;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("check_for_fake_aol_relay_in_rcvd", |e, _| {
        let received = received(e);
        let marked = received.match_indices(" rly-").any(|(at, _)| {
            let code = &received.as_bytes()[at + 5..];
            code.len() > 4
                && code[..2].iter().all(u8::is_ascii_alphabetic)
                && code[2..4].iter().all(u8::is_ascii_digit)
                && code[4] == b'.'
        });
        marked
            && !received.contains("/AOL-")
            && !["RELAY", "MAILRELAY", "MAILIN"].iter().any(|id| received.contains(&format!("ESMTP id {id}")))
    }),
    ("check_for_faraway_charset_in_headers", |_, _| false),
    ("check_for_unique_subject_id", |_, _| false),
    ("check_illegal_chars", |e, call| {
        let field = call.text(0).trim_end_matches(":raw");
        let value = e.message.value(&format!("{field}:raw")).unwrap_or_default();
        let control = |b: &u8| matches!(b, 0..=8 | 0x0b | 0x0c | 0x0e..=0x1f);
        if value.trim_ascii().is_empty()
            || (!value.is_ascii() && std::str::from_utf8(&value).is_ok() && !value.iter().any(control))
        {
            return false;
        }
        let mut illegal = value.iter().filter(|b| control(b) || **b >= 0x7f).count();
        if illegal > 0
            && field.eq_ignore_ascii_case("subject")
            && value.iter().filter(|b| matches!(b, 0xa2 | 0xa3 | 0xae)).count() == 1
        {
            illegal -= 1;
        }
        let share = illegal as f64 / value.len() as f64;
        call.number(1).is_some_and(|ratio| share >= ratio)
            && call.number(2).is_some_and(|least| illegal as f64 >= least)
    }),
    ("gated_through_received_hdr_remover", |e, _| has_lost_received(e)),
    ("check_for_forged_hotmail_received_headers", |e, _| hotmail(e) == Some(Hotmail::Forged)),
    ("check_for_no_hotmail_received_headers", |e, _| hotmail(e) == Some(Hotmail::Missing)),
    ("check_for_forged_eudoramail_received_headers", |e, _| {
        is_from(e, "eudoramail.com")
            && !has_lost_received(e)
            && !(received(e).contains("whowhere.com;") && has_address(e, "X-Sender-Ip"))
    }),
    ("check_for_forged_yahoo_received_headers", |e, _| yahoo(e)),
    ("check_for_forged_juno_received_headers", |e, _| juno(e)),
    ("check_for_forged_gmail_received_headers", |e, _| gmail(e)),
    ("check_for_matching_env_and_hdr_from", |e, _| {
        e.message.first("EnvelopeFrom:addr").to_lowercase() == e.message.first("From:addr").to_lowercase()
    }),
    ("sorted_recipients", |e, _| {
        let addresses = recipients(e);
        addresses.len() >= 7 && addresses.is_sorted()
    }),
    ("similar_recipients", |e, call| call.reaches_below(likeness(e), 0)),
    ("check_for_missing_to_header", |e, _| {
        e.message.text("To").is_empty() && e.message.text("Apparently-To").is_empty()
    }),
    ("check_for_shifted_date", |e, call| {
        let hours = *e.date.get_or_init(|| date_shift(e)) as f64 / 3_600.0;
        call.reaches_below(hours, 0)
    }),
    ("subject_is_all_caps", |e, _| is_all_capitals(e)),
    ("check_for_to_in_subject", |e, call| {
        let to = e.message.first("To:addr").to_lowercase();
        let subject = e.message.text("Subject").trim().to_owned();
        let local = to.split('@').next().unwrap_or_default().to_owned();
        match call.text(0) {
            "address" => !to.is_empty() && subject.to_lowercase().contains(&to),
            "user" => !local.is_empty() && begins_with_name(&subject, &e.message.first("To:addr")),
            _ => false,
        }
    }),
    ("check_outlook_message_id", |e, _| outlook_id(e)),
    ("check_messageid_not_usable", |e, _| {
        let list = e.message.text("List-Unsubscribe").to_lowercase();
        let received = received(e);
        (list.contains("<mailto:") && (list.contains("leave-") || list.contains("-unsubscribe")))
            || has_lost_received(e)
            || received.contains("/CWT/DCE)")
            || received.contains("iPlanet Messaging Server")
    }),
    ("check_header_count_range", |e, call| {
        let different: BTreeSet<Vec<u8>> = e.message.fields().all(call.text(0)).map(|field| field.decoded()).collect();
        call.reaches_up_to(different.len() as f64, 1)
    }),
    ("check_unresolved_template", |e, _| {
        let exempt = [
            "x-vms-to:",
            "x-uidl:",
            "x-face:",
            "to:",
            "cc:",
            "from:",
            "subject:",
            "references:",
            "in-reply-to:",
            "message-id:",
            "x-message-id:",
            "resent-message-id:",
            "x-original-message-id:",
        ];
        e.message.text("ALL").lines().any(|line| {
            let lower = line.to_lowercase();
            let bytes = line.as_bytes();
            let has_mark = |at: usize| {
                bytes[at..].get(1..3).is_some_and(|two| {
                    two[0].is_ascii_uppercase() && (two[1].is_ascii_uppercase() || matches!(two[1], b'_' | b'-'))
                })
            };
            !exempt.iter().any(|name| lower.starts_with(name)) && memchr::memchr_iter(b'%', bytes).any(has_mark)
        })
    }),
    ("check_ratware_name_id", |e, _| {
        let id = e.message.text("MESSAGEID");
        let Some((mark, address)) =
            id.split_once('<').and_then(|(_, id)| id.split_once('>')).and_then(|(id, _)| id.split_once('.'))
        else {
            return false;
        };
        mark.len() == 28
            && mark.bytes().all(|b| b.is_ascii_uppercase())
            && e.message.text("From").contains(&format!("<{address}>"))
    }),
    ("check_ratware_envelope_from", |e, _| {
        let (to, from) = (e.message.first("To:addr"), e.message.first("EnvelopeFrom:addr").to_lowercase());
        let Some((user, host)) = to.split_once('@') else { return false };
        let domain = e.message.settings.domain_of(host);
        let srs = from.starts_with("srs0") || from.starts_with("srs1");
        e.message.settings.is_domain(&domain) && !srs && {
            let user = format!("{}@", user.to_lowercase());
            from.match_indices(&domain).any(|(at, _)| {
                let behind = &from[at + domain.len()..];
                let begins = !from[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
                begins && behind.get(1..).is_some_and(|rest| rest.starts_with(&user))
            })
        }
    }),
    ("check_equal_from_domains", |e, _| {
        let domain = |address: String| -> String {
            let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain).to_lowercase();
            domain.rsplitn(3, '.').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(".")
        };
        let (author, sender) = (domain(e.message.first("From:addr")), domain(e.message.first("EnvelopeFrom:addr")));
        !author.is_empty() && !sender.is_empty() && author != sender
    }),
];

fn received(evaluation: &Evaluation<'_>) -> String {
    evaluation.message.text("Received").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_from(evaluation: &Evaluation<'_>, domain: &str) -> bool {
    let from = evaluation.message.first("From:addr").to_lowercase();
    from.strip_suffix(domain).is_some_and(|before| !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

fn has_address(evaluation: &Evaluation<'_>, field: &str) -> bool {
    !evaluation.message.values(&format!("{field}:ip")).is_empty()
}

/// Whether the message came by a list that takes Received fields away, or has none.
fn has_lost_received(evaluation: &Evaluation<'_>) -> bool {
    let message = evaluation.message;
    let received = message.text("Received");
    let by_ezmlm = message
        .text("Mailing-List")
        .lines()
        .any(|line| line.starts_with("contact ") && line.ends_with("; run by ezmlm"));
    let delivered =
        message.text("Delivered-To").lines().any(|line| line.starts_with("mailing list ") && line.contains('@'));
    (by_ezmlm && delivered && received.contains("qmail ") && received.contains(" invoked "))
        || message.fields().all("received").next().is_none()
        || (received.contains("from groups.msn.com (") && received.contains(".msn.com "))
}

#[derive(PartialEq, Eq)]
enum Hotmail {
    Forged,
    Missing,
}

fn hotmail(evaluation: &Evaluation<'_>) -> Option<Hotmail> {
    let received = received(evaluation);
    let message = evaluation.message;
    if received.contains("from mail pickup service by hotmail.com with Microsoft SMTPSVC;")
        || has_lost_received(evaluation)
    {
        return None;
    }
    if message.text("To").to_lowercase().contains("@groups.msn.com>") && received.contains("groups.msn.com") {
        return None;
    }
    let ip = has_address(evaluation, "X-Originating-Ip");
    let organisation = message.text("X-OriginatorOrg");
    let organisation = organisation.contains("hotmail.com") || organisation.contains("msonline-outlook");
    let handed_over = (ip
        && (received.contains("hotmail.com (")
            && (received.contains(".hotmail.com ")
                || received.contains(".hotmail.com)")
                || received.contains(".hotmail.msn.com"))))
        || (ip && (received.contains("hotmail.com ([") || received.contains(".hotmail.com with HTTP;")))
        || (organisation
            && (received.contains(".outbound.protection.outlook.com (") || received.contains(".prod.outlook.com (")));
    if handed_over {
        return None;
    }
    let names_it = ["from ", "HELO ", "helo="].iter().any(|word| {
        received.match_indices(word).any(|(at, _)| {
            let name = received[at + word.len()..].split(' ').next().unwrap_or_default();
            name.match_indices("hotmail.com")
                .any(|(at, _)| !name[at + 11..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
        })
    });
    if names_it {
        return Some(Hotmail::Forged);
    }
    is_from(evaluation, "hotmail.com").then_some(Hotmail::Missing)
}

fn yahoo(evaluation: &Evaluation<'_>) -> bool {
    let message = evaluation.message;
    if !is_from(evaluation, "yahoo.com") || has_lost_received(evaluation) {
        return false;
    }
    let relays = &message.relays;
    let is_yahoo = |relay: &crate::message::received::Relay| relay.rdns.ends_with(".yahoo.com");
    if relays.trusted.iter().any(is_yahoo) || relays.untrusted.first().is_some_and(is_yahoo) {
        return false;
    }
    let mut received = received(evaluation);
    if !message.text("Resent-From").is_empty()
        && !message.text("Resent-To").is_empty()
        && !message.text("X-Received").is_empty()
    {
        received = message.text("X-Received").split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let by_yahoo = |host: &str, way: &str| {
        received.match_indices("by ").any(|(at, _)| {
            let rest = &received[at + 3..];
            let name = rest.split(' ').next().unwrap_or_default();
            name.starts_with(host) && name.ends_with(".yahoo.com") && rest[name.len()..].starts_with(way)
        })
    };
    !(by_yahoo("web", " via HTTP")
        || by_yahoo("sonic", " with HTTP")
        || by_yahoo("smtp", " with SMTP")
        || by_yahoo("", " with NNFMP")
        || by_yahoo("", " (8."))
}

fn juno(evaluation: &Evaluation<'_>) -> bool {
    let message = evaluation.message;
    if !is_from(evaluation, "juno.com") || has_lost_received(evaluation) {
        return false;
    }
    let (received, mailer) = (message.text("Received"), message.text("X-Mailer"));
    let by_juno = received.contains("juno.com") || received.contains("untd.com");
    if message.text("X-Originating-IP").is_empty() {
        return !(received.contains("mail.com") && mailer.contains("mail.com")
            || received.contains("webmail") && by_juno);
    }
    !by_juno || !mailer.contains("Juno ")
}

fn gmail(evaluation: &Evaluation<'_>) -> bool {
    let message = evaluation.message;
    if !is_from(evaluation, "gmail.com") {
        return false;
    }
    let (passed, received) = (message.text("X-Received"), message.text("Received"));
    let by_google = passed.match_indices("by ").any(|(at, _)| {
        let rest = &passed[at + 3..];
        (rest.starts_with("10.") || rest.starts_with("2002:a")) && rest.contains(" with SMTP id ")
    });
    let long = |field: &str| message.text(field).len() >= 60;
    !(by_google
        || received.contains("by smtp.googlemail.com with ESMTPSA id ")
        || (long("X-Gm-Message-State") && long("X-Google-Smtp-Source")))
}

/// Recipients in their order, without repetitions that follow each other.
fn recipients(evaluation: &Evaluation<'_>) -> Vec<String> {
    let mut inputs = evaluation.message.values("ToCc:addr");
    if inputs.len() < 5 {
        inputs.extend(evaluation.message.values("Bcc:addr"));
    }
    let mut addresses: Vec<String> = inputs.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    addresses.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    addresses.truncate(256);
    addresses
}

/// How alike recipients are: pairs with the same beginnings among all pairs.
fn likeness(evaluation: &Evaluation<'_>) -> f64 {
    let addresses = recipients(evaluation);
    if addresses.len() < 5 {
        return 0.0;
    }
    let begin = |text: &str| text.chars().take(2).collect::<String>();
    let keys: Vec<(String, String, &str)> = addresses
        .iter()
        .map(|address| {
            let host = address.split_once('@').map_or("", |(_, host)| host);
            (begin(address), begin(host), host)
        })
        .collect();
    let (mut hits, mut pairs) = (0.0, 0.0);
    for (at, (user, host, full)) in keys.iter().enumerate() {
        for (other_user, other_host, other_full) in &keys[at + 1..] {
            hits +=
                f64::from(u8::from(user == other_user)) + f64::from(u8::from(host == other_host && full != other_full));
            pairs += 1.0;
        }
    }
    hits / pairs
}

/// How far Date is from the nearest Received. Unit: seconds; 0 if it cannot be told.
fn date_shift(evaluation: &Evaluation<'_>) -> i64 {
    let message = evaluation.message;
    let in_field =
        |name: &str| message.values(name).iter().find_map(|value| date::seconds(&String::from_utf8_lossy(value)));
    let Some(written) = in_field("Resent-Date").or_else(|| in_field("Date")) else { return 0 };
    let times = message.fields().all("received").filter_map(|field| {
        let value = field.decoded();
        let text = String::from_utf8_lossy(&value);
        date::seconds(text.rsplit_once(';').map_or(&*text, |(_, date)| date))
    });
    let mut shifts: Vec<i64> = times.map(|time| written - time).collect();
    // The sender's own host wrote both at once.
    if shifts.len() > 1 && shifts.last() == Some(&0) {
        shifts.pop();
    }
    shifts.into_iter().min_by_key(|shift| shift.abs()).unwrap_or(0)
}

fn is_all_capitals(evaluation: &Evaluation<'_>) -> bool {
    let subject = evaluation.message.text("Subject");
    let mut subject = subject.trim();
    while let Some((prefix, rest)) = subject.split_once(':')
        && ["re", "fwd", "fw", "aw", "antwort", "wg", "sv", "vb", "vs", "vl"].contains(&prefix.to_lowercase().as_str())
    {
        subject = rest.trim_start();
    }
    let letters: Vec<u8> = subject.bytes().filter(u8::is_ascii_alphabetic).collect();
    let raw = evaluation.message.text("Subject:raw").to_lowercase();
    let capitals_by_charset = ["koi8", "windows-1251", "iso-2022", "gb2312", "big5", "euc-kr"]
        .iter()
        .any(|name| raw.contains(&format!("=?{name}")));
    subject.contains(char::is_whitespace)
        && subject.len() >= 10
        && !capitals_by_charset
        && !letters.is_empty()
        && letters.iter().all(u8::is_ascii_uppercase)
}

/// Whether a subject opens or ends with the name before the `@`.
fn begins_with_name(subject: &str, to: &str) -> bool {
    let user = to.split('@').next().unwrap_or_default();
    let (lower, name) = (subject.to_lowercase(), user.to_lowercase());
    let mark = |c: char| matches!(c, ',' | ':' | ';' | '!' | '?' | '-');
    let opens = subject.strip_prefix(user).is_some_and(|rest| {
        let rest = rest.trim_start();
        rest.starts_with(mark) && rest[1..].chars().next().is_none_or(char::is_whitespace)
    });
    let answered = ["re:", "fw:"].iter().any(|prefix| {
        lower.strip_prefix(prefix).is_some_and(|rest| {
            let rest = rest.trim_start();
            rest == name || rest.split_once(char::is_whitespace).is_some_and(|(_, rest)| rest.trim_start() == name)
        })
    });
    opens || answered || lower == name
}

/// Whether the clock in a Message-ID of Outlook's form is far from the dates of the message.
fn outlook_id(evaluation: &Evaluation<'_>) -> bool {
    let message = evaluation.message;
    let id = message.text("MESSAGEID");
    let id = id.trim_start_matches('<');
    let hex = |text: Option<&str>, length: usize| {
        text.filter(|text| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())).map(str::to_owned)
    };
    let mut parts = id.split(['$', '@']);
    let (Some(first), Some(_), Some(_)) = (hex(parts.next(), 12), hex(parts.next(), 8), hex(parts.next(), 8)) else {
        return false;
    };
    let Ok(clock) = i64::from_str_radix(&first[4..], 16) else { return false };
    // Outlook counts 429.5 seconds from 1601. Source: SpamAssassin.
    let far =
        |seconds: i64| (clock - (seconds as f64 * 0.002_328_306_436_538_7 + 27_111_902.832_984_9) as i64).abs() >= 250;
    let date = date::seconds(&message.text("Date")).unwrap_or(0);
    let received = message.text("Received").lines().find_map(date_in).unwrap_or(0);
    far(date) && far(received)
}

fn date_in(line: &str) -> Option<i64> {
    date::seconds(line.rsplit_once(';').map_or(line, |(_, date)| date))
}
