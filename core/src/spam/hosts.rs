//! Small tables of hosts, and what domains belong together.

/// Mailbox providers where anybody gets an address. Sorted.
const FREEMAIL: &[&str] = &[
    "126.com",
    "163.com",
    "aol.com",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.fr",
    "icloud.com",
    "inbox.ru",
    "laposte.net",
    "live.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "outlook.com",
    "outlook.de",
    "outlook.fr",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "rocketmail.com",
    "sina.com",
    "t-online.de",
    "tuta.com",
    "tutanota.com",
    "web.de",
    "yahoo.co.in",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.com.br",
    "yahoo.de",
    "yahoo.fr",
    "yandex.com",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
    "zohomail.com",
];

/// Services that hide where a link leads. Sorted.
const SHORTENERS: &[&str] = &[
    "bit.ly",
    "bitly.com",
    "buff.ly",
    "cutt.ly",
    "goo.su",
    "is.gd",
    "n9.cl",
    "ow.ly",
    "qrco.de",
    "rb.gy",
    "rebrand.ly",
    "s.id",
    "shorturl.asia",
    "shorturl.at",
    "t.ly",
    "t2m.io",
    "tiny.cc",
    "tinyurl.com",
    "u.to",
    "urlz.fr",
    "v.gd",
    "vk.cc",
];

/// Domains of services that rewrite the links of passing mail. Sorted.
const REWRITERS: &[&str] = &[
    "barracudanetworks.com",
    "fireeye.com",
    "getmailspring.com",
    "mailtrack.io",
    "mimecast.com",
    "mimecastprotect.com",
    "outlook.com",
    "ppemail.com",
    "proofpoint.com",
    "sophos.com",
    "trendmicro.com",
    "urldefense.com",
    "urldefense.us",
];

/// Whether the host is of a service that rewrites the links of passing mail.
pub(super) fn is_rewriter(host: &str) -> bool {
    REWRITERS.binary_search(&registered(host)).is_ok()
}

/// Whether the domain gives addresses to anybody.
pub(crate) fn is_freemail(domain: &str) -> bool {
    FREEMAIL.binary_search(&domain).is_ok()
}

/// Whether the host shortens links.
pub(super) fn is_shortener(host: &str) -> bool {
    SHORTENERS.binary_search(&host.strip_prefix("www.").unwrap_or(host)).is_ok()
}

/// The part of a host that somebody registered: `example.co.uk` of `www.example.co.uk`.
pub(super) fn registered(host: &str) -> &str {
    psl::domain_str(host).unwrap_or(host)
}

/// Whether a label of the host mixes alphabets that look alike, as Cyrillic letters in a Latin word do.
pub(super) fn mixes_alphabets(host: &str) -> bool {
    if !host.contains("xn--") {
        return false;
    }
    let (unicode, _) = idna::domain_to_unicode(host);
    unicode.split('.').filter(|label| !label.is_ascii()).any(|label| {
        let latin = label.chars().any(|c| c.is_ascii_alphabetic() || ('\u{c0}'..='\u{24f}').contains(&c));
        let other =
            label.chars().any(|c| matches!(c, '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{52f}' | '\u{530}'..='\u{58f}'));
        // A word made of nothing but Cyrillic letters that look Latin is as bad as a mixed one.
        let disguised = label.chars().all(|c| "асеорхуіјѕԁһкмтв-0123456789".contains(c));
        latin && other || disguised
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_binary_search() {
        assert!(FREEMAIL.is_sorted());
        assert!(SHORTENERS.is_sorted());
        assert!(REWRITERS.is_sorted());
    }

    #[test]
    fn look_alike_labels_are_seen_and_honest_international_names_are_not() {
        let ascii = |host: &str| idna::domain_to_ascii(host).expect("a host");
        assert!(mixes_alphabets(&ascii("p\u{430}ypal.example")), "Latin with a Cyrillic a");
        assert!(mixes_alphabets(&ascii("\u{441}\u{43e}\u{440}\u{435}.example")), "all Cyrillic, reads as cope");
        assert!(!mixes_alphabets(&ascii("b\u{fc}cher.example")));
        assert!(!mixes_alphabets(&ascii("\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.example")));
        assert!(!mixes_alphabets("example.com"));
    }
}
