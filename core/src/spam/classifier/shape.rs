//! How a message is built, where its links lead, and what names its source.

use super::{
    features::{Builder, Kind},
    words,
};
use crate::{
    message::{Disposition, Encoding, Link, LinkKind, Message},
    spam::hosts,
};
use std::collections::BTreeSet;

/// Most links that are looked at. Unit: links. Source: our own limit.
const LINKS: usize = 100;
/// Most links whose path is cut into words. Unit: links. Source: our own limit.
const PATHS: usize = 20;
/// Most words of one path. Unit: words. Source: our own limit.
const PATH_WORDS: usize = 6;
/// Most parts whose type counts. Unit: parts. Source: our own limit.
const PARTS: usize = 10;

/// Fields whose presence counts as the way a message is built. What a receiving site, a list or a filter adds is not
/// among them.
const FIELDS: &[&str] = &[
    "In-Reply-To",
    "References",
    "Reply-To",
    "Cc",
    "X-Priority",
    "Importance",
    "Organization",
    "Disposition-Notification-To",
];
/// Fields that name the source: bulk senders and lists.
const SOURCE_FIELDS: &[&str] =
    &["List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Precedence", "Feedback-ID", "Auto-Submitted"];

/// Notes everything but the words.
pub(super) fn note(message: &Message<'_>, builder: &mut Builder) {
    header(message, builder);
    structure(message, builder);
    links(&message.links, builder);
}

fn header(message: &Message<'_>, builder: &mut Builder) {
    for header in message.headers.iter() {
        for (fields, kind) in [(FIELDS, Kind::Shape), (SOURCE_FIELDS, Kind::Source)] {
            if let Some(name) = fields.iter().find(|name| name.eq_ignore_ascii_case(&header.name)) {
                builder.note(kind, &["has ", name]);
            }
        }
    }
    if let Some(program) = message.headers.decoded("X-Mailer").or_else(|| message.headers.decoded("User-Agent")) {
        words::name(program.get(..program.floor_char_boundary(60)).unwrap_or_default(), Kind::Source, builder);
    }
    if let Some(from) = message.from.first() {
        let domain = from.domain();
        words::name(&from.name, Kind::Name, builder);
        builder.note(Kind::Source, &["from ", hosts::registered(&domain)]);
        let top = domain.rsplit('.').next().unwrap_or_default();
        builder.note(Kind::Shape, &["from top ", top]);
        let local = from.address.split('@').next().unwrap_or_default();
        let digits = local.bytes().filter(u8::is_ascii_digit).count();
        builder.note(Kind::Shape, &["from digits ", bucket(digits)]);
        if from.name.is_empty() {
            builder.note(Kind::Shape, &["from without name"]);
        }
        if hosts::is_freemail(&domain) {
            builder.note(Kind::Shape, &["from free mail"]);
        }
        if let Some(reply) = message.reply_to.first() {
            let same = hosts::registered(&reply.domain()) == hosts::registered(&domain);
            builder.note(Kind::Shape, &[if same { "reply to same domain" } else { "reply to other domain" }]);
        }
        let id = message.message_id().unwrap_or_default();
        let id_domain = id.trim_end_matches('>').rsplit_once('@').map_or("", |(_, domain)| domain);
        let same = hosts::registered(&id_domain.to_lowercase()) == hosts::registered(&domain);
        builder.note(Kind::Shape, &[if same { "id of the sender's domain" } else { "id of another domain" }]);
    }
    subject(&message.subject, builder);
}

fn subject(subject: &str, builder: &mut Builder) {
    let subject = subject.trim();
    let start = subject.get(..4).unwrap_or_default().to_ascii_lowercase();
    if start.starts_with("re:") {
        builder.note(Kind::Shape, &["subject reply"]);
    } else if start.starts_with("fw:") || start == "fwd:" {
        builder.note(Kind::Shape, &["subject forward"]);
    }
    let letters = subject.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = subject.chars().filter(|c| c.is_uppercase()).count();
    builder.note(Kind::Shape, &["subject letters ", bucket(letters)]);
    builder.note(Kind::Shape, &["subject capitals ", share(capitals, letters)]);
    if subject.contains(['!', '\u{ff01}']) {
        builder.note(Kind::Shape, &["subject exclaims"]);
    }
    if subject.contains(['?', '\u{ff1f}']) {
        builder.note(Kind::Shape, &["subject asks"]);
    }
}

