//! `mailward quarantine list`, and how a message is shown.

use super::{exit, fail, trouble};
use mailward_core::{
    config::reader::parse_duration,
    explain::{Explanation, clean},
    store::{
        Quarantine,
        quarantine::{Filter, KeptMessage, State, Summary},
    },
};
use serde_json::{Value, json};
use std::{fmt::Write, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// For this recipient; `*` stands for any characters.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// From this envelope sender; `*` stands for any characters.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// That came within this time, such as 2d or 12h, or since this day or moment (2026-08-01, 2026-08-01T12:00:00Z).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// With this finding, such as malware.* or spf.fail.
    #[arg(long, value_name = "ID")]
    finding: Option<String>,
    /// Of which a copy is in this state.
    #[arg(long, value_name = "STATE")]
    state: Option<Word>,
    /// Most messages that are listed; 0 for all.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 100)]
    last: u32,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Word {
    Held,
    Releasing,
    Released,
    Deleted,
    Expired,
}

pub(super) async fn run(arguments: &Arguments, quarantine: &Quarantine) -> Result<u8, ExitCode> {
    let since = arguments.since.as_deref().map(moment).transpose()?;
    let state = arguments.state.map(|word| match word {
        Word::Held => State::Held,
        Word::Releasing => State::Releasing,
        Word::Released => State::Released,
        Word::Deleted => State::Deleted,
        Word::Expired => State::Expired,
    });
    let filter = Filter {
        reference: None,
        to: arguments.to.clone(),
        from: arguments.from.clone(),
        since,
        finding: arguments.finding.clone(),
        state,
        limit: arguments.last,
    };
    for message in quarantine.list(filter).await.map_err(trouble)? {
        // Who may not read the keys sees the envelopes.
        let summary = quarantine.summary(&message).ok();
        match arguments.json {
            true => println!("{}", object(&message, summary.as_ref(), false)),
            false => println!("{}", line(&message, summary.as_ref())),
        }
    }
    Ok(exit::OK)
}

/// Unix seconds.
fn moment(text: &str) -> Result<i64, ExitCode> {
    if let Some(before) = parse_duration(text) {
        return Ok(crate::daemon::now() - before.as_secs() as i64);
    }
    let midnight = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let found = text.parse::<jiff::Timestamp>().ok().or_else(|| midnight().map(|zoned| zoned.timestamp()));
    found.map(|at| at.as_second()).ok_or_else(|| {
        fail(exit::USAGE, format!("--since {text}: write a time such as 2d or 12h, or a day such as 2026-08-01"))
    })
}

fn line(message: &KeptMessage, summary: Option<&Summary>) -> String {
    let copies: Vec<String> =
        message.recipients.iter().map(|copy| format!("<{}>={}", copy.address, copy.state.word())).collect();
    let subject = summary.map_or("(sealed)".to_owned(), |summary| format!("\"{}\"", summary.subject));
    clean(&format!(
        "{} {} {:>7} <{}> {} {subject}",
        timestamp(message.time),
        message.reference,
        message.points,
        message.sender,
        copies.join(",")
    ))
}

/// The message as JSON. `whole`: with its explanation.
pub(super) fn object(message: &KeptMessage, summary: Option<&Summary>, whole: bool) -> Value {
    let mut object = json!({
        "schema": 1,
        "id": message.reference,
        "time": message.time,
        "sender": message.sender,
        "client": message.client_ip,
        "queue_id": message.queue_id,
        "points": message.points,
        "findings": message.findings,
        "size": message.size,
        "key": message.key,
        "recipients": message.recipients,
    });
    if let Some(summary) = summary {
        object["subject"] = summary.subject.clone().into();
        object["from"] = summary.from.clone().into();
        if whole {
            object["explanation"] = serde_json::from_str(&summary.explanation).unwrap_or_default();
        }
    }
    object
}

/// The message for people.
pub(super) fn text(message: &KeptMessage, summary: &Summary) -> String {
    let mut out = String::new();
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(out, "{label:<9}{}", clean(value));
    };
    line("id", &message.reference);
    line("came", &format!("{}, queue id {}, {} bytes", timestamp(message.time), message.queue_id, message.size));
    line("subject", &summary.subject);
    line("author", &summary.from.join(", "));
    for copy in &message.recipients {
        let state = match copy.state {
            State::Held => format!("held until {}", timestamp(copy.expires)),
            other => format!("{} at {}", other.word(), timestamp(copy.changed)),
        };
        line("copy", &format!("<{}>: {state}, because: {}", copy.address, copy.because));
    }
    line("sealed", &format!("to key {}", message.key));
    out.push('\n');
    match serde_json::from_str::<Explanation>(&summary.explanation) {
        Ok(explanation) => out.push_str(&explanation.to_string()),
        Err(_) => out.push_str(&clean(&summary.explanation)),
    }
    out
}

fn timestamp(time: i64) -> String {
    jiff::Timestamp::from_second(time).map(|t| t.to_string()).unwrap_or_else(|_| time.to_string())
}
