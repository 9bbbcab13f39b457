//! What a door tells the engine, and what it hears back.

use super::Report;
use crate::{
    session::{Login, RefuseAt, Tls},
    verdict::{Host, Reference, Reply, Verdict},
};
use serde_json::Value;
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// How a session is run.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// At which command a client of bad reputation is answered.
    pub refuse_at: RefuseAt,
    /// What the mail server behind the door can do.
    pub host: Host,
    /// Whether events and answers are kept for [`super::Session::recording`].
    pub record: bool,
    /// Whether each transaction is kept for [`super::Session::seen`].
    pub witness: bool,
    /// Answers of a recording to use instead of asking.
    pub replay: Option<BTreeMap<String, Vec<Value>>>,
    /// Whether explanations say which policies did not match, and why: for a person who looks at them at once.
    pub tell_not_matched: bool,
}

/// A client has connected.
#[derive(Debug, Clone)]
pub struct ConnectFacts {
    /// Unix seconds: the clock of the session.
    pub time: i64,
    /// Client address.
    pub client_ip: Option<IpAddr>,
    /// Client name, if the MTA has found one.
    pub client_name: Option<String>,
    /// Name of the receiving MTA.
    pub mta_name: Option<String>,
    /// Mail handed in by a program on the MTA's own host: recipients must not be refused there.
    pub local_submission: bool,
}

/// A MAIL command.
#[derive(Debug, Clone)]
pub struct MailFacts<'a> {
    /// Unix seconds.
    pub time: i64,
    /// The address, with or without its brackets.
    pub sender: &'a [u8],
    /// ESMTP parameters.
    pub parameters: Vec<&'a [u8]>,
    /// Set if the client has authenticated.
    pub login: Option<Login>,
    /// Set if the connection is encrypted.
    pub tls: Option<Tls>,
}

/// Answer to a command before the end of data.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// A refusal with the reference of its transaction; `None` lets the command pass. Code 421 closes the connection.
    pub reply: Option<(Reply, Reference)>,
    /// How long the door waits before it answers (tarpit).
    pub delay: Duration,
}

/// Answer to the end of a message.
#[must_use]
#[derive(Debug, Clone)]
pub struct Judged {
    /// What becomes of the message.
    pub verdict: Verdict,
    /// Why.
    pub report: Report,
}