fn structure(message: &Message<'_>, builder: &mut Builder) {
    let mut types = String::new();
    for part in message.parts.iter().take(PARTS) {
        types.push_str(part.content_type.split(';').next().unwrap_or_default());
        types.push(' ');
        if part.is_body && part.encoding == Encoding::Base64 && part.content.is_ascii() {
            builder.note(Kind::Shape, &["needless base64"]);
        }
        if part.disposition == Disposition::Attachment {
            builder.note(Kind::Shape, &["attachment ", &part.content_type]);
        }
    }
    builder.note(Kind::Shape, &["parts ", &types]);
    for attachment in message.files_beside_text().take(PARTS) {
        builder.note(Kind::Shape, &["file ", attachment.kind.word()]);
    }
    let text = &message.text;
    let html = message.html;
    builder.note(Kind::Shape, &["text ", bucket(text.visible().len() / 64)]);
    if html.present {
        let plain = if text.plain.trim().is_empty() { "html alone" } else { "html and text" };
        builder.note(Kind::Shape, &[plain]);
        builder.note(Kind::Shape, &["images ", bucket(html.images as usize)]);
        builder.note(Kind::Shape, &["remote images ", bucket(html.remote_images as usize)]);
        builder.note(Kind::Shape, &["hidden text ", share(text.hidden.len(), text.shown.len() + text.hidden.len())]);
        if html.forms > 0 {
            builder.note(Kind::Shape, &["form"]);
        }
        if html.scripts > 0 {
            builder.note(Kind::Shape, &["script"]);
        }
    }
    for damage in message.damage.iter().take(PARTS) {
        builder.note(Kind::Shape, &["damage ", damage.word()]);
    }
}

fn links(links: &[Link], builder: &mut Builder) {
    builder.note(Kind::Shape, &["links ", bucket(links.len())]);
    let mut seen = BTreeSet::new();
    for (index, link) in links.iter().take(LINKS).enumerate() {
        let address = link.host_is_address();
        if address {
            builder.note(Kind::Shape, &["link to an address"]);
        } else if !link.host.is_empty() && seen.insert(&link.host) {
            builder.note(Kind::Link, &["host ", hosts::registered(&link.host)]);
            builder.note(Kind::Link, &["top ", link.host.rsplit('.').next().unwrap_or_default()]);
        }
        if link.has_user {
            builder.note(Kind::Shape, &["link with user"]);
        }
        if link.kind == LinkKind::Form || !matches!(link.scheme.as_str(), "http" | "https") {
            builder.note(Kind::Shape, &["link ", &link.scheme]);
        }
        if index < PATHS && !address {
            let path = link.url.splitn(4, '/').nth(3).unwrap_or_default();
            let words = path.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| (3..=20).contains(&word.len()));
            for word in words.take(PATH_WORDS) {
                builder.note(Kind::Link, &["path ", &word.to_ascii_lowercase()]);
            }
        }
    }
}

/// The order of magnitude of a number.
fn bucket(number: usize) -> &'static str {
    match number {
        0 => "0",
        1 => "1",
        2..=3 => "2",
        4..=7 => "4",
        8..=15 => "8",
        16..=31 => "16",
        32..=63 => "32",
        64..=255 => "64",
        _ => "256",
    }
}

/// A share in steps.
fn share(part: usize, whole: usize) -> &'static str {
    match part * 100 / whole.max(1) {
        0 => "none",
        1..=10 => "few",
        11..=40 => "some",
        41..=80 => "many",
        _ => "all",
    }
}
