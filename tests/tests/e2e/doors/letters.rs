//! The mail that both doors get: messages with an envelope each.

use mailward_tests::clamd;
use mailward_tests::dkim::Signer;
use mailward_tests::scratch::Scratch;
use mailward_tests::smtp::Client;

use crate::limits::gtube;
use crate::site::{ALICE, BOB, CAROL, message, with_attachment};

#[allow(dead_code, reason = "benchmarks use the rest")]
#[path = "../../../../core/benches/shared/corpus.rs"]
mod corpus;

/// Of the made up messages of benchmarks. Unit: messages.
const MADE_UP: usize = 27;

/// A message with its envelope.
pub(super) struct Letter {
    number: usize,
    pub(super) client: String,
    from: String,
    to: Vec<&'static str>,
    text: Vec<u8>,
}

/// All letters, in an order that mixes what their envelopes are like.
pub(super) fn all(signer: &Signer) -> Vec<Letter> {
    let made_up = std::env::var_os("MAILWARD_CORPUS").is_none_or(|folder| folder.is_empty());
    let count = std::env::var("MAILWARD_MESSAGES").map_or(2_000, |count| count.parse().expect("MESSAGES is a number"));
    let sample = corpus::sample_of_all(if made_up { MADE_UP } else { count });
    let sample = sample.messages.into_iter().take(if made_up { MADE_UP } else { count });
    let texts = odd(signer).into_iter().map(String::into_bytes).chain(raw()).chain(sample);
    texts.enumerate().map(|(number, text)| Letter::new(number, text)).collect()
}

/// The address of a client, none of them twice; every tenth is an IPv6 address. 198.18.0.0/15 is kept for measurements
/// (RFC 2544).
pub(super) fn client(number: usize) -> String {
    match number % 10 {
        9 => format!("2001:db8:{number:x}::25"),
        _ => format!("198.{}.{}.{}", 18 + number / 256 % 2, number % 256, 1 + number / 512),
    }
}

/// What the classifier learns: class and mailbox.
pub(crate) fn piles(scratch: &Scratch) -> [(&'static str, String); 2] {
    [("ham", "minutes budget meeting draft project"), ("spam", "casino winner prize claim jackpot")].map(
        |(class, words)| {
            let words: Vec<_> = words.split(' ').collect();
            let one = |n: usize| {
                let text = format!("about the {} and the {} {} {n}", words[n % 5], words[n / 5 % 5], words[n / 25 % 5]);
                format!(
                    "From x@example.net Mon Jan  1 00:00:00 2024\n{}\n",
                    message("x@example.net", words[n % 5], &text)
                )
            };
            (class, scratch.file(class, (0..60).map(one).collect::<String>()).display().to_string())
        },
    )
}

impl Letter {
    fn new(number: usize, text: Vec<u8>) -> Letter {
        let from = if number % 19 == 7 { String::new() } else { format!("sender@d{}.example", number % 50) };
        let to: &[&'static str] = match number {
            _ if from.is_empty() => &[ALICE],
            n if n % 5 == 0 => &[ALICE, BOB, CAROL],
            n if n % 17 == 4 => &["nobody@rig.test", BOB],
            n if n % 29 == 6 => &["nobody@rig.test", "none@rig.test"],
            n if n % 7 == 2 => &["postmaster@rig.test"],
            n if n % 3 == 1 => &[BOB],
            _ => &[ALICE],
        };
        Letter { number, client: client(number), from, to: to.to_vec(), text }
    }

    /// The word for HELO, by which explanations are found again.
    pub(super) fn helo(&self) -> String {
        format!("m{}.client.example", self.number)
    }

    /// Sends it, some twice, some after a transaction that is given up.
    pub(super) fn send(&self, mut client: Client) {
        if self.number % 11 == 3 {
            client.mail("given-up@example.net");
            client.rcpt("nobody@rig.test");
            client.rcpt(ALICE);
            client.rset();
        }
        for _ in 0..1 + usize::from(self.number % 13 == 8) {
            client.send(&self.from, &self.to, &self.text);
        }
        client.quit();
    }
}

/// Text that is odd in one way or another.
fn odd(signer: &Signer) -> Vec<String> {
    let mut number = 0;
    let mut mail = |body: &str| {
        number += 1;
        message("a@example.net", &format!("odd-{number}"), body)
    };
    let eicar = String::from_utf8(clamd::eicar()).expect("it is text");
    let plain = mail("Dear Alice,\n\nsee https://www.example.net/ on Monday.");
    let field = |field: &str| format!("{field}\n{plain}");
    vec![
        mail("Dear Alice, see you on Monday."),
        mail(&eicar),
        with_attachment("a@example.net", "attached", "eicar.com", &clamd::eicar()),
        mail(&gtube()),
        mail("caf\u{e9}, \u{4f60}\u{597d}, \u{202e}backwards"),
        mail(""),
        mail(".\n..\n.leading dots\n"),
        mail(&"a long line ".repeat(150)),
        mail(&"A line of a large message, of which there are many.\n".repeat(6_000)),
        mail("You are the winner of the casino jackpot: claim the prize"),
        mail("project minutes, the draft budget of the meeting"),
        signer.sign(&mail("signed")),
        signer.sign(&mail("signed, and changed")).replace("and changed", "and broken"),
        field("Received: from a.example by b.example; Sat, 21 Nov 2026 09:59:00 +0000"),
        field("Authentication-Results: mx.rig.test; spf=pass smtp.mailfrom=bank.example"),
        field("Return-Path: <someone@example.org>\nBcc: bob@rig.test"),
        field("X-Folded: one\n  two\n\tthree"),
        field("Subject:\nsubject:twice\nSUBJECT:\tthrice "),
        field("X-Empty:\nX-Blank:   "),
        field("X-Name : with a blank before the colon"),
        field("From: \"Bank\" <ceo@bank.example>"),
        field("Subject: =?utf-8?Q?caf=C3=A9?= caf\u{e9}"),
        field(&format!("X-Long: {}", "word ".repeat(180))),
        field(&format!("To: {}", "someone@example.org, ".repeat(40) + ALICE)),
        "No header at all, only words.\n".to_owned(),
        "\nA body alone.\n".to_owned(),
        "Subject: a header alone\n".to_owned(),
        plain.replace("\n\n", "\nthis line is no field\n\n"),
        plain.replace("Date:", "X-Date:").replace("Message-ID:", "X-ID:"),
    ]
}

/// Bytes that are no text.
fn raw() -> Vec<Vec<u8>> {
    let head = |more: &str| message("a@example.net", "raw", "").trim_end().to_owned() + more;
    vec![
        [head("\n\n").as_bytes(), b"caf\xe9 in Latin-1\n"].concat(),
        [head("\nX-Latin: ").as_bytes(), b"caf\xe9\xff\n\nbody\n"].concat(),
        [head("\n\n").as_bytes(), b"one\rtwo\r\rthree\n"].concat(),
        [head("\n\n").as_bytes(), b"no line end at the end"].concat(),
    ]
}
