//! Names in HELO that lie. Points only: RFC 5321 §4.1.4 forbids refusing for them.

use super::{Reputation, Standing};
use crate::{
    session::Connection,
    verdict::{Finding, Points},
};
use std::net::IpAddr;

impl Reputation {
    /// Judges the client's word in HELO. `our_names` are names of this site besides that of the receiving MTA. Internal
    /// clients, relays and those who have logged in are not judged: mail programs give any name. Nor is a client of whom
    /// nothing is known, as where a message is judged that lies in a file.
    pub fn judge_helo(&self, connection: &Connection, standing: &Standing, our_names: &[String]) -> Vec<Finding> {
        if matches!(standing, Standing::Internal | Standing::Relay) || connection.login.is_some() {
            return Vec::new();
        }
        if (&connection.helo, connection.client_ip) == (&None, None) {
            return Vec::new();
        }
        let points = &self.settings.helo;
        let Some(helo) = connection.helo.as_deref().map(str::trim).filter(|helo| !helo.is_empty()) else {
            let source = "RFC 5321 section 4.1.1.1: a client names itself";
            return vec![Finding::new("helo.missing", points.missing, source)];
        };
        let finding =
            |id: &'static str, points: Points, source: &'static str| vec![Finding::new(id, points, source).fact(helo)];
        let name = helo.trim_end_matches('.');
        let ours = our_names
            .iter()
            .chain(&connection.mta_name)
            .any(|our| our.trim_end_matches('.').eq_ignore_ascii_case(name));
        if ours {
            return finding("helo.our-name", points.our_name, "the client gives our own name");
        }
        match literal(helo) {
            Some(Ok(ip)) if connection.client_ip.is_none_or(|client| client.to_canonical() == ip.to_canonical()) => {
                Vec::new()
            }
            Some(Ok(_)) => {
                finding("helo.other-address", points.other_address, "the address literal is not the client's")
            }
            Some(Err(())) => finding("helo.malformed", points.malformed, "RFC 5321 section 4.1.3: no address literal"),
            None if is_full_name(name) => Vec::new(),
            None => finding("helo.malformed", points.malformed, "RFC 5321 section 2.3.5: not a full host name"),
        }
    }
}

/// The address of `[192.0.2.1]` or `[IPv6:2001:db8::1]`; `None` if it does not look like a literal.
fn literal(helo: &str) -> Option<Result<IpAddr, ()>> {
    let inner = helo.strip_prefix('[')?;
    let Some(inner) = inner.strip_suffix(']') else { return Some(Err(())) };
    let prefix = inner.get(..5).filter(|prefix| prefix.eq_ignore_ascii_case("IPv6:"));
    let address = if prefix.is_some() { &inner[5..] } else { inner };
    Some(address.parse().map_err(|_| ()))
}

/// Labels of letters, digits, hyphens and underscores, at least two, the last not a number.
fn is_full_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || !c.is_ascii())
    };
    name.len() <= 255
        && name.contains('.')
        && name.split('.').all(label)
        && !name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{reputation::Settings, session::Login};

    fn findings(helo: &str) -> Vec<String> {
        let connection = Connection {
            client_ip: Some([192, 0, 2, 7].into()),
            helo: Some(helo.to_owned()),
            mta_name: Some("mx.ours.test".to_owned()),
            ..Connection::default()
        };
        let room = Reputation::load(Settings::default()).expect("loaded");
        let findings = room.judge_helo(&connection, &Standing::Unlisted, &["ours.test".to_owned()]);
        findings.iter().map(|finding| finding.id.to_string()).collect()
    }

    #[test]
    fn our_own_name_wrong_literals_and_short_names_are_noticed() {
        for (helo, id) in [
            ("MX.ours.test.", "helo.our-name"),
            ("ours.test", "helo.our-name"),
            ("[192.0.2.8]", "helo.other-address"),
            ("[IPv6:2001:db8::1]", "helo.other-address"),
            ("[192.0.2.7", "helo.malformed"),
            ("[]", "helo.malformed"),
            ("[é]", "helo.malformed"),
            ("192.0.2.7", "helo.malformed"),
            ("laptop", "helo.malformed"),
            ("a b.test", "helo.malformed"),
            ("a..test", "helo.malformed"),
            (" ", "helo.missing"),
        ] {
            assert_eq!(findings(helo), [id], "{helo}");
        }
    }

    #[test]
    fn honest_names_are_not_judged() {
        for helo in
            ["mail.example.com", "mail.example.com.", "[192.0.2.7]", "[IPv6:::ffff:192.0.2.7]", "_x.bücher.example"]
        {
            assert!(findings(helo).is_empty(), "{helo}");
        }
    }

    #[test]
    fn a_client_of_whom_nothing_is_known_is_not_judged() {
        let room = Reputation::load(Settings::default()).expect("loaded");
        assert!(room.judge_helo(&Connection::default(), &Standing::Unlisted, &[]).is_empty());
        let known = Connection { client_ip: Some("192.0.2.7".parse().expect("an address")), ..Connection::default() };
        assert_eq!(room.judge_helo(&known, &Standing::Unlisted, &[]).len(), 1);
    }

    #[test]
    fn who_has_logged_in_may_give_any_name() {
        let login = Some(Login { name: "bob".into(), mechanism: "PLAIN".into() });
        let connection = Connection { helo: Some("laptop".into()), login, ..Connection::default() };
        let room = Reputation::load(Settings::default()).expect("loaded");
        assert!(room.judge_helo(&connection, &Standing::Unlisted, &[]).is_empty());
    }
}
