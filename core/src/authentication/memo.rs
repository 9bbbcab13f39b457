//! Answers that mail-auth finds before it asks: those of a script, and those fetched beforehand for one message.

use crate::lookup::dns::{Asked, Entry, Pointer, Zone};
use mail_auth::{
    DnsCache, DnssecStatus, Error, Mx, Negative, RecordSet, ResolverCache, TxtRecord,
    dkim::{AtpsRecord, DkimReportRecord, DomainKey},
    dmarc::DmarcRecord,
    dns::TxtRecordParser,
    hickory_resolver::proto::op::ResponseCode,
    spf::SpfRecord,
};
use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Instant,
};

type Answer<T> = Result<RecordSet<T>, Negative>;

/// One table for each type of record.
#[derive(Default)]
pub(super) struct Memo {
    txt: Table<Box<str>, TxtRecord>,
    mx: Table<Box<str>, Answer<Mx>>,
    ipv4: Table<Box<str>, Answer<Ipv4Addr>>,
    ipv6: Table<Box<str>, Answer<Ipv6Addr>>,
    ptr: Table<IpAddr, Answer<Box<str>>>,
}

/// Known answers. `None` for a key means: ask, which in a script fails, because its resolver has no server.
pub(super) struct Table<K, V> {
    known: Mutex<HashMap<K, Option<V>>>,
    unlisted: Option<V>,
    /// Where a script notes what was asked.
    asked: Option<Asked>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { known: Mutex::default(), unlisted: None, asked: None }
    }
}

impl<K: Hash + Eq, V> Table<K, V> {
    fn scripted(unlisted: Option<V>, asked: &Asked) -> Self {
        Table { known: Mutex::default(), unlisted, asked: Some(asked.clone()) }
    }
}

impl Memo {
    /// The answers of a script.
    pub(super) fn of(zone: &Zone) -> Self {
        let absent = negative(ResponseCode::NXDomain);
        let unlisted = zone.unlisted().is_none();
        let asked = zone.asked();
        let mut memo = Memo {
            txt: Table::scripted(unlisted.then(|| TxtRecord::Error(absent.into())), asked),
            mx: Table::scripted(unlisted.then_some(Err(absent)), asked),
            ipv4: Table::scripted(unlisted.then_some(Err(absent)), asked),
            ipv6: Table::scripted(unlisted.then_some(Err(absent)), asked),
            ptr: Table::scripted(unlisted.then_some(Err(absent)), asked),
        };
        for (name, _) in zone.names() {
            // Names above a listed one exist without records (RFC 8020).
            for (at, _) in name.match_indices('.') {
                memo.add(name.get(at + 1..).unwrap_or_default(), &Entry::default(), false);
            }
        }
        for (name, entry) in zone.names() {
            memo.add(name, entry, true);
        }
        for (ip, pointer) in zone.pointers() {
            insert(&mut memo.ptr, ip, names_of(pointer), true);
        }
        memo
    }

    /// Remembers that a text could not be fetched, so that it is not asked for again.
    pub(super) fn remember_failure(&self, name: &str, error: Error) {
        self.txt.put(key(name), Some(TxtRecord::Error(error)));
    }

    /// Remembers that a name has no text.
    pub(super) fn remember_none(&self, name: &str) {
        self.remember_failure(name, negative(ResponseCode::NXDomain).into());
    }

    fn add(&mut self, name: &str, entry: &Entry, replace: bool) {
        let well = entry.trouble.is_none();
        insert(&mut self.txt, key(name), well.then(|| text_of(name, &entry.txt)), replace);
        insert(&mut self.ipv4, key(name), well.then(|| answer(entry.a.clone())), replace);
        insert(&mut self.ipv6, key(name), well.then(|| answer(entry.aaaa.clone())), replace);
        insert(&mut self.mx, key(name), well.then(|| answer(exchangers_of(entry))), replace);
    }
}

impl<K: Hash + Eq, V> Table<K, V> {
    fn put(&self, key: K, value: Option<V>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
    }
}

impl<K: Hash + Eq + ToString, V: Clone> ResolverCache<K, V> for Table<K, V> {
    fn get<Q>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((key, value)) = known.get_key_value(name) else { return self.unlisted.clone() };
        if let Some(asked) = &self.asked {
            asked.note(key.to_string().trim_end_matches('.'));
        }
        value.clone()
    }

    fn remove<Q>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name).flatten()
    }

    fn insert(&self, key: K, value: V, _valid_until: Instant) {
        self.put(key, Some(value));
    }
}

impl DnsCache for Memo {
    type Txt = Table<Box<str>, TxtRecord>;
    type Mx = Table<Box<str>, Answer<Mx>>;
    type Ipv4 = Table<Box<str>, Answer<Ipv4Addr>>;
    type Ipv6 = Table<Box<str>, Answer<Ipv6Addr>>;
    type Ptr = Table<IpAddr, Answer<Box<str>>>;

    fn txt(&self) -> Option<&Self::Txt> {
        Some(&self.txt)
    }

    fn mx(&self) -> Option<&Self::Mx> {
        Some(&self.mx)
    }

    fn ipv4(&self) -> Option<&Self::Ipv4> {
        Some(&self.ipv4)
    }

    fn ipv6(&self) -> Option<&Self::Ipv6> {
        Some(&self.ipv6)
    }

    fn ptr(&self) -> Option<&Self::Ptr> {
        Some(&self.ptr)
    }
}

fn insert<K: Hash + Eq, V>(table: &mut Table<K, V>, key: K, value: Option<V>, replace: bool) {
    let known = table.known.get_mut().unwrap_or_else(PoisonError::into_inner);
    if replace {
        known.insert(key, value);
    } else {
        known.entry(key).or_insert(value);
    }
}

fn negative(code: ResponseCode) -> Negative {
    Negative { code }
}

/// mail-auth knows names in lower case with the final dot.
fn key(name: &str) -> Box<str> {
    format!("{}.", name.trim_end_matches('.').to_lowercase()).into()
}

fn answer<T>(records: Vec<T>) -> Answer<T> {
    if records.is_empty() {
        return Err(negative(ResponseCode::NoError));
    }
    Ok(RecordSet { records: records.into(), dnssec_status: DnssecStatus::default() })
}

fn exchangers_of(entry: &Entry) -> Vec<Mx> {
    let mut exchangers = entry.mx.clone();
    exchangers.sort();
    exchangers
        .into_iter()
        .map(|(preference, host)| Mx { exchanges: [format!("{host}.").into()].into(), preference })
        .collect()
}

fn names_of(pointer: &Pointer) -> Option<Answer<Box<str>>> {
    pointer.trouble.is_none().then(|| answer(pointer.names.iter().map(|name| format!("{name}.").into()).collect()))
}

/// mail-auth keeps texts parsed; the name tells as what.
fn text_of(name: &str, texts: &[String]) -> TxtRecord {
    if texts.is_empty() {
        return TxtRecord::Error(negative(ResponseCode::NoError).into());
    }
    let records: Vec<Vec<u8>> = texts.iter().map(|text| text.clone().into_bytes()).collect();
    if name.starts_with("_report._domainkey.") {
        DkimReportRecord::parse_records(&records).into()
    } else if name.contains("._domainkey.") {
        DomainKey::parse_records(&records).into()
    } else if name.starts_with("_dmarc.") {
        DmarcRecord::parse_records(&records).into()
    } else if name.contains("._atps.") {
        AtpsRecord::parse_records(&records).into()
    } else {
        SpfRecord::parse_records(&records).into()
    }
}
