//! What the rules share: everything that several of them need is found out once for a message.

use super::{
    AtEnd, graymail, hosts,
    phrases::Phrases,
    wording::{self, Wording},
};
use crate::{
    message::{Link, LinkKind, Mailbox, Message},
    session::{Recipient, ReversePath},
};

/// A message as the rules see it.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Envelope sender.
    pub(crate) sender: &'a ReversePath,
    /// Accepted recipients.
    pub(crate) recipients: &'a [Recipient],
    /// The message.
    pub(crate) message: &'a Message<'a>,
    /// When the message ended, in Unix seconds.
    pub(crate) now: i64,
    /// First mailbox of From.
    pub(crate) from: Option<&'a Mailbox>,
    /// Its domain, lower case; empty if there is none.
    pub(crate) from_domain: String,
    /// The registered part of that domain.
    pub(crate) from_site: String,
    /// Whether the message came through a mailing list.
    pub(crate) is_list: bool,
    /// Which kind of mass mail the message is.
    pub(super) graymail: Option<graymail::Kind>,
    /// The text that a reader sees.
    pub(crate) body: Wording,
    /// The subject.
    pub(crate) subject: Wording,
    /// The sender's display name.
    pub(crate) name: Wording,
    /// Phrases of the table that the body holds.
    pub(crate) phrases: Phrases,
    /// Phrases of the table that the subject holds.
    pub(crate) subject_phrases: Phrases,
    /// Links that a reader may follow.
    pub(crate) links: Vec<Followed<'a>>,
}

/// A link that a reader may follow.
#[derive(Debug)]
pub(crate) struct Followed<'a> {
    pub(crate) link: &'a Link,
    /// The part of the host that somebody registered; empty for links without host.
    pub(crate) site: &'a str,
    /// What is known of the host.
    pub(crate) kind: Option<hosts::Kind>,
}

impl<'a> Followed<'a> {
    fn of(link: &'a Link) -> Self {
        Followed { link, site: hosts::registered(&link.host), kind: hosts::kind(&link.host) }
    }

    /// Everything of the URL after the host and port.
    pub(crate) fn path(&self) -> &'a str {
        let rest = self.link.url.split_once("://").map_or("", |(_, rest)| rest);
        rest.find('/').map_or("", |at| &rest[at..])
    }
}

impl<'a> Facts<'a> {
    /// Finds out once what several rules need.
    pub fn of(at_end: &AtEnd<'a>) -> Self {
        let message = at_end.message;
        let from = message.from.first();
        let from_domain = from.map(Mailbox::domain).unwrap_or_default();
        let body = Wording::of(message.text.visible(), wording::BODY_BYTES);
        let subject = Wording::of(&message.subject, wording::LINE_BYTES);
        let links = message.links.iter().filter(|link| link.kind != LinkKind::Image);
        Facts {
            sender: at_end.sender,
            recipients: at_end.recipients,
            message,
            now: at_end.now,
            from,
            from_site: hosts::registered(&from_domain).to_owned(),
            from_domain,
            graymail: graymail::kind_of(message),
            is_list: message.headers.has("List-Id") || message.headers.has("List-Post"),
            name: Wording::of(from.map(|from| from.name.as_str()).unwrap_or_default(), wording::LINE_BYTES),
            phrases: Phrases::of(&body.normal),
            subject_phrases: Phrases::of(&subject.normal),
            body,
            subject,
            links: links.map(Followed::of).collect(),
        }
    }

    /// Whether a field of this name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.message.headers.has(name)
    }

    /// Links behind words, a form or in text that lead to a web host.
    pub(crate) fn web_links(&self) -> impl Iterator<Item = &Followed<'a>> {
        self.links.iter().filter(|followed| !followed.link.host.is_empty())
    }

    /// Whether the message offers a link to the web.
    pub(crate) fn has_web_link(&self) -> bool {
        self.web_links().next().is_some()
    }
}
