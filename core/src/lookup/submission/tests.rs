use super::{client::stuffed, *};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpListener,
};

/// A server that answers each line by the word it begins with, and gives what it heard.
async fn server(answers: &'static [(&'static str, &'static str)]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let place = listener.local_addr().expect("an address").to_string();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufStream::new(stream);
            let _ = stream.write_all(b"220 here\r\n").await;
            let _ = stream.flush().await;
            let mut line = String::new();
            while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                kept.lock().expect("no panic").push(line.trim_end_matches("\r\n").to_owned());
                if let Some((_, answer)) = answers.iter().find(|(word, _)| line.starts_with(word)) {
                    let _ = stream.write_all(format!("{answer}\r\n").as_bytes()).await;
                    let _ = stream.flush().await;
                }
                line.clear();
            }
        }
    });
    (place, heard)
}

fn settings(server: &str) -> SubmissionSettings {
    let server = MailServer::parse(server).expect("a server");
    SubmissionSettings { server, timeout: Duration::from_millis(500), ..SubmissionSettings::default() }
}

const HELLO: (&str, &str) = ("EHLO", "250-here\r\n250-SIZE 1000000\r\n250 8BITMIME");
const MAIL: (&str, &str) = ("MAIL", "250 ok");
const RCPT: (&str, &str) = ("RCPT", "250 ok");
const DATA: (&str, &str) = ("DATA", "354 go on");
const QUIT: (&str, &str) = ("QUIT", "221 bye");

#[tokio::test]
async fn message_goes_as_it_is_with_dots_stuffed() {
    let (place, heard) = server(&[HELLO, MAIL, RCPT, DATA, (".\r\n", "250 queued"), QUIT]).await;
    let message = "Subject: caf\u{e9}\r\n\r\n.one\nlast".as_bytes();
    assert_eq!(submit(&settings(&format!("smtp://{place}")), "", "bob@x.test", message).await, Ok(()));
    let heard = heard.lock().expect("no panic").clone();
    assert!(heard[0].starts_with("EHLO "), "{heard:?}");
    let expected = [
        "MAIL FROM:<> SIZE=27 BODY=8BITMIME",
        "RCPT TO:<bob@x.test>",
        "DATA",
        "Subject: caf\u{e9}",
        "",
        "..one",
        "last",
        ".",
        "QUIT",
    ];
    assert_eq!(heard[1..], expected);
}

#[tokio::test]
async fn refusals_last_and_silence_after_the_last_dot_is_told_apart() {
    let refused = [HELLO, MAIL, ("RCPT", "550 5.1.1 nobody"), QUIT];
    let refused: &'static [(&str, &str)] = Box::leak(Box::new(refused));
    for (answers, expected) in [
        (refused, "the mail server refuses it: 550 5.1.1 nobody"),
        (&[HELLO, ("MAIL", "451 4.3.0 busy"), QUIT][..], "451 4.3.0 busy"),
        (&[HELLO, MAIL, RCPT, DATA, QUIT][..], "the mail server has not answered; it may have the message: "),
        (&[HELLO, MAIL, RCPT, DATA, (".\r\n", "554 no"), QUIT][..], "the mail server refuses it: 554 no"),
        (&[HELLO, MAIL, RCPT, DATA, (".\r\n", "354 go on"), QUIT][..], "354 go on"),
        (&[HELLO, MAIL, RCPT, ("DATA", "250 ok"), QUIT][..], "250 ok"),
        (&[("EHLO", "hello")][..], "the mail server: the answer is no SMTP reply"),
    ] {
        let (place, _) = server(answers).await;
        let why = submit(&settings(&format!("smtp://{place}")), "a@x.test", "b@x.test", b"x").await;
        let why = why.expect_err("not sent").to_string();
        assert!(why.starts_with(expected), "{why}");
    }
    let nobody = submit(&settings("smtp://127.0.0.1:1"), "a@x.test", "b@x.test", b"x").await;
    assert!(matches!(nobody, Err(Unsent::Later(_))), "{nobody:?}");
    let forged = submit(&settings("smtp://127.0.0.1:1"), "a@x.test>\r\nRCPT TO:<c@x.test", "b@x.test", b"x").await;
    assert!(matches!(forged, Err(Unsent::Refused(_))), "{forged:?}");
}

#[tokio::test]
async fn server_whose_tls_does_not_work_is_spoken_to_without() {
    const OFFER: (&str, &str) = ("EHLO", "250-here\r\n250 STARTTLS");
    let broken: &'static [(&str, &str)] =
        &[OFFER, ("STARTTLS", "454 4.7.0 no certificate"), MAIL, RCPT, DATA, (".\r\n", "250 queued"), QUIT];
    let (place, _) = server(broken).await;
    let mut settings = settings(&format!("smtp://{place}"));
    assert_eq!(submit(&settings, "a@x.test", "b@x.test", b"x\r\n").await, Ok(()));
    settings.tls = TlsUse::Verify;
    let why = submit(&settings, "a@x.test", "b@x.test", b"x\r\n").await.expect_err("not in clear text").to_string();
    assert!(why.contains("454 4.7.0 no certificate"), "{why}");
}

#[tokio::test]
async fn lmtp_says_lhlo() {
    let (place, heard) = server(&[("LHLO", "250 here"), MAIL, RCPT, DATA, (".\r\n", "250 kept"), QUIT]).await;
    assert_eq!(submit(&settings(&format!("lmtp://{place}")), "a@x.test", "b@x.test", b"x\r\n").await, Ok(()));
    assert!(heard.lock().expect("no panic")[0].starts_with("LHLO "));
}

#[test]
fn servers_are_read_and_written_the_same() {
    for (text, read) in [
        ("smtp://127.0.0.1", "smtp://127.0.0.1:25"),
        ("smtp://[::1]:2525", "smtp://[::1]:2525"),
        ("smtp://[::1]", "smtp://[::1]:25"),
        ("lmtp://mail.test", "lmtp://mail.test:24"),
        ("lmtp:///run/lmtp", "lmtp:///run/lmtp"),
    ] {
        assert_eq!(MailServer::parse(text).map(|server| server.to_string()).as_deref(), Some(read));
    }
    for text in
        ["mail.test", "smtp://", "smtp://a b", "http://x.test", "smtp://x.test:port", "smtp://u@x.test", "smtp://::1"]
    {
        assert_eq!(MailServer::parse(text), None, "{text}");
    }
}

#[test]
fn every_line_ends_with_crlf_and_no_line_is_a_lone_dot() {
    assert_eq!(stuffed(b".\r\n.a\nb\r\n..\r\n"), b"..\r\n..a\r\nb\r\n...\r\n");
    assert_eq!(stuffed(b""), b"");
    assert_eq!(stuffed(b"no end"), b"no end\r\n");
}
