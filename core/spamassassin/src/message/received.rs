//! The way of a message: Received fields read as relays, told apart into ours and others.

use super::networks::is_private;
use crate::rules::settings::Settings;
use std::net::IpAddr;

/// A handover from one host to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Relay {
    pub(crate) ip: String,
    pub(crate) rdns: String,
    pub(crate) helo: String,
    pub(crate) by: String,
    pub(crate) ident: String,
    pub(crate) envelope_from: Option<String>,
    pub(crate) id: String,
    pub(crate) auth: String,
    /// Whether the receiving host asked for the name of the client and found none.
    pub(crate) no_reverse_dns: bool,
    pub(crate) internal: bool,
}

/// What a Received field is.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Relay(Box<Relay>),
    /// A mailbox was fetched: what stood above were hosts of ours.
    Fetched,
    /// No handover over the internet.
    Local,
    Unparseable,
}

/// All handovers, the last first.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    pub(crate) trusted: Vec<Relay>,
    pub(crate) untrusted: Vec<Relay>,
    pub(crate) internal: Vec<Relay>,
    pub(crate) external: Vec<Relay>,
    pub(crate) unparseable: usize,
    /// How many Received fields are of trusted hosts, and of internal ones.
    pub(crate) trusted_fields: usize,
    pub(crate) internal_fields: usize,
}

impl Relay {
    fn is_private(&self) -> bool {
        self.address().is_some_and(is_private)
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.ip.parse().ok()
    }

    /// The relay as rules see it in `X-Spam-Relays-Untrusted` and its siblings.
    fn text(&self) -> String {
        format!(
            "[ ip={} rdns={} helo={} by={} ident={} envfrom={} intl={} id={} auth={} msa=0 ]",
            self.ip,
            self.rdns,
            self.helo,
            self.by,
            self.ident,
            self.envelope_from.as_deref().unwrap_or_default(),
            u8::from(self.internal),
            self.id,
            self.auth
        )
    }
}

/// Relays as one text.
pub(crate) fn text(relays: &[Relay]) -> String {
    relays.iter().map(Relay::text).collect::<Vec<_>>().join(" ")
}

impl Relays {
    /// Reads Received fields, the topmost first; `client` is the handover to us, if no field tells of it.
    pub(crate) fn of(client: Option<Relay>, fields: &[String], settings: &Settings) -> Relays {
        let mut relays = Relays::default();
        let (mut trust, mut inside) = (true, true);
        let given = client.map(|relay| Line::Relay(Box::new(relay))).into_iter();
        let has_client = given.len();
        for (index, line) in given.chain(fields.iter().map(|field| read(field))).enumerate() {
            let counts = usize::from(index >= has_client);
            if line == Line::Fetched && trust {
                relays.trusted.clear();
                relays.internal.clear();
                relays.external.clear();
            }
            let Line::Relay(mut relay) = line else {
                relays.unparseable += usize::from(line == Line::Unparseable);
                relays.trusted_fields += usize::from(trust) * counts;
                relays.internal_fields += usize::from(inside) * counts;
                continue;
            };
            if trust {
                let named = settings.trusted.as_ref().or(settings.internal.as_ref());
                let authenticated = !relay.auth.is_empty();
                match named {
                    Some(trusted) => {
                        let held =
                            |networks: &super::networks::Networks| relay.address().is_some_and(|ip| networks.hold(ip));
                        let internal = settings.internal.as_ref().unwrap_or(trusted);
                        trust = authenticated || held(trusted);
                        inside &= trust && (authenticated || held(internal));
                    }
                    None => {
                        trust = relay.is_private() || authenticated;
                        inside = trust;
                    }
                }
            }
            relay.internal = inside;
            relays.trusted_fields += usize::from(trust) * counts;
            relays.internal_fields += usize::from(inside) * counts;
            let relay = *relay;
            if inside {
                relays.internal.push(relay.clone())
            } else {
                relays.external.push(relay.clone())
            }
            if trust { relays.trusted.push(relay) } else { relays.untrusted.push(relay) }
        }
        relays
    }
}

/// Longest Received field looked at. Unit: bytes. Source: our own limit.
const FIELD: usize = 4_096;

