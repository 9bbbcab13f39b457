//! Links: found in text, resolved, and in all the forms in which a browser would take them.

use crate::rules::settings::Settings;

/// Longest link. Unit: bytes. Source: SpamAssassin.
const LONGEST: usize = 8_192;

/// Whether the text begins so, in whatever case.
pub(super) fn starts_with(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start.as_bytes()))
}

/// Cuts a link that is too long; says whether it was.
pub(super) fn cut(link: &mut String) -> bool {
    if link.len() <= LONGEST {
        return false;
    }
    let end = (0..=LONGEST).rev().find(|at| link.is_char_boundary(*at)).unwrap_or(0);
    link.truncate(end);
    true
}

/// A link relative to a base (RFC 3986 §5.2), as far as pages in mail need it.
pub(super) fn resolved(base: &str, link: &str) -> String {
    let scheme_end = link.find([':', '/', '?', '#']).filter(|at| link[*at..].starts_with(':') && *at > 0);
    if scheme_end.is_some() {
        return link.to_owned();
    }
    if let Some(rest) = link.strip_prefix("//") {
        let scheme = base.find("//").map(|at| &base[..at]);
        return match scheme {
            Some(scheme) => format!("{scheme}{link}"),
            None if starts_with(rest, "www") => format!("http:{link}"),
            None if starts_with(rest, "ftp") => format!("ftp:{link}"),
            None => link.to_owned(),
        };
    }
    if base.is_empty() {
        return link.to_owned();
    }
    let host_end = base.find("//").map_or(0, |at| base[at + 2..].find('/').map_or(base.len(), |end| at + 2 + end));
    if link.starts_with('/') {
        return format!("{}{link}", &base[..host_end]);
    }
    if link.starts_with(['?', '#']) {
        return format!("{base}{link}");
    }
    let folder = base.rfind('/').filter(|at| *at >= host_end).map_or(base, |at| &base[..=at]);
    format!("{folder}{link}")
}

/// A link found in text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) uri: String,
    /// Whether it named no scheme.
    pub(super) schemeless: bool,
}

const fn ends_link(byte: u8) -> bool {
    matches!(byte, b'>' | b'<' | b'"' | b'`' | b'}' | b']' | b'{' | b'[' | b'|' | b'\t'..=b'\r' | b' ' | 0x1b | 0xa0)
}

const fn ends_address(byte: u8) -> bool {
    ends_link(byte) || matches!(byte, b',' | b'(' | b'\'') || byte >= 0x80
}

const fn starts_schemeless(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'"'
            | b'#'
            | b'$'
            | b'&'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b'/'
            | b':'
            | b';'
            | b'<'
            | b'='
            | b'>'
            | b'?'
            | b'@'
            | b'['
            | b'\\'
            | b']'
            | b'^'
            | b'`'
            | b'{'
            | b'|'
            | b'}'
            | b'~'
            | b'\t'..=b'\r' | b' ' | 0x1b | 0xa0
    )
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The links in a line of text, as mail programs would show them.
pub(super) fn in_text(text: &[u8], settings: &Settings) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if ends_link(text[at]) {
            at += 1;
            continue;
        }
        let end = at + text[at..].iter().take_while(|byte| !ends_link(**byte)).count();
        let token = &text[at..end];
        // Most words hold none of these signs and can hold no link.
        if token.iter().any(|byte| matches!(byte, b'.' | b'@' | b':')) {
            in_token(text, at, end, settings, &mut found);
        }
        at = end;
    }
    found
}

