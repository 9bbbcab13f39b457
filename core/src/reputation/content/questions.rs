//! What the lists are asked about a message.

use super::{ContentList, HashKind, Key, Place};
use crate::{
    message::Message,
    session::{Connection, ReversePath, registered},
};
use aws_lc_rs::digest;
use std::{borrow::Cow, net::Ipv4Addr};

/// Most questions to one list about one message: the sender's come first, then those of the links in their order. Unit:
/// questions. Source: SpamAssassin asks for 20 domains.
const QUESTIONS: usize = 20;
/// Longest name that is asked. Unit: bytes. Source: RFC 1035 §2.3.4, less the zone.
const NAME_BYTES: usize = 190;

/// A question to one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Index in the settings.
    pub list: usize,
    /// What is asked, without the zone.
    pub key: String,
    /// What it is about: a domain, an address of a host, or `address` for a hash, which tells the address to whom has it.
    pub about: String,
}

/// Where names stand.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// Envelope sender.
    pub sender: &'a ReversePath,
    /// The message.
    pub message: &'a Message<'a>,
}

/// All questions to all lists, each once.
pub fn questions(lists: &[ContentList], seen: &Seen<'_>) -> Vec<Question> {
    let mut all = Vec::new();
    for (list, settings) in lists.iter().enumerate() {
        let first = all.len();
        let mut add = |key: String, about: &str| {
            if key.len() <= NAME_BYTES
                && all.len() - first < QUESTIONS
                && !all[first..].iter().any(|q: &Question| q.key == key)
            {
                all.push(Question { list, key, about: about.to_owned() });
            }
        };
        match settings.key {
            Key::Domain { whole, addresses } => {
                for host in hosts(settings, seen) {
                    if let Ok(address) = host.parse::<Ipv4Addr>() {
                        let [a, b, c, d] = address.octets();
                        if addresses {
                            add(format!("{d}.{c}.{b}.{a}"), &host);
                        }
                    } else if is_name(&host) && !is_excepted(&host, &settings.except) {
                        let domain = registered(&host);
                        add(domain.to_owned(), domain);
                        if whole {
                            add(host.to_string(), &host);
                        }
                    }
                }
            }
            Key::Address(kind) => {
                for address in addresses(settings, seen) {
                    let address = canonical(&address);
                    let domain = address.rsplit('@').next().unwrap_or_default();
                    if is_name(domain) && !is_excepted(domain, &settings.except) {
                        add(hash(kind, &address), "address");
                    }
                }
            }
        }
    }
    all
}

/// The hosts in the places of a list, lower case, those of the sender first.
fn hosts<'a>(list: &'a ContentList, seen: &'a Seen<'a>) -> impl Iterator<Item = Cow<'a, str>> {
    let names =
        [(Place::Helo, seen.connection.helo.as_deref()), (Place::Client, seen.connection.client_name.as_deref())];
    let names = names.into_iter().filter(|(place, _)| list.of.contains(place)).filter_map(|(_, name)| name);
    let names = names.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
    let of_senders = senders(list, seen).filter_map(|address| Some(address.rsplit_once('@')?.1.to_owned()));
    let linked = list.of.contains(&Place::Link).then_some(&seen.message.links).into_iter().flatten();
    let linked = linked.filter(|link| !link.host.is_empty()).map(|link| Cow::Borrowed(link.host.as_str()));
    of_senders.chain(names).map(Cow::Owned).chain(linked)
}

/// The addresses in the places of a list, lower case.
fn addresses<'a>(list: &'a ContentList, seen: &'a Seen<'a>) -> impl Iterator<Item = String> {
    let linked = list.of.contains(&Place::Link).then_some(&seen.message.links).into_iter().flatten();
    let linked = linked.filter_map(|link| link.url.strip_prefix("mailto:"));
    let linked = linked.map(|rest| rest.split(['?', ',']).next().unwrap_or_default().trim().to_lowercase());
    senders(list, seen).chain(linked)
}

fn senders<'a>(list: &'a ContentList, seen: &'a Seen<'a>) -> impl Iterator<Item = String> {
    let wanted = |place| list.of.contains(&place);
    let message = seen.message;
    let from = wanted(Place::From).then_some(&message.from).into_iter().flatten();
    let reply_to = wanted(Place::ReplyTo).then_some(&message.reply_to).into_iter().flatten();
    let envelope =
        wanted(Place::Envelope).then(|| seen.sender.mailbox()).flatten().map(|mailbox| mailbox.raw.to_lowercase());
    envelope.into_iter().chain(from.chain(reply_to).map(|mailbox| mailbox.address.to_lowercase()))
}

/// Whether this may be a name in DNS: letters, digits, hyphens and underscores, and at least two labels.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    host.contains('.') && host.split('.').all(label)
}

fn is_excepted(host: &str, except: &[String]) -> bool {
    let below =
        |name: &String| host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    except.iter().any(below)
}

/// One form of the addresses that lead to the same mailbox: without what stands behind a plus sign, and at Gmail without
/// dots. Source: msbl.org, "How to query the EBL".
fn canonical(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else { return address.to_owned() };
    let local = local.split('+').next().unwrap_or_default();
    match domain {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
        _ => format!("{local}@{domain}"),
    }
}

fn hash(kind: HashKind, address: &str) -> String {
    let algorithm = match kind {
        HashKind::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        HashKind::Sha256 => &digest::SHA256,
    };
    digest::digest(algorithm, address.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