fn read(field: &str) -> Line {
    let text = field.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().take(FIELD).collect();
    let text = text.trim_end_matches([';', ' ']);
    let from = ["from ", "(from "].into_iter().find(|word| super::uri::starts_with(text, word));
    let Some(from) = from else { return Line::Local };
    if text.contains(" with local for") {
        return Line::Local;
    }
    let text = without_date(text).replace(")by ", ") by ");
    let body = &text[from.len()..];
    let (client, server) = split_by(body);
    let mut relay = Relay { id: after(&text, " id ").map(id).unwrap_or_default(), ..Relay::default() };
    relay.by = server.split(' ').next().unwrap_or_default().trim_end_matches(';').to_owned();
    relay.envelope_from = envelope_from(body);
    relay.auth = authentication(&text);
    if let Some(helo) = after(&text, "helo=").or_else(|| after(&text, "HELO ")).or_else(|| after(&text, "EHLO ")) {
        relay.helo = helo.split([' ', ')', ';', ',', ']']).next().unwrap_or_default().to_owned();
    }
    if server.is_empty() && !body.starts_with("X-Originating-IP: ") {
        return if words_only(body) { Line::Local } else { Line::Unparseable };
    }
    if let Some(ip) = body.strip_prefix("X-Originating-IP: ") {
        relay.ip = ip.to_owned();
        return Line::Relay(Box::new(relay));
    }
    let is_bare = client.ends_with(']') && !client.contains('(');
    if (server.contains("with POP3") || server.contains("with IMAP")) && (is_bare || !client.contains('[')) {
        return Line::Fetched;
    }
    if !client_of(client, server, &mut relay) {
        return if is_local(body, client, server) { Line::Local } else { Line::Unparseable };
    }
    relay.rdns = relay.rdns.trim_end_matches('.').to_owned();
    if relay.rdns.eq_ignore_ascii_case("unknown") || relay.rdns.starts_with('[') {
        relay.rdns.clear();
    }
    relay.no_reverse_dns &= relay.rdns.is_empty();
    for value in [&mut relay.rdns, &mut relay.helo, &mut relay.by, &mut relay.ident] {
        *value = value.replace(['[', ']', '(', ')', '<', '>', '|', '\0'], "!");
    }
    Line::Relay(Box::new(relay))
}

fn words_only(body: &str) -> bool {
    body.contains(" id ") || body.contains('@')
}

/// The date at the end is no part of the way.
fn without_date(text: &str) -> &str {
    match text.rfind(';') {
        Some(at) if super::date::seconds(&text[at + 1..]).is_some() => text[..at].trim_end(),
        _ => text,
    }
}

/// What stands before ` by ` outside of brackets, and what stands behind it.
fn split_by(body: &str) -> (&str, &str) {
    let found = body.match_indices("by ").find(|(at, _)| *at == 0 || body[..*at].ends_with(' '));
    match found {
        Some((at, word)) => (body[..at].trim_end(), &body[at + word.len()..]),
        None => (body, ""),
    }
}

fn after<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.find(word).map(|at| &text[at + word.len()..])
}

fn id(text: &str) -> String {
    let text = text.strip_prefix('<').unwrap_or(text);
    let id = text.split([' ', '<', '>', ';']).next().unwrap_or_default();
    if id.len() >= 3 { id.to_owned() } else { String::new() }
}

fn envelope_from(body: &str) -> Option<String> {
    let lower = body.to_ascii_lowercase();
    let marks = [
        "return-path: ",
        "return-path ",
        "return-path:",
        "envelope-sender ",
        "envelope-sender=",
        "envelope-from ",
        "envelope-from=",
    ];
    let at = marks.iter().filter_map(|mark| lower.find(mark).map(|at| at + mark.len())).min()?;
    let word = body[at..].split(' ').next().unwrap_or_default();
    let word = word.trim_start_matches('<');
    let end = word.rfind(|c: char| c.is_ascii_alphanumeric() || c == '_').map_or(0, |end| end + 1);
    Some(word[..end].trim_end_matches('>').to_owned())
}

