//! All that a decision depends on.

use crate::{
    message::MessageFacts,
    session::{Connection, Direction, Recipient, ReversePath},
    verdict::{Card, Host, Reply},
};
use serde::{Deserialize, Serialize};

/// The facts of one message, as the engine has gathered them.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Inbound or outbound.
    pub direction: Direction,
    /// Envelope sender.
    pub sender: &'a ReversePath,
    /// The client.
    pub connection: &'a Connection,
    /// Country of the client by ISO 3166-1, two capital letters, if a policy asks and it is known.
    pub country: Option<&'a str>,
    /// When the message ended. Unix seconds.
    pub time: i64,
    /// Accepted recipients in the order of their RCPT commands. There must be at least one.
    pub recipients: &'a [Recipient],
    /// All findings.
    pub card: &'a Card,
    /// The message.
    pub message: &'a MessageFacts,
    /// Results of SPF, DKIM, ARC and DMARC.
    pub authentication: &'a AuthenticationResults,
    /// What a check demands at once: a refusal (DMARC) or a deferral (a lookup in trouble).
    pub early: Option<&'a Reply>,
    /// Whether `early` acts on outbound mail too where that is not filtered: it is about the rights of the user.
    pub early_of_outbound: bool,
    /// Whether all of the message is here. Of one past its bound only the beginning is.
    pub complete: bool,
    /// What the mail server can do with the message.
    pub host: Host,
}

/// Results of the authentication checks in the words of RFC 8601 §2.7; empty means `none`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationResults {
    /// SPF of the envelope sender, or of HELO for the null sender.
    pub spf: String,
    /// One result for each signature looked at.
    pub dkim: Vec<String>,
    /// The chain of ARC.
    pub arc: String,
    /// DMARC.
    pub dmarc: String,
}
