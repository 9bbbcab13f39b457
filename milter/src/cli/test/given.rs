//! The session of a case and the answers of its script.

use super::case::Given;
use mailward_core::{
    config::{
        diagnostic::{Faults, did_you_mean},
        reader::{Table, points_of},
    },
    lookup::{
        Listed, Outcome,
        clamd::ClamdAnswer,
        dns::{Trouble, Zone},
    },
    session::{Address, Login, ReversePath, Tls},
    verdict::{Finding, Host},
};
use std::{collections::BTreeMap, fs, net::IpAddr, path::Path};
use toml::{Spanned, de::DeValue};

/// Source of findings that a case makes up.
const SOURCE: &str = "the case";
/// Largest `size`. Unit: bytes. Source: our own limit, far beyond what mail servers take.
const MOST_BYTES: usize = 256 << 20;
/// The words for trouble of a scripted service.
const TROUBLE: [(&str, Trouble); 2] = [("timeout", Trouble::Timeout), ("unavailable", Trouble::ServFail)];

/// Reads the keys of a session; `base` holds for those that are not there. Paths are relative to `folder`.
pub(super) fn read(table: &mut Table<'_>, base: &Given, folder: &Path, faults: &mut Faults<'_>) -> Given {
    let mut given = base.clone();
    if let Some(recording) = table.string("recording", faults) {
        given.recording = Some(folder.join(recording.into_inner()));
    }
    if let Some((span, value)) = table.take("time") {
        match time(&value) {
            Some(time) => given.time = time,
            None => faults.at(span, "time must be like 2026-01-05T12:00:00Z, or Unix seconds"),
        }
    }
    if let Some(client) = table.string("client", faults) {
        match client.get_ref().as_str() {
            "" => given.client = None,
            text => match text.parse::<IpAddr>() {
                Ok(ip) => given.client = Some(ip),
                Err(_) => faults.at(client.span(), format!("client is \"{text}\", must be an address of the client")),
            },
        }
    }
    let text = |key: &'static str, old: &mut Option<String>, table: &mut Table<'_>, faults: &mut Faults<'_>| {
        if let Some(value) = table.string(key, faults) {
            *old = Some(value.into_inner()).filter(|text| !text.is_empty());
        }
    };
    text("client_name", &mut given.client_name, table, faults);
    text("mta_name", &mut given.mta_name, table, faults);
    text("helo", &mut given.helo, table, faults);
    if table.has("local") {
        given.local = table.boolean("local", given.local, faults);
    }
    if table.has("refuse_at") {
        given.refuse_at = table.choice("refuse_at", &["connect", "mail", "rcpt"], given.refuse_at, faults);
    }
    if let Some(host) = table.table("host", faults) {
        given.host = read_host(host, given.host, faults);
    }
    if let Some(version) = table.string("tls", faults) {
        let version = version.into_inner();
        given.tls = (!version.is_empty()).then(|| Tls { version, cipher: String::new() });
    }
    if let Some(user) = table.string("user", faults) {
        let name = user.into_inner();
        given.login = (!name.is_empty()).then(|| Login { name, mechanism: "PLAIN".to_owned() });
    }
    envelope(table, &mut given, faults);
    if let Some(message) = table.string("message", faults) {
        given.message = inline_or_file(&message, folder, faults);
    }
    if let Some(place) = table.place("size") {
        given.size = table.size("size", 0, faults);
        if given.size > MOST_BYTES {
            faults.at(place, "size is more than 256 MiB, must be a size that a message may have");
            given.size = 0;
        }
    }
    script(table, &mut given, folder, faults);
    given
}

fn envelope(table: &mut Table<'_>, given: &mut Given, faults: &mut Faults<'_>) {
    if let Some(from) = table.string("from", faults) {
        if let Err(why) = ReversePath::parse(from.get_ref().as_bytes()) {
            faults.at(from.span(), format!("from: {why}; the null sender is \"<>\""));
        }
        given.from = from.into_inner();
    }
    if let Some(to) = table.strings("to", faults) {
        for recipient in &to {
            if let Err(why) = Address::parse(recipient.get_ref().as_bytes()) {
                faults.at(recipient.span(), format!("to: {why}"));
            }
        }
        if to.is_empty() {
            faults.at(table.span.clone(), "to is an empty list; a session without recipients decides nothing");
        }
        given.to = to.into_iter().map(Spanned::into_inner).collect();
    }
}