fn in_token(text: &[u8], start: usize, end: usize, settings: &Settings, found: &mut Vec<Found>) {
    let mut at = start;
    while at < end {
        let before = at.checked_sub(1).map(|before| text[before]);
        let boundary = before.is_none_or(|before| {
            is_word(before) != is_word(text[at]) || ends_link(before) || matches!(before, b'\'' | b',' | b'(')
        });
        let token = &text[at..end];
        let next = if boundary { one(token, before, settings) } else { None };
        match next {
            Some((kind, length)) => {
                found.extend(finished(&token[..length], kind, settings));
                at += length.max(1);
            }
            None => at += 1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scheme,
    Mail,
    Bare,
}

/// The link at the beginning of a token.
fn one(token: &[u8], before: Option<u8>, settings: &Settings) -> Option<(Kind, usize)> {
    let starts = |word: &[u8]| token.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let www = || {
        let digits = token.get(3..)?.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
        (starts(b"www") && token.get(3 + digits) == Some(&b'.')).then_some(())
    };
    let known = starts(b"http://") || starts(b"https://") || starts(b"ftp://") || starts(b"ftp.") || www().is_some();
    if known && token.len() > 4 && token.len() <= 2_100 {
        return Some((Kind::Scheme, token.len()));
    }
    let piece = token.iter().take_while(|byte| !ends_address(**byte)).count();
    if starts(b"mailto:") && piece > 7 {
        return Some((Kind::Mail, piece));
    }
    if let Some(sign) = memchr::memchr(b'@', &token[..piece])
        && (1..=251).contains(&sign)
        && (1..=251).contains(&(piece - sign - 1))
    {
        return Some((Kind::Mail, piece));
    }
    if before.is_none_or(starts_schemeless) && token[0].is_ascii_alphanumeric() {
        let host =
            token.iter().take(253).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')).count();
        let text = std::str::from_utf8(&token[..host]).ok()?;
        let trimmed = text.strip_suffix('.').unwrap_or(text);
        let behind = &token[host..];
        let behind = match behind.strip_prefix(b":") {
            Some(port) => &port[port.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count()..],
            None => behind,
        };
        if (behind.is_empty() || (behind[0] == b'/' && behind.len() > 1)) && settings.is_domain(trimmed) {
            return Some((Kind::Bare, token.len()));
        }
    }
    None
}

/// The link as it would be followed; none if it is not one after all.
fn finished(written: &[u8], kind: Kind, settings: &Settings) -> Option<Found> {
    let text = String::from_utf8_lossy(written).into_owned();
    let mut link = text.as_str();
    // A bracket that was not opened in the link ends it.
    if let Some(close) = link.find(')')
        && !link[..close].contains('(')
    {
        link = &link[..close];
    }
    let link = link.trim_end_matches(|c: char| "-~!@#^&*()_+=:;'?,.".contains(c));
    if kind == Kind::Mail && !link.contains('@') {
        return None;
    }
    if kind == Kind::Bare {
        let host = link.split([':', '/']).next().unwrap_or_default();
        if !super::domains::is_host(host) {
            return None;
        }
    }
    if starts_with(link, "cid:") || starts_with(link, "mid:") {
        return None;
    }
    if link
        .split_once(':')
        .is_some_and(|(scheme, rest)| scheme.bytes().all(is_word) && rest.len() <= 2 && rest.chars().all(|c| c == '/'))
    {
        return None;
    }
    let has_scheme = ["http:", "https:", "ftp:", "mailto:"].iter().any(|scheme| starts_with(link, scheme));
    let mut schemeless = false;
    let mut uri = link.to_owned();
    if !has_scheme {
        schemeless = true;
        uri = if starts_with(link, "ftp.") {
            format!("ftp://{link}")
        } else if (starts_with(link, "www") && kind == Kind::Scheme)
            || link.find('/').is_some_and(|slash| link[slash + 1..].find('@').is_some_and(|sign| sign > 0))
        {
            format!("http://{link}")
        } else if let Some(sign) = link.find('@') {
            if !link[sign + 1..].char_indices().any(|(at, c)| c == '.' && at > 0) || link.contains("&nbsp;") {
                return None;
            }
            let colon = link[..sign].rfind(':').filter(|colon| {
                ["skype", "email", "e-mail", "mail", ""]
                    .iter()
                    .any(|word| link[..*colon].trim_end_matches(':').eq_ignore_ascii_case(word))
            });
            format!("mailto:{}", colon.map_or(link, |colon| &link[colon + 1..]))
        } else if link.contains('.') {
            format!("http://{link}")
        } else {
            return None;
        };
    }
    if starts_with(&uri, "mailto:") {
        let (_, host) = uri.split_once('@')?;
        let host = host.split(['?', '&', '>']).next().unwrap_or_default();
        if !settings.is_domain(host.trim_end_matches("%20")) {
            return None;
        }
    }
    Some(Found { uri, schemeless })
}

/// Undoes percent signs that hide what need not be hidden.
fn percent_decoded(link: &str) -> String {
    let mut out = String::with_capacity(link.len());
    let mut rest = link;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let code = rest.get(1..3).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match code {
            Some(code @ 0x21..0x7f) => {
                out.push(char::from(code));
                rest = &rest[3..];
            }
            Some(_) => {
                out.push_str(&rest[..3]);
                rest = &rest[3..];
            }
            None => {
                out.push_str("%25");
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out.replace('"', "%22").replace('<', "%3c").replace('>', "%3e").replace(' ', "%20")
}

/// Most redirectors followed inside one link. Unit: links. Source: our own limit.
const REDIRECTORS: usize = 20;

/// The link in every form that rules look at: as written, decoded, without port, without user, redirectors followed.
pub(super) fn forms(link: &str, settings: &Settings) -> Vec<String> {
    let mut pending = vec![link.to_owned()];
    let mut forms: Vec<String> = Vec::new();
    let mut next = 0;
    while next < pending.len() && next < REDIRECTORS {
        let written: String = pending[next].trim().chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
        next += 1;
        if written.len() <= 1
            || written.starts_with(['#', '?', '&'])
            || (written.starts_with('/') && !written.starts_with("//"))
        {
            continue;
        }
        forms.push(written.clone());
        if starts_with(&written, "mailto:") || written.split(':').next().is_some_and(|start| start.contains('@')) {
            forms.extend(written.split_once('?').map(|(address, _)| address.to_owned()));
            forms.extend(
                written.split_once('&').filter(|(a, _)| a.contains('@')).map(|(address, _)| address.to_owned()),
            );
            continue;
        }
        let mut link = written.replace('\\', "/");
        for scheme in ["http:", "https:"] {
            if starts_with(&link, scheme) {
                link = format!("{}//{}", &link[..scheme.len()], link[scheme.len()..].trim_start_matches('/'));
            }
        }
        if link.contains('%') {
            link = percent_decoded(&link);
        }
        let has_scheme = link
            .split_once(':')
            .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(|b| is_word(b) || b == b'-'));
        if !has_scheme {
            link = if link.starts_with("ftp.") { format!("ftp://{link}") } else { format!("http://{link}") };
        }
        let authority = host_range(&link);
        if let Some(end) = authority.map(|(_, end)| end)
            && link[end..].starts_with(['?', '#'])
        {
            link.insert(end, '/');
        }
        if link.contains("&#") {
            link = super::html::decoded(&link).into_owned();
        }
        if link != written {
            forms.push(link.clone());
        }
        if let Some((start, end)) = host_range(&link) {
            web_forms(&link, start, end, settings, &mut forms, &mut pending);
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Where user and host of a web address stand.
fn host_range(link: &str) -> Option<(usize, usize)> {
    let start = ["http://", "https://"].into_iter().find(|scheme| starts_with(link, scheme))?.len();
    let end = link[start..].find(['/', '?', '#']).map_or(link.len(), |end| start + end);
    Some((start, end))
}

fn web_forms(
    link: &str,
    start: usize,
    end: usize,
    settings: &Settings,
    forms: &mut Vec<String>,
    pending: &mut Vec<String>,
) {
    let (scheme, authority, rest) = (&link[..start], &link[start..end], &link[end..]);
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let (host, port) = host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port)));
    let with_port = port.map_or(String::new(), |port| format!(":{port}"));
    let usual = if scheme.len() == 7 { "80" } else { "443" };
    if port == Some(usual) {
        forms.push(format!("{scheme}{host}{rest}"));
    }
    let whole = format!("{scheme}{host}{with_port}{rest}");
    let redirected = settings
        .redirectors
        .iter()
        .find_map(|pattern| pattern.first_group(whole.as_bytes()))
        .filter(|to| to.contains('.'));
    match redirected {
        Some(to) => pending.push(to),
        None => {
            let lower = rest.to_ascii_lowercase();
            let inner = ["http:", "https:"].iter().filter_map(|scheme| lower.find(scheme)).min();
            if let Some(at) = inner {
                let target = rest[at..].split(['&', '#']).next().unwrap_or_default();
                if target.contains('.') {
                    pending.push(target.to_owned());
                }
            }
        }
    }
    if user.is_some() {
        forms.push(format!("{scheme}{host}{with_port}{rest}"));
    }
    let tidy = host.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    if tidy != host {
        forms.push(format!("{scheme}{tidy}{with_port}{rest}"));
    }
    if let Some(address) = numeric_host(tidy) {
        forms.push(format!("{scheme}{address}{with_port}{rest}"));
    } else if scheme.len() == 7 && user.is_none() && port.is_none_or(|port| port == "80") && tidy != "localhost" {
        let name = tidy.strip_prefix("www.").unwrap_or(tidy);
        if !name.is_empty() && !name.contains('.') {
            forms.push(format!("{scheme}www.{name}.com{rest}"));
        }
    }
}

/// An IPv4 address written as one number, in octal or hexadecimal.
fn numeric_host(host: &str) -> Option<std::net::Ipv4Addr> {
    let number = |text: &str| -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        if let Some(hex) = lower.strip_prefix("0x") {
            u32::from_str_radix(hex, 16).ok()
        } else if lower.len() > 1 && lower.starts_with('0') {
            u32::from_str_radix(&lower, 8).ok().or_else(|| lower.trim_start_matches('0').parse().ok())
        } else {
            lower.parse().ok()
        }
    };
    let parts: Vec<&str> = host.split('.').collect();
    match parts[..] {
        [one] if !one.is_empty() && one.bytes().all(|b| b.is_ascii_hexdigit() || b == b'x' || b == b'X') => {
            number(one).map(std::net::Ipv4Addr::from)
        }
        [_, _, _, _] => {
            let octets: Option<Vec<u8>> = parts.iter().map(|part| u8::try_from(number(part)?).ok()).collect();
            octets.and_then(|octets| <[u8; 4]>::try_from(octets).ok()).map(std::net::Ipv4Addr::from)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let mut settings = Settings::default();
        settings.suffixes[0].extend(["com", "example", "uk"].map(str::to_owned));
        settings.suffixes[1].insert("co.uk".to_owned());
        settings
    }

    #[test]
    fn links_are_found_as_mail_programs_show_them() {
        let text =
            b"see http://a.example/x?y=(1), (www.b.example). write joe@c.example; or d.example/path and e.nonsense";
        let found: Vec<String> = in_text(text, &settings()).into_iter().map(|found| found.uri).collect();
        assert_eq!(
            found,
            ["http://a.example/x?y=(1", "http://www.b.example", "mailto:joe@c.example", "http://d.example/path"]
        );
    }

    #[test]
    fn a_link_is_seen_in_all_its_forms() {
        let forms = forms("http://u@0x7f000001:80/%41?to=http://b.example/", &settings());
        for form in ["http://127.0.0.1:80/A?to=http://b.example/", "http://b.example/"] {
            assert!(forms.iter().any(|known| known == form), "{form}: {forms:?}");
        }
    }

    #[test]
    fn domains_are_those_that_can_be_registered() {
        let settings = settings();
        assert_eq!(settings.domain_of("www.a.co.uk"), "a.co.uk");
        assert_eq!(
            settings.domain_and_host("HTTP://x@www.a.example:8080/y"),
            Some(("a.example".into(), "www.a.example".into()))
        );
        assert_eq!(settings.domain_and_host("http://a.nonsense/"), None);
    }

    #[test]
    fn relative_links_are_resolved() {
        for (base, link, expected) in [
            ("", "//www.a.example/", "http://www.a.example/"),
            ("http://a.example/b/c", "d", "http://a.example/b/d"),
            ("http://a.example/b/", "/d", "http://a.example/d"),
            ("http://a.example/", "mailto:x@y", "mailto:x@y"),
        ] {
            assert_eq!(resolved(base, link), expected);
        }
    }
}