/// How the client proved who it is; empty if it did not.
fn authentication(text: &str) -> String {
    let with = after(text, " with ").map(|rest| rest.split([' ', ';']).next().unwrap_or_default()).unwrap_or_default();
    let upper = with.to_ascii_uppercase();
    let protocols = [
        "ESMTPA",
        "ESMTPSA",
        "LMTPA",
        "LMTPSA",
        "ASMTP",
        "UTF8SMTPA",
        "UTF8SMTPSA",
        "UTF8LMTPA",
        "UTF8LMTPSA",
        "HTTP",
        "HTTPS",
        "HTTPU",
    ];
    if text.contains(" by ") && protocols.contains(&upper.as_str()) {
        return with.to_owned();
    }
    if text.contains("(authenticated") || text.contains(" authenticated bits") {
        return "Sendmail".to_owned();
    }
    if text.contains("(Authenticated sender: ") && text.contains("(Postfix)") {
        return "Postfix".to_owned();
    }
    if text.contains("CommuniGate Pro HTTP") || (text.contains("CommuniGate Pro SMTP") && text.contains("(account ")) {
        return "Communigate".to_owned();
    }
    if text.contains(" with Microsoft Exchange Server HTTP-DAV") {
        return "HTTP-DAV".to_owned();
    }
    after(text, "(via HTTP").map(|_| "HTTP".to_owned()).unwrap_or_default()
}

/// An address at the beginning of a text, in brackets or not: with its length.
fn address(text: &str) -> Option<(String, usize)> {
    let open = usize::from(text.starts_with('['));
    let inside = &text[open..];
    let named = if super::uri::starts_with(inside, "ipv6:") { 5 } else { 0 };
    let inside = &inside[named..];
    let length = inside.bytes().take(46).take_while(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':')).count();
    let written = &inside[..length];
    // A port may follow the address of the fourth version.
    let written = if written.contains('.') && !written.contains("::") {
        written.split(':').next().unwrap_or_default()
    } else {
        written
    };
    let ip: IpAddr = written.parse().ok()?;
    let ip = match ip {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        four => four,
    };
    Some((ip.to_string(), open + named + length))
}

/// Fills in who the client is from what stands before `by`; says whether there is an address.
fn client_of(client: &str, server: &str, relay: &mut Relay) -> bool {
    let (word, rest) = match client.split_once(' ') {
        Some((word, rest)) if !client.starts_with(['(', '[']) => (word, rest),
        _ if !client.starts_with(['(', '[']) => (client, ""),
        _ => ("", client),
    };
    let is_exim = server.contains("Exim");
    let is_qmail = server.contains("(qmail") || server.contains("with SMTP") || server.contains("with QMQP");
    let hello_in_brackets = rest.starts_with("(HELO ") || rest.starts_with("(EHLO ") || rest.starts_with("(LHLO ");
    if hello_in_brackets {
        relay.helo = rest[6..].split(')').next().unwrap_or_default().to_owned();
    }
    let mut groups = rest;
    while let Some(open) = groups.find(['(', '[']) {
        let inside = &groups[open..];
        let content = inside.strip_prefix('(').unwrap_or(inside).trim_start();
        // `(name [address])`, `(user@[address])`, `(name[address])`
        let bracket = content.find('[').filter(|at| !content[..*at].contains(')'));
        let bare = address(content);
        if let Some((ip, _)) = bare {
            relay.ip = ip;
            let helo_follows = content.contains("helo=");
            if inside.starts_with('[') && !rest.starts_with('(') {
                // `name [address]`, `[address] (helo=name)`
                relay.rdns = if is_exim { word.to_owned() } else { String::new() };
                if relay.helo.is_empty() {
                    relay.helo = word.to_owned();
                }
            } else if hello_in_brackets {
                relay.rdns = word.to_owned();
            } else if content.starts_with('[') {
                // `name ([address])`: Exim has looked the name up, Sendmail has it from HELO.
                let looked_up = is_exim || helo_follows;
                relay.rdns = if looked_up { word.to_owned() } else { String::new() };
                relay.no_reverse_dns = !looked_up;
                if relay.helo.is_empty() {
                    relay.helo = word.to_owned();
                }
            } else {
                // `name (address)`
                if !is_exchange(server) {
                    relay.rdns = word.to_owned();
                    relay.no_reverse_dns = is_qmail;
                }
                if relay.helo.is_empty() {
                    relay.helo = word.to_owned();
                }
            }
            return true;
        }
        if let Some(at) = bracket
            && let Some((ip, _)) = address(&content[at..])
        {
            relay.ip = ip;
            let name = content[..at].trim();
            let name = name.strip_prefix("IDENT:").unwrap_or(name);
            let (ident, name) = name.rsplit_once('@').map_or(("", name), |(ident, name)| (ident, name));
            relay.ident = ident.to_owned();
            let name = name.rsplit(' ').next().unwrap_or_default();
            if name != "softdnserr" && name != "unverified" {
                relay.rdns = name.to_owned();
                relay.no_reverse_dns = true;
            }
            if !hello_in_brackets && !word.is_empty() {
                relay.helo = word.to_owned();
            }
            return true;
        }
        if let Some((ident, behind)) = content.split_once('@')
            && !ident.contains([' ', ')'])
            && let Some((ip, _)) = address(behind)
        {
            relay.ip = ip;
            relay.ident = ident.to_owned();
            relay.rdns = word.to_owned();
            relay.no_reverse_dns = true;
            if !hello_in_brackets {
                relay.helo = word.to_owned();
            }
            return true;
        }
        groups = &groups[open + 1..];
    }
    if let Some((ip, _)) = address(word) {
        relay.ip = ip;
        return true;
    }
    false
}

