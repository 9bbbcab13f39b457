//! What a policy asks about a message.

use super::{AddressSet, AttachmentCondition, Facts, HeaderCondition, Hours, TlsCondition, asked::Asked, glob::Glob};
use crate::{
    message::{MessageFacts, Script},
    score::FindingPattern,
    session::Connection,
    verdict::Points,
};
use ipnet::IpNet;
use regex::Regex;

/// The `when` of a policy. All that is set must hold; nothing set holds always.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// One of these findings is on the card.
    pub findings: Vec<FindingPattern>,
    /// The recipient's total is at least this.
    pub points_at_least: Option<Points>,
    /// The recipient's total is below this.
    pub points_below: Option<Points>,
    /// Attachments are like this.
    pub attachment: Option<AttachmentCondition>,
    /// The message is larger than this. Unit: bytes.
    pub size_over: Option<usize>,
    /// A header field is like this.
    pub header: Option<HeaderCondition>,
    /// One of these fits a text of the message.
    pub text: Vec<Regex>,
    /// One of these fits the host of a link.
    pub link: Vec<Glob>,
    /// An address of From is one of these.
    pub header_from: AddressSet,
    /// One of these fits a character set that a part of text declares.
    pub charset: Vec<Glob>,
    /// Most letters of the text are in one of these writings.
    pub script: Vec<Script>,
    /// The text is in one of these languages, as codes of ISO 639-1.
    pub language: Vec<String>,
    /// The message ends within these hours.
    pub time: Option<Hours>,
    /// The client's connection is encrypted like this.
    pub tls: Option<TlsCondition>,
    /// The client has logged in, or has not.
    pub authenticated: Option<bool>,
    /// The client has logged in, and one of these fits its name.
    pub user: Vec<Glob>,
    /// The result of SPF is one of these.
    pub spf: Vec<String>,
    /// The result of one DKIM signature is one of these; a message without signature has the result `none`.
    pub dkim: Vec<String>,
    /// The result of ARC is one of these.
    pub arc: Vec<String>,
    /// The result of DMARC is one of these.
    pub dmarc: Vec<String>,
    /// The client's address is in one of these networks.
    pub client: Vec<IpNet>,
    /// The client's country is one of these, in capital letters.
    pub country: Vec<String>,
    /// All of these hold too.
    pub all: Vec<Conditions>,
    /// One of these holds too.
    pub any: Vec<Conditions>,
    /// This does not hold.
    pub not: Option<Box<Conditions>>,
}

impl Conditions {
    /// Whether all holds for a recipient with this total.
    pub(super) fn hold(&self, asked: &Asked<'_>, points: Points) -> bool {
        self.failing(asked, points).is_none()
    }

