//! A judged message, and the table of them.

use super::{
    facts::Facts,
    judging::Verdict,
    mail::Labelled,
    peers::{Peer, Said},
};
use crate::cli::report::csv::quoted;
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

/// What was said about a message.
#[derive(Debug)]
pub(super) struct Row<'r> {
    /// Of the message.
    pub(super) number: usize,
    pub(super) round: &'r str,
    /// `None`: its file has gone.
    pub(super) verdict: Option<Verdict>,
    /// In the order of the peers.
    pub(super) said: Vec<Option<Said>>,
}

impl Row<'_> {
    /// The verdict, unless the message was put off.
    pub(super) fn judged(&self) -> Option<&Verdict> {
        self.verdict.as_ref().filter(|verdict| !verdict.is_deferred())
    }
}

/// Writes a line for each message, as comma separated values (RFC 4180).
///
/// # Errors
///
/// If the file cannot be written.
pub(super) fn write(
    path: &Path,
    rows: &[Row<'_>],
    mail: &[Labelled],
    facts: &[Facts],
    peers: &[Peer],
) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let mut out = BufWriter::new(File::create(path).map_err(cannot)?);
    let heads = peers.iter().map(|peer| format!(",{}", peer.name())).collect::<String>();
    write!(out, "file,set,group,class,campaign,round,verdict,points{heads},findings\r\n").map_err(cannot)?;
    for row in rows {
        let (labelled, facts) = (&mail[row.number], &facts[row.number]);
        let known = [&labelled.name, &labelled.set, &labelled.group, labelled.class.word(), &facts.campaign, row.round];
        let mut fields: Vec<String> = known.iter().map(|field| (*field).to_owned()).collect();
        let verdict = row.verdict.as_ref();
        fields.push(verdict.map(|verdict| verdict.word.clone()).unwrap_or_default());
        fields.push(verdict.map(|verdict| verdict.points.to_string()).unwrap_or_default());
        fields.extend(row.said.iter().map(|said| said.map(|said| said.score.to_string()).unwrap_or_default()));
        let findings = verdict.map(|verdict| verdict.findings.as_slice()).unwrap_or_default();
        fields.push(findings.iter().map(|(id, points)| format!("{id} {points}")).collect::<Vec<_>>().join("; "));
        let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
        write!(out, "{}\r\n", fields.join(",")).map_err(cannot)?;
    }
    out.flush().map_err(cannot)
}