/// Whether Exchange took the message: it names what the client called itself.
fn is_exchange(server: &str) -> bool {
    let behind = after(server, " with Microsoft SMTP Server ").or_else(|| after(server, " with mapi id "));
    behind.is_some_and(|rest| {
        let rest = if rest.starts_with('(') { after(rest, ") ").unwrap_or_default() } else { rest };
        rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// Whether this is a handover inside a host, or between mailboxes: nothing that could name an address.
fn is_local(body: &str, client: &str, server: &str) -> bool {
    let word = client.split(' ').next().unwrap_or_default();
    let is_single = client.split(' ').count() == 1;
    let second = server.split(' ').nth(1).unwrap_or_default();
    (is_single && (["with", "via", "for"].contains(&second) || second.starts_with('(')))
        || word.contains('@')
        || body.contains("localhost")
        || server.contains("with local")
        || server.contains("with BSMTP")
        || (is_single && server.ends_with(';'))
        || client.ends_with("(unverified)")
        || client.ends_with("[local])")
        || client.contains("[unix socket]")
        || body.split(' ').nth(1) == Some("id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_servers_write_the_way_in_many_forms() {
        for (field, expected) in [
            (
                "from mx.a.example (host.a.example [192.0.2.7]) by mail.b.example (Postfix) with ESMTP id ABC123; Tue, 5 Mar 2024 10:11:12 +0000",
                "[ ip=192.0.2.7 rdns=host.a.example helo=mx.a.example by=mail.b.example ident= envfrom= intl=0 id=ABC123 auth= msa=0 ]",
            ),
            (
                "from unknown (HELO mx) (joe@192.0.2.8) by b.example with SMTP; 5 Mar 2024 10:11:12 -0000",
                "[ ip=192.0.2.8 rdns= helo=mx by=b.example ident=joe envfrom= intl=0 id= auth= msa=0 ]",
            ),
            (
                "from host.a.example ([192.0.2.9] helo=mx.a.example) by b.example with esmtpsa (Exim 4.9) (envelope-from <j@a.example>) id 1abc",
                "[ ip=192.0.2.9 rdns=host.a.example helo=mx.a.example by=b.example ident= envfrom=j@a.example intl=0 id=1abc auth=esmtpsa msa=0 ]",
            ),
            (
                "from [192.0.2.10] by b.example with HTTP; Tue, 5 Mar 2024 10:11:12 +0000",
                "[ ip=192.0.2.10 rdns= helo= by=b.example ident= envfrom= intl=0 id= auth=HTTP msa=0 ]",
            ),
        ] {
            match read(field) {
                Line::Relay(relay) => assert_eq!(relay.text(), expected),
                other => panic!("{field}: {other:?}"),
            }
        }
        assert_eq!(read("by b.example (Postfix, from userid 0)"), Line::Local);
        assert_eq!(read("from a.example by b.example with ESMTP"), Line::Local);
        assert_eq!(read("from somewhere over the rainbow"), Line::Unparseable);
    }
}
