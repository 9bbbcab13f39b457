//! LDIF (RFC 2849), as far as recipients need it.

use super::{Item, address_key};
use crate::{lookup::ldap::group_name, store::Member};
use std::collections::{BTreeSet, HashMap};

/// One attribute with the line it begins at.
struct Line {
    number: usize,
    name: String,
    value: Vec<u8>,
}

#[derive(Default)]
struct Entry {
    dn: String,
    name: Option<String>,
    canonical: Option<String>,
    addresses: Vec<String>,
    groups: BTreeSet<String>,
    members: Vec<String>,
    disabled: bool,
}

/// Reads all entries; a disabled account (userAccountControl, bit 2) has no addresses.
pub(super) fn read(text: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut entries = Vec::new();
    for lines in records(text, &mut items) {
        entries.push(entry(lines, &mut items));
    }
    let mut groups: HashMap<&str, BTreeSet<String>> = HashMap::new();
    for entry in &entries {
        if let Some(name) = entry.name.clone().or_else(|| group_name(&entry.dn)) {
            for member in &entry.members {
                groups.entry(member).or_default().insert(name.clone());
            }
        }
    }
    for entry in entries.iter().filter(|e| !e.disabled) {
        let Some(canonical) = entry.canonical.as_ref().or(entry.addresses.first()) else { continue };
        let mut all = entry.groups.clone();
        all.extend(groups.get(entry.dn.as_str()).into_iter().flatten().cloned());
        let addresses: BTreeSet<&String> = entry.addresses.iter().collect();
        for address in addresses {
            let groups = all.iter().cloned().collect();
            items.push(Ok(Member { address: address.clone(), canonical: canonical.clone(), groups }));
        }
    }
    items
}

fn entry(lines: Vec<Line>, items: &mut Vec<Item>) -> Entry {
    let mut entry = Entry::default();
    for Line { number, name, value } in lines {
        let text = String::from_utf8_lossy(&value);
        match name.as_str() {
            "dn" => entry.dn = normal_dn(&text),
            "cn" => entry.name = entry.name.or(Some(text.to_lowercase())),
            "member" | "uniquemember" => entry.members.push(normal_dn(&text)),
            "memberof" => entry.groups.extend(group_name(&text)),
            "useraccountcontrol" => entry.disabled = text.trim().parse::<u32>().is_ok_and(|flags| flags & 2 != 0),
            "mail" | "maillocaladdress" | "mailalternateaddress" => match address_key(&value) {
                Ok(address) => {
                    if name == "mail" && entry.canonical.is_none() {
                        entry.canonical = Some(address.clone());
                    }
                    entry.addresses.push(address);
                }
                Err(why) => items.push(Err((number, why))),
            },
            "proxyaddresses" => {
                let Some((kind, address)) = text.split_once(':') else { continue };
                if kind.eq_ignore_ascii_case("smtp") {
                    match address_key(address.as_bytes()) {
                        Ok(address) => entry.addresses.push(address),
                        Err(why) => items.push(Err((number, why))),
                    }
                }
            }
            _ => {}
        }
    }
    entry
}

/// Lines unfolded and decoded, by entry. Faulty ones go to `items`.
fn records(text: &[u8], items: &mut Vec<Item>) -> Vec<Vec<Line>> {
    let mut logical: Vec<(usize, Vec<u8>)> = Vec::new();
    for (index, line) in text.split(|&b| b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line.strip_prefix(b" "), logical.last_mut()) {
            (Some(rest), Some((_, before))) => before.extend_from_slice(rest),
            _ => logical.push((index + 1, line.to_vec())),
        }
    }
    let mut records = vec![Vec::new()];
    for (number, line) in logical {
        if line.is_empty() {
            records.push(Vec::new());
        } else if !line.starts_with(b"#") {
            match attribute(&line) {
                Ok((name, value)) => {
                    if let Some(record) = records.last_mut() {
                        record.push(Line { number, name, value });
                    }
                }
                Err(why) => items.push(Err((number, why.to_owned()))),
            }
        }
    }
    records.retain(|record| !record.is_empty());
    records
}

/// `name: value`, `name:: base64`, `name:< url`. Options of the name (`;lang-de`) are dropped.
fn attribute(line: &[u8]) -> Result<(String, Vec<u8>), &'static str> {
    let colon = line.iter().position(|&b| b == b':').ok_or("no colon: not an attribute")?;
    let name = std::str::from_utf8(&line[..colon]).map_err(|_| "the attribute's name is not text")?;
    let name = name.split(';').next().unwrap_or_default().to_lowercase();
    let value = match line.get(colon + 1) {
        Some(b':') => base64(line[colon + 2..].trim_ascii()).ok_or("not base64")?,
        Some(b'<') => return Err("values from URLs are not read"),
        _ => line[colon + 1..].trim_ascii().to_vec(),
    };
    Ok((name, value))
}

/// Lower case, without blanks around the parts, for comparing.
fn normal_dn(dn: &str) -> String {
    dn.split(',').map(str::trim).collect::<Vec<_>>().join(",").to_lowercase()
}

/// RFC 4648 §4.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|&b| b != b'=').map_or(0, |at| at + 1);
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for &byte in &text[..end] {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}
