//! Messages that pretend to be from somebody else, through Postfix.

use mailward_tests::scratch::Scratch;

use crate::site::{ALICE, STRANGER, Site, with_attachment};

/// What the site says about itself.
const CONFIG: &str = r#"
[phishing]
own_domains = ["northwind-rockets.com"]
organisation = ["Northwind Rockets"]
people = [{ name = "Anna Beispiel", addresses = ["anna@northwind-rockets.com"] }]
"#;

fn letter(from: &str, subject: &str, content_type: &str, body: &str) -> String {
    format!(
        "From: {from}\r\nTo: {ALICE}\r\nSubject: {subject}\r\nDate: Wed, 15 Jan 2025 11:59:00 +0000\r\n\
         Message-ID: <1@sender.test>\r\nMIME-Version: 1.0\r\nContent-Type: {content_type}; charset=utf-8\r\n\r\n{body}\r\n"
    )
}

#[test]
fn each_kind_of_pretence_is_found_and_named() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, CONFIG).start();
    let link = |url: &str, words: &str| format!("<html><body><p>{words} <a href=\"{url}\">here</a></p></body></html>");
    let alarm = "Your account has been limited. Verify your identity and update your payment now:";
    let gift = "Congratulations, you have been selected to receive a gift card. Claim now:";
    let form = "<html><form action=\"https://x.example.net/\"><input type=\"password\"></form></html>";
    let cases = [
        (
            "brand",
            "phishing.brand-name",
            letter("PayPal Service <a@example.net>", "Limited", "text/html", &link("https://www.example.net/x", alarm)),
        ),
        ("person", "phishing.person", letter("\"Beispiel, Anna\" <a@example.net>", "A word", "text/plain", "Hello.")),
        (
            "house",
            "phishing.organisation-name",
            letter("Northwind Rockets IT <a@example.net>", "A word", "text/plain", "Hello."),
        ),
        ("alike", "phishing.lookalike-own", letter("Anna <a@n0rthwind-rockets.com>", "A word", "text/plain", "Hello.")),
        (
            "gift",
            "phishing.lure-site",
            letter(
                "Loyalty Office <a@example.net>",
                "Selected",
                "text/html",
                &link("https://go.claim7.example.org/x", gift),
            ),
        ),
        (
            "pay",
            "phishing.payment-request",
            letter(
                "Anna <a.b77@gmail.com>",
                "Quick task",
                "text/plain",
                "Are you available? I need a wire transfer today.",
            ),
        ),
        (
            "thread",
            "phishing.borrowed-thread",
            letter(
                "Dan <dan@example.net>",
                "Re: invoice",
                "text/plain",
                &format!("See the file.\r\n\r\nOn Monday Alice <{ALICE}> wrote:\r\n> Thank you."),
            ),
        ),
        (
            "page",
            "phishing.page-with-form",
            with_attachment("page@example.net", "invoice", "invoice.html", form.as_bytes()),
        ),
    ];
    for (name, finding, content) in &cases {
        let from = format!("{name}@example.net");
        let delivery = site.send(STRANGER, &from, &[ALICE], content);
        assert!(delivery.end.is_some(), "{delivery:?}");
        let line = site.line_about(&from);
        assert!(line.found(finding), "{finding} in {line:?}");
    }
}

#[test]
fn an_ordinary_letter_pretends_nothing() {
    let scratch = Scratch::new();
    let site = Site::builder(&scratch, CONFIG).start();
    let content = letter(
        "Ann Example <ann@example.net>",
        "Minutes",
        "text/plain",
        "Here they are: https://www.example.net/minutes",
    );
    site.send(STRANGER, "ann@example.net", &[ALICE], content);
    let line = site.line_about("ann@example.net");
    assert!(!format!("{line:?}").contains("phishing."), "{line:?}");
}
