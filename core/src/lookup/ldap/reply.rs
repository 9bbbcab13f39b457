//! Entries and results as the server sent them, read without trusting their form.

use ldap3::{LdapResult, ResultEntry};

/// Longest text of a server that is logged. Unit: characters.
const TEXT_CHARS: usize = 200;

/// An entry with its attributes as they came; values that are not UTF-8 are left out.
pub(super) struct Found {
    pub(super) dn: String,
    attributes: Vec<(String, Vec<String>)>,
}

impl Found {
    /// Takes a SearchResultEntry apart (RFC 4511 §4.5.2), or `None` if it is not one. ldap3's own function panics then.
    pub(super) fn read(item: ResultEntry) -> Option<Self> {
        let mut parts = item.0.match_id(4)?.expect_constructed()?.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let mut attributes = Vec::new();
        for attribute in parts.next()?.expect_constructed()? {
            let mut parts = attribute.expect_constructed()?.into_iter();
            let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
            let mut values = Vec::new();
            for value in parts.next()?.expect_constructed()? {
                values.extend(String::from_utf8(value.expect_primitive()?).ok());
            }
            attributes.push((name, values));
        }
        Some(Found { dn, attributes })
    }

    /// The values of an attribute.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.attributes
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .flat_map(|(_, values)| values.iter().map(String::as_str))
    }

    /// What a group is called: its `cn`, else the first part of its DN.
    pub(super) fn name(&self) -> Option<String> {
        self.values("cn").next().map(str::to_lowercase).or_else(|| group_name(&self.dn))
    }
}

/// The value of the first part of a DN, unescaped (RFC 4514 §2.4), lower case: `CN=Finance,OU=x` is `finance`. A text
/// that is no DN is taken as it is.
pub fn group_name(dn: &str) -> Option<String> {
    let value = dn.split_once('=').map_or(dn, |(_, value)| value);
    let mut bytes = Vec::new();
    let mut rest = value.bytes().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b',' | b'+' => break,
            b'\\' => {
                let first = rest.next()?;
                let pair = rest
                    .peek()
                    .and_then(|&second| u8::from_str_radix(std::str::from_utf8(&[first, second]).ok()?, 16).ok());
                match pair.filter(|_| first.is_ascii_hexdigit()) {
                    Some(byte) => {
                        rest.next();
                        bytes.push(byte);
                    }
                    None => bytes.push(first),
                }
            }
            byte => bytes.push(byte),
        }
    }
    let name = String::from_utf8(bytes).ok()?.trim().to_lowercase();
    (!name.is_empty()).then_some(name)
}

/// A result for the log: code, meaning and the server's words.
pub(super) fn result_text(result: &LdapResult) -> String {
    let meaning = match result.rc {
        3 => "time limit exceeded",
        4 => "size limit exceeded",
        10 => "referral to another server",
        11 => "administrative limit exceeded",
        32 => "the base does not exist",
        49 => "name or password is wrong",
        50 => "not allowed",
        51 => "busy",
        52 => "unavailable",
        53 => "unwilling to perform",
        _ => "refused",
    };
    let words: String = result.text.chars().take(TEXT_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    match words.trim() {
        "" => format!("ldap result {}: {meaning}", result.rc),
        words => format!("ldap result {}: {meaning} ({words})", result.rc),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_the_first_part_of_its_dn() {
        assert_eq!(group_name("CN=Finance,OU=Groups,DC=x").as_deref(), Some("finance"));
        assert_eq!(group_name("cn=R\\2CD \\+ more,dc=x").as_deref(), Some("r,d + more"));
        assert_eq!(group_name("cn=B\\C3\\BCro,dc=x").as_deref(), Some("büro"));
        assert_eq!(group_name("staff").as_deref(), Some("staff"));
        assert_eq!(group_name("cn=\\"), None);
        assert_eq!(group_name(""), None);
    }
}
