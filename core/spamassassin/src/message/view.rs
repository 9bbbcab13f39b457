//! The message together with what is known of its way, and its fields as rules ask for them.

use super::{
    Texts,
    address::{self, Mailbox},
    domains,
    header::{self, Field},
    mime::Tree,
    received::{self, Relay, Relays},
    uri,
};
use crate::{Facts, rules::settings::Settings};
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

/// A message as rules see it.
pub(crate) struct Message<'m> {
    pub(crate) tree: Tree<'m>,
    pub(crate) texts: Texts,
    pub(crate) relays: Relays,
    pub(crate) links: BTreeMap<String, Link>,
    pub(crate) uri_truncated: bool,
    pub(crate) settings: &'m Settings,
    facts: &'m Facts<'m>,
    envelope_from: OnceCell<Option<String>>,
}

/// A link of the message.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// The forms in which it could be followed.
    pub(crate) forms: BTreeSet<String>,
    /// Hosts with their registered domains.
    pub(crate) hosts: BTreeMap<String, String>,
    /// What names it: tags, or `parsed` for text.
    pub(crate) types: BTreeSet<&'static str>,
}

/// Most links looked at. Unit: links. Source: our own limit.
const LINKS: usize = 2_000;

/// Fields that stand for other values.
const RELAY_FIELDS: [&str; 4] =
    ["x-spam-relays-untrusted", "x-spam-relays-trusted", "x-spam-relays-external", "x-spam-relays-internal"];

/// Modifiers of a request.
#[derive(Debug, Clone, Copy, Default)]
struct Modifiers {
    raw: bool,
    addr: bool,
    name: bool,
    host: bool,
    domain: bool,
    ip: bool,
    revip: bool,
    first: bool,
    last: bool,
}