fn script(table: &mut Table<'_>, given: &mut Given, folder: &Path, faults: &mut Faults<'_>) {
    if let Some(lines) = table.strings("dns", faults) {
        let at = lines.first().map_or(0..0, Spanned::span);
        let text = match &lines[..] {
            [one] if !one.get_ref().contains(char::is_whitespace) => {
                inline_or_file(one, folder, faults).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            }
            lines => Some(lines.iter().map(|line| line.get_ref().as_str()).collect::<Vec<_>>().join("\n")),
        };
        match Zone::parse(&text.unwrap_or_default()) {
            Ok(zone) => given.zone = zone,
            Err(why) => why.iter().for_each(|why| faults.at(at.clone(), format!("dns: {why}"))),
        }
    }
    if let Some(mut directory) = table.table("directory", faults) {
        given.directory = Some(read_directory(&mut directory, faults));
    }
    if let Some((span, value)) = table.take("clamd") {
        match clamd(&value) {
            Some(answer) => given.clamd = Some(answer),
            None => {
                faults.at(span, "clamd must be \"clean\", \"timeout\", \"unavailable\" or { found = \"signature\" }")
            }
        }
    }
    if let Some(mut files) = table.table("files", faults) {
        given.files.clear();
        for (name, _, span, value) in files.take_rest() {
            let Some(file) = files.string_of(&name, span.clone(), value, faults) else { continue };
            match folder.join(file.get_ref()).canonicalize() {
                Ok(path) => drop(given.files.insert(name, path)),
                Err(error) => faults.at(span, format!("files: cannot read {}: {error}", file.get_ref())),
            }
        }
    }
    if let Some(mut findings) = table.table("findings", faults) {
        given.findings.clear();
        for (id, _, span, value) in findings.take_rest() {
            match points_of(&value) {
                Some(points) => given.findings.push(Finding::new(id, points, SOURCE)),
                None => faults.at(span, format!("findings.{id} must be points, as in {{ \"{id}\" = 4.5 }}")),
            }
        }
    }
}

fn read_host(mut table: Table<'_>, host: Host, faults: &mut Faults<'_>) -> Host {
    let host = Host {
        hold: table.boolean("hold", host.hold, faults),
        edit_header: table.boolean("edit_header", host.edit_header, faults),
        replace_body: table.boolean("replace_body", host.replace_body, faults),
        change_sender: table.boolean("change_sender", host.change_sender, faults),
        add_recipient: table.boolean("add_recipient", host.add_recipient, faults),
        remove_recipient: table.boolean("remove_recipient", host.remove_recipient, faults),
        reply_by_recipient: table.boolean("reply_by_recipient", host.reply_by_recipient, faults),
    };
    table.finish(faults);
    host
}

/// Addresses with their groups, or with the trouble that asking for them gives.
fn read_directory(table: &mut Table<'_>, faults: &mut Faults<'_>) -> BTreeMap<String, Listed> {
    let mut listed = BTreeMap::new();
    for (address, place, span, value) in table.take_rest() {
        let key = match Address::parse(address.as_bytes()) {
            Ok(address) => address.key(),
            Err(why) => {
                faults.at(place, format!("directory: \"{address}\": {why}"));
                continue;
            }
        };
        let expected = "a list of groups, \"timeout\" or \"unavailable\"";
        let entry = match value {
            DeValue::Array(groups) => {
                let name = |group: Spanned<DeValue<'_>>| group.get_ref().as_str().map(str::to_lowercase);
                groups.into_iter().map(name).collect::<Option<Vec<_>>>().map(Listed::Known)
            }
            DeValue::String(word) => trouble(&word).map(Listed::Trouble),
            _ => None,
        };
        match entry {
            Some(entry) => drop(listed.insert(key, entry)),
            None => faults.at(span, format!("directory: \"{address}\" must be {expected}")),
        }
    }
    listed
}

fn trouble(word: &str) -> Option<Trouble> {
    TROUBLE.iter().find(|(known, _)| *known == word).map(|(_, trouble)| *trouble)
}

fn clamd(value: &DeValue<'_>) -> Option<Outcome<ClamdAnswer>> {
    match value {
        DeValue::String(word) => match (word.as_ref(), trouble(word)) {
            ("clean", _) => Some(Outcome::Done(ClamdAnswer::Clean)),
            (_, Some(Trouble::Timeout)) => Some(Outcome::TimedOut),
            (_, Some(Trouble::ServFail)) => Some(Outcome::Unavailable { why: "scripted".to_owned() }),
            (_, None) => None,
        },
        DeValue::Table(table) if table.len() == 1 => {
            let signature = table.get("found")?.get_ref().as_str()?.to_owned();
            Some(Outcome::Done(ClamdAnswer::Found { signature }))
        }
        _ => None,
    }
}

/// A text of several lines stands for itself; of one line it is the name of a file.
fn inline_or_file(text: &Spanned<String>, folder: &Path, faults: &mut Faults<'_>) -> Option<Vec<u8>> {
    if text.get_ref().contains('\n') {
        return Some(text.get_ref().clone().into_bytes());
    }
    let path = folder.join(text.get_ref());
    match fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let near = fs::read_dir(path.parent().unwrap_or(folder)).into_iter().flatten().flatten();
            let near: Vec<String> = near.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            let advice = did_you_mean(&file, near.iter().map(String::as_str));
            faults.at(text.span(), format!("cannot read {}: {error}{advice}", path.display()));
            None
        }
    }
}

fn time(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(seconds) => seconds.as_str().parse().ok(),
        DeValue::Datetime(time) => time.to_string().parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second),
        DeValue::String(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second),
        _ => None,
    }
}