    /// The first key that does not hold; what costs little is asked first.
    fn failing(&self, asked: &Asked<'_>, points: Points) -> Option<&'static str> {
        let (facts, message) = (asked.facts, asked.facts.message);
        let fails = |key: &'static str, holds: bool| (!holds).then_some(key);
        self.session_failing(facts.connection, facts.country)
            .or_else(|| fails("points_at_least", self.points_at_least.is_none_or(|least| points >= least)))
            .or_else(|| fails("points_below", self.points_below.is_none_or(|bound| points < bound)))
            .or_else(|| fails("size_over", self.size_over.is_none_or(|bound| message.size > bound)))
            .or_else(|| fails("time", self.time.as_ref().is_none_or(|hours| hours.hold(facts.time))))
            .or_else(|| self.authentication_failing(facts))
            .or_else(|| fails("finding", self.findings.is_empty() || self.finds(facts)))
            .or_else(|| fails("header_from", self.header_from.is_empty() || asked.is_from(&self.header_from)))
            .or_else(|| fails("script", is_one(&self.script, message.script)))
            .or_else(|| fails("language", is_one(&self.language, message.language.as_deref())))
            .or_else(|| fails("charset", fits_one(&self.charset, &message.charsets)))
            .or_else(|| fails("link", fits_one(&self.link, &message.link_hosts)))
            .or_else(|| fails("attachment", self.attachment.as_ref().is_none_or(|a| a.holds(&message.attachments))))
            .or_else(|| fails("header", self.header.as_ref().is_none_or(|h| h.holds(message))))
            .or_else(|| fails("text", self.text.is_empty() || self.is_said(message)))
            .or_else(|| fails("all", self.all.iter().all(|inner| inner.hold(asked, points))))
            .or_else(|| fails("any", self.any.is_empty() || self.any.iter().any(|inner| inner.hold(asked, points))))
            .or_else(|| fails("not", self.not.as_ref().is_none_or(|inner| !inner.hold(asked, points))))
    }

    /// The first key that does not hold, of those that ask before the message is there.
    fn session_failing(&self, connection: &Connection, country: Option<&str>) -> Option<&'static str> {
        let in_networks = |nets: &[IpNet]| {
            connection.client_ip.is_some_and(|ip| nets.iter().any(|net| net.contains(&ip.to_canonical())))
        };
        let login = connection.login.as_ref();
        let fails = |key: &'static str, holds: bool| (!holds).then_some(key);
        fails("tls", self.tls.is_none_or(|tls| tls.holds(connection.tls.as_ref())))
            .or_else(|| fails("authenticated", self.authenticated.is_none_or(|wanted| wanted == login.is_some())))
            .or_else(|| fails("user", fits_one(&self.user, login.map(|login| &login.name))))
            .or_else(|| fails("client", self.client.is_empty() || in_networks(&self.client)))
            .or_else(|| fails("country", is_one(&self.country, country)))
    }