impl<'m> Message<'m> {
    pub(crate) fn read(raw: &'m [u8], facts: &'m Facts<'m>, settings: &'m Settings) -> Message<'m> {
        let tree = Tree::read(raw);
        let texts = Texts::of(&tree);
        let fields = &tree.parts[0].fields;
        let text = |field: &Field| String::from_utf8_lossy(&field.decoded()).into_owned();
        let mut received: Vec<String> = fields.all("received").map(text).collect();
        for name in &settings.originating_ip_fields {
            let value = fields.all(name).last().map(text).unwrap_or_default();
            if let Some(ip) = first_address(&value) {
                received.push(format!("from X-Originating-IP: {ip}"));
            }
        }
        let client = facts.client.as_ref().map(|client| Relay {
            ip: client.ip.to_string(),
            rdns: client.name.to_owned(),
            helo: client.helo.to_owned(),
            by: client.by.to_owned(),
            envelope_from: facts.envelope_from.map(str::to_owned),
            no_reverse_dns: client.name.is_empty(),
            auth: if client.is_authenticated { "ESMTPA".to_owned() } else { String::new() },
            ..Relay::default()
        });
        let relays = Relays::of(client, &received, settings);
        let mut message = Message {
            tree,
            texts,
            relays,
            links: BTreeMap::new(),
            uri_truncated: false,
            settings,
            facts,
            envelope_from: OnceCell::new(),
        };
        message.find_links();
        message
    }

    fn find_links(&mut self) {
        let mut found: Vec<(String, BTreeSet<&'static str>, bool)> = Vec::new();
        let mut seen = BTreeSet::new();
        for line in &self.texts.body {
            for link in uri::in_text(line, self.settings) {
                if found.len() < LINKS && seen.insert(link.uri.clone()) {
                    let types = if link.schemeless {
                        BTreeSet::from(["parsed", "schemeless"])
                    } else {
                        BTreeSet::from(["parsed"])
                    };
                    found.push((link.uri, types, true));
                }
            }
        }
        for page in &self.texts.pages {
            self.uri_truncated |= page.uri_truncated;
            let links = page.links.iter().filter(|(_, link)| !link.types.is_empty());
            found.extend(links.take(LINKS).map(|(uri, link)| (uri.clone(), link.types.clone(), false)));
        }
        for (uri, types, needs_domain) in found {
            let mut forms = uri::forms(&uri, self.settings);
            forms.iter_mut().for_each(|form| self.uri_truncated |= uri::cut(form));
            let hosts: BTreeMap<String, String> = forms
                .iter()
                .filter_map(|form| self.settings.domain_and_host(form))
                .map(|(domain, host)| (host, domain))
                .collect();
            if forms.is_empty() || (needs_domain && hosts.is_empty()) {
                continue;
            }
            let link = self.links.entry(uri).or_default();
            link.forms.extend(forms);
            link.hosts.extend(hosts);
            link.types.extend(types);
        }
    }

    /// Links in all their forms, each once.
    pub(crate) fn uris(&self) -> BTreeSet<&str> {
        self.links.values().flat_map(|link| link.forms.iter().map(String::as_str)).collect()
    }

    /// The fields of the message.
    pub(crate) fn fields(&self) -> &header::Fields {
        &self.tree.parts[0].fields
    }

    /// The value of a request such as `Subject` or `From:addr`: all fields of the name, each with a line end; none if there is none.
    pub(crate) fn value(&self, request: &str) -> Option<Vec<u8>> {
        let values = self.values(request);
        let first = values.first()?;
        let between: &[u8] = if first.ends_with(b"\n") { b"" } else { b"\n" };
        Some(values.join(between))
    }

    /// Like `value`, empty if there is none, as text.
    pub(crate) fn text(&self, request: &str) -> String {
        self.value(request).map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default()
    }

    /// The first of the values, as text; empty if there is none.
    pub(crate) fn first(&self, request: &str) -> String {
        let values = self.values(request);
        values.first().map(|value| String::from_utf8_lossy(value).trim_end_matches('\n').to_owned()).unwrap_or_default()
    }

    /// The values of a request.
    pub(crate) fn values(&self, request: &str) -> Vec<Vec<u8>> {
        let mut parts = request.split(':');
        let name = parts.next().unwrap_or_default();
        let mut modifiers = Modifiers::default();
        for part in parts {
            match part {
                "raw" => modifiers.raw = true,
                "addr" => modifiers.addr = true,
                "name" => modifiers.name = true,
                "host" => modifiers.host = true,
                "domain" => (modifiers.host, modifiers.domain) = (true, true),
                "ip" => modifiers.ip = true,
                "revip" => (modifiers.ip, modifiers.revip) = (true, true),
                "first" => modifiers.first = true,
                "last" => modifiers.last = true,
                _ => {}
            }
        }
        let mut values = self.fields_for(name, modifiers);
        if modifiers.first {
            values.truncate(1);
        } else if modifiers.last {
            values = values.pop().into_iter().collect();
        }
        if modifiers.addr || modifiers.name {
            values = mailboxes(&values, modifiers);
        }
        if modifiers.host {
            values = values.iter().filter_map(|value| self.host(value, modifiers)).collect();
        } else if modifiers.ip {
            values = values.iter().filter_map(|value| ip(value, modifiers.revip)).collect();
        }
        values
    }

    fn fields_for(&self, name: &str, modifiers: Modifiers) -> Vec<Vec<u8>> {
        let fields = self.fields();
        let with_end = |field: &Field| [field.decoded(), b"\n".to_vec()].concat();
        let raw_or_not = |name: &str| -> Vec<Vec<u8>> {
            fields
                .all(name)
                .map(|field| {
                    if modifiers.raw || modifiers.addr || modifiers.name { field.raw.clone() } else { with_end(field) }
                })
                .collect()
        };
        let lower = name.to_ascii_lowercase();
        match (name, lower.as_str()) {
            ("ALL", _) if modifiers.raw => {
                vec![fields.0.iter().flat_map(|field| [field.name.as_bytes(), b":", &field.raw].concat()).collect()]
            }
            ("ALL", _) => vec![fields.text()],
            ("ALL-TRUSTED", _) => vec![self.fields_around(..self.relays.trusted_fields)],
            ("ALL-INTERNAL", _) => vec![self.fields_around(..self.relays.internal_fields)],
            ("ALL-UNTRUSTED", _) => vec![self.fields_around(self.relays.trusted_fields..)],
            ("ALL-EXTERNAL", _) => vec![self.fields_around(self.relays.internal_fields..)],
            ("MESSAGEID", _) => ["X-Message-Id", "Resent-Message-Id", "X-Original-Message-ID", "Message-Id"]
                .iter()
                .flat_map(|name| raw_or_not(name))
                .filter(|value| !value.is_empty())
                .collect(),
            (_, "tocc") => ["To", "Cc"].iter().flat_map(|name| raw_or_not(name)).collect(),
            (_, "envelopefrom") => self.envelope_from().map(|from| from.as_bytes().to_vec()).into_iter().collect(),
            (_, relays) if RELAY_FIELDS.contains(&relays) => {
                let relays = match relays {
                    "x-spam-relays-untrusted" => &self.relays.untrusted,
                    "x-spam-relays-trusted" => &self.relays.trusted,
                    "x-spam-relays-external" => &self.relays.external,
                    _ => &self.relays.internal,
                };
                vec![received::text(relays).into_bytes()]
            }
            _ => raw_or_not(name),
        }
    }

    /// The head between two Received fields, counted from the top.
    fn fields_around(&self, range: impl std::ops::RangeBounds<usize>) -> Vec<u8> {
        let mut seen = 0;
        let mut text = Vec::new();
        for field in &self.fields().0 {
            if field.name.eq_ignore_ascii_case("received") {
                seen += 1;
            }
            if range.contains(&usize::saturating_sub(seen, 1)) {
                text.extend_from_slice(field.name.as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(&field.decoded());
                text.push(b'\n');
            }
        }
        text
    }

    fn host(&self, value: &[u8], modifiers: Modifiers) -> Option<Vec<u8>> {
        let value = String::from_utf8_lossy(value);
        let host = if modifiers.addr {
            value.rsplit_once('@').map(|(_, host)| host.split_whitespace().next().unwrap_or_default().to_owned())?
        } else {
            let mut words = value.split(|c: char| {
                c.is_whitespace() || matches!(c, '@' | '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | '=')
            });
            words
                .rfind(|word| word.contains('.') && domains::is_host(word) && self.settings.is_domain(word))?
                .to_owned()
        };
        let host = if modifiers.domain { self.settings.domain_of(&host) } else { host };
        (!host.is_empty()).then(|| host.into_bytes())
    }

    /// The envelope sender: what the host says, else what the fields tell.
    pub(crate) fn envelope_from(&self) -> Option<&str> {
        self.envelope_from.get_or_init(|| self.find_envelope_from()).as_deref()
    }

    fn find_envelope_from(&self) -> Option<String> {
        if let Some(from) = self.facts.envelope_from {
            return Some(from.to_owned());
        }
        let is_sender = |from: &str| from.is_empty() || from.find('@').is_some_and(|at| at > 0);
        let in_field = |name: &str| {
            self.values(&format!("{name}:first:addr"))
                .into_iter()
                .next()
                .map(|v| String::from_utf8_lossy(&v).into_owned())
        };
        if let Some(name) = &self.settings.envelope_sender_field {
            return in_field(name).filter(|from| is_sender(from));
        }
        let last_hop = self.relays.untrusted.first().or(self.relays.trusted.last());
        if let Some(from) = last_hop.and_then(|relay| relay.envelope_from.clone()).filter(|from| is_sender(from)) {
            return Some(from);
        }
        if in_field("X-Sender").is_some_and(|sender| sender.contains('@'))
            && self.fields().all("received").any(|field| memchr::memmem::find(&field.raw, b"(fetchmail").is_some())
        {
            return None;
        }
        for name in ["X-Envelope-From", "Envelope-Sender", "Return-Path"] {
            let Some(from) = in_field(name) else { continue };
            let place = |wanted: &str| self.fields().0.iter().position(|field| field.name.eq_ignore_ascii_case(wanted));
            // Below a Received field it is of a host before.
            let is_ours = match (
                place("received"),
                self.fields().0.iter().rposition(|field| field.name.eq_ignore_ascii_case(name)),
            ) {
                (Some(received), Some(field)) => field < received,
                _ => true,
            };
            if is_ours {
                return Some(from);
            }
            if name == "X-Envelope-From" {
                return None;
            }
        }
        None
    }

    /// Addresses that the message says to be from.
    pub(crate) fn senders(&self) -> BTreeSet<String> {
        let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
        let resent: BTreeSet<String> = self.values("Resent-From:first:addr").into_iter().map(text).collect();
        if !resent.is_empty() {
            return resent;
        }
        let mut senders = BTreeSet::new();
        for request in
            ["From:addr", "Envelope-Sender:addr", "Resent-Sender:addr", "X-Envelope-From:addr", "EnvelopeFrom:addr"]
        {
            senders.extend(self.values(request).into_iter().map(text).filter(|sender| !sender.is_empty()));
        }
        senders
    }

    /// Addresses that the message says to be to.
    pub(crate) fn recipients(&self) -> BTreeSet<String> {
        let mut recipients = BTreeSet::new();
        for request in
            ["To:addr", "Cc:addr", "Delivered-To:addr", "X-Envelope-To:addr", "Envelope-To:addr", "X-Original-To:addr"]
        {
            recipients
                .extend(self.values(request).into_iter().map(|value| String::from_utf8_lossy(&value).into_owned()));
        }
        recipients
    }
}

fn mailboxes(values: &[Vec<u8>], modifiers: Modifiers) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for value in values {
        let unfolded = String::from_utf8_lossy(value).replace('\n', "");
        for Mailbox { phrase, address } in address::mailboxes(&unfolded) {
            if modifiers.addr {
                found.extend(address.map(String::into_bytes));
                continue;
            }
            let Some(phrase) = phrase else { continue };
            if modifiers.raw {
                found.push(phrase.into_bytes());
                continue;
            }
            let decoded = header::decode(phrase.as_bytes(), "");
            let text = String::from_utf8_lossy(&decoded).split_whitespace().collect::<Vec<_>>().join(" ");
            let text =
                text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).map(str::to_owned).unwrap_or(text);
            found.push(text.into_bytes());
        }
    }
    found
}

fn first_address(text: &str) -> Option<std::net::IpAddr> {
    text.split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'))).find_map(|word| {
        let is_four = word.split('.').count() == 4;
        if is_four || word.matches(':').count() >= 2 { word.parse().ok() } else { None }
    })
}

fn ip(value: &[u8], reversed: bool) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(value);
    let address = first_address(&text)?;
    let written = match address {
        std::net::IpAddr::V4(four) if reversed => {
            let mut octets = four.octets();
            octets.reverse();
            std::net::Ipv4Addr::from(octets).to_string()
        }
        other => other.to_string(),
    };
    Some(written.into_bytes())
}
