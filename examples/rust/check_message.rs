//! Judges one message with the engine and prints the explanation: what a door of Mailward does, in one file.
//!
//!     cargo run -p mailward-core --example check_message -- mail.eml sender@example.net recipient@example.com

use mailward_core::{
    config::Config,
    engine::{ConnectFacts, Engine, MailFacts, SessionOptions, Shared},
};
use std::{
    error::Error,
    time::{SystemTime, UNIX_EPOCH},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(sender), Some(recipient)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: check_message FILE SENDER RECIPIENT".into());
    };
    let message = wire_form(&std::fs::read(file)?);
    let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().cast_signed();

    // The built-in defaults; `mailward_core::config::load` reads a file. State is in memory, DNS is the system's.
    let engine = Engine::build(Config::default(), Shared::in_memory(None)).await.map_err(|faults| faults.join("\n"))?;

    // A session knows what the door tells it: without the client's address nothing is judged about the client.
    let mut session = engine.session(SessionOptions::default());
    let client = ConnectFacts { time, client_ip: None, client_name: None, mta_name: None, local_submission: false };
    let mut refusal = session.connect(client).await.reply;
    if refusal.is_none() {
        let facts = MailFacts { time, sender: sender.as_bytes(), parameters: Vec::new(), login: None, tls: None };
        refusal = session.mail(facts).await.reply;
    }
    if refusal.is_none() {
        refusal = session.rcpt(time, recipient.as_bytes(), None).await.reply;
    }
    if let Some((reply, reference)) = refusal {
        println!("refused before the message: {} {}", reply.code(), reply.text_with(reference));
        return Ok(());
    }
    session.whole_message(&message);
    let judged = session.end_of_message(time, None).await;
    println!("{}", judged.report.explanation);
    for edit in &judged.verdict.edits {
        println!("the MTA would: {edit:?}");
    }
    Ok(())
}

/// CRLF line ends, as on the wire.
fn wire_form(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}