    fn authentication_failing(&self, facts: &Facts<'_>) -> Option<&'static str> {
        let results = facts.authentication;
        let one = |wanted: &[String], result: &str| {
            wanted.is_empty() || wanted.iter().any(|w| w.eq_ignore_ascii_case(or_none(result)))
        };
        let dkim = match results.dkim.is_empty() {
            true => one(&self.dkim, "none"),
            false => results.dkim.iter().any(|result| one(&self.dkim, result)),
        };
        let all = [
            ("spf", one(&self.spf, &results.spf)),
            ("dkim", dkim),
            ("arc", one(&self.arc, &results.arc)),
            ("dmarc", one(&self.dmarc, &results.dmarc)),
        ];
        all.into_iter().find(|(_, holds)| !holds).map(|(key, _)| key)
    }

    /// Whether all may hold, by what is known before the message is there: TLS, login, client. `not` is left to the message.
    pub(super) fn may_hold(&self, connection: &Connection, country: Option<&str>) -> bool {
        let may_hold = |inner: &Conditions| inner.may_hold(connection, country);
        self.session_failing(connection, country).is_none()
            && self.all.iter().all(may_hold)
            && (self.any.is_empty() || self.any.iter().any(may_hold))
    }

    /// Whether the policy asks for a malware finding by name, and the card has it: only then may it decide on malware.
    pub(super) fn names_malware_found(&self, asked: &Asked<'_>, points: Points) -> bool {
        let named = |p: &&FindingPattern| p.names_malware();
        let on_card = |p: &FindingPattern| asked.facts.card.findings.iter().any(|f| p.matches(&f.id));
        self.findings.iter().filter(named).any(on_card)
            || self.all.iter().any(|inner| inner.names_malware_found(asked, points))
            || self.any.iter().any(|inner| inner.names_malware_found(asked, points) && inner.hold(asked, points))
    }

    /// Calls `visit` for these conditions and all within.
    pub(super) fn each(&self, visit: &mut impl FnMut(&Conditions)) {
        visit(self);
        self.all.iter().chain(&self.any).chain(self.not.as_deref()).for_each(|inner| inner.each(visit));
    }

    fn finds(&self, facts: &Facts<'_>) -> bool {
        facts.card.findings.iter().any(|f| self.findings.iter().any(|p| p.matches(&f.id)))
    }

    fn is_said(&self, message: &MessageFacts) -> bool {
        self.text.iter().any(|wanted| message.texts.iter().any(|text| wanted.is_match(text)))
    }

    /// In a few words why all does not hold; `None` if it does.
    pub(super) fn why_not(&self, asked: &Asked<'_>, points: Points) -> Option<String> {
        let key = self.failing(asked, points)?;
        let (facts, message) = (asked.facts, asked.facts.message);
        let listed = |words: &mut dyn Iterator<Item = &String>| {
            let words: Vec<&str> = words.map(String::as_str).take(SHOWN).collect();
            if words.is_empty() { "none".to_owned() } else { words.join(", ") }
        };
        let why = match key {
            "points_at_least" => format!("{points} < {}", self.points_at_least.unwrap_or_default()),
            "points_below" => format!("{points} >= {}", self.points_below.unwrap_or_default()),
            "size_over" => format!("{} bytes are not more than {}", message.size, self.size_over.unwrap_or_default()),
            "time" => format!("it was {}", self.time.as_ref().map(|h| h.shown(facts.time)).unwrap_or_default()),
            "tls" => facts.connection.tls.as_ref().map_or("not encrypted".to_owned(), |tls| tls.version.clone()),
            "authenticated" if facts.connection.login.is_some() => "the client has logged in".to_owned(),
            "authenticated" => "the client has not logged in".to_owned(),
            "user" => match &facts.connection.login {
                Some(login) => format!("{} is not in the list", login.name),
                None => "the client has not logged in".to_owned(),
            },
            "client" => "the address is in none of the networks".to_owned(),
            "country" => format!("it is {}", facts.country.unwrap_or("not known")),
            "spf" => format!("it is {}", or_none(&facts.authentication.spf)),
            "dkim" => format!("it is {}", listed(&mut facts.authentication.dkim.iter())),
            "arc" => format!("it is {}", or_none(&facts.authentication.arc)),
            "dmarc" => format!("it is {}", or_none(&facts.authentication.dmarc)),
            "finding" => "there is none of these".to_owned(),
            "header_from" => format!("{} is not in the list", listed(&mut message.from.iter())),
            "script" => format!("it is {}", message.script.map_or("not known", Script::word)),
            "language" => format!("it is {}", message.language.as_deref().unwrap_or("not known")),
            "charset" => format!("declared is {}", listed(&mut message.charsets.iter())),
            "link" => "no link leads there".to_owned(),
            "attachment" => self.attachment.as_ref().map(|a| a.why_not(&message.attachments)).unwrap_or_default(),
            "header" => self.header.as_ref().map(HeaderCondition::why_not).unwrap_or_default(),
            "text" => "the text is not like this".to_owned(),
            "all" => {
                let inner = self.all.iter().enumerate().find_map(|(i, c)| Some((i, c.why_not(asked, points)?)));
                return inner.map(|(index, why)| format!("all[{}].{why}", index + 1));
            }
            "any" => "none of these holds".to_owned(),
            _ => "it holds".to_owned(),
        };
        Some(format!("{key}: {why}"))
    }
}

/// Most words of a fact that are shown. Unit: words. Source: our own limit, one line of text.
const SHOWN: usize = 3;

/// A result in the words of RFC 8601 §2.7; empty means `none`.
fn or_none(result: &str) -> &str {
    if result.is_empty() { "none" } else { result }
}

fn is_one<T, U>(wanted: &[T], found: Option<U>) -> bool
where
    T: PartialEq<U>,
{
    wanted.is_empty() || found.is_some_and(|found| wanted.iter().any(|w| *w == found))
}

fn fits_one<'t>(wanted: &[Glob], found: impl IntoIterator<Item = &'t String>) -> bool {
    wanted.is_empty() || found.into_iter().any(|text| wanted.iter().any(|glob| glob.fits(text)))
}
