//! Every function once with a hit and once without.

use crate::{Facts, RuleSet};
use std::{
    fs,
    hash::{BuildHasher, RandomState},
};

fn hits(call: &str, message: &str) -> bool {
    let settings = "util_rb_tld com example\nfreemail_domains free.example *.gratis.example\nenlist_addrlist (VIP) boss@*\n\
        enlist_uri_host (LIST) bad.example !good.bad.example\nblocklist_from *@spam.example\n";
    let dir = std::env::temp_dir().join(format!(
        "mailward-eval-{}-{:x}",
        std::process::id(),
        RandomState::new().hash_one(call)
    ));
    fs::create_dir_all(&dir).expect("a folder");
    fs::write(dir.join("10.cf"), format!("{settings}header X eval:{call}\n")).expect("a rule file");
    let (set, faults) = RuleSet::load(std::slice::from_ref(&dir), "en");
    fs::remove_dir_all(&dir).expect("the folder goes");
    assert!(faults.is_empty(), "{faults:?}");
    !set.judge(message.as_bytes(), &Facts::default()).is_empty()
}

fn html(page: &str) -> String {
    format!("From: a@b.example\nContent-Type: text/html\n\n{page}\n")
}

#[test]
fn functions_see_what_they_are_named_for() {
    let png =
        "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgoAAAANSUhEUgAAAMgAAABkCAYAAAA=\n";
    let relay = |helo: &str| {
        format!(
            "Received: from {helo} (unknown [192.0.2.7]) by c.example (Postfix) with ESMTP id AB12\nFrom: a@b.example\n\nx\n"
        )
    };
    let alternative = |text: &str, page: &str| {
        format!(
            "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n{text}\n--b\nContent-Type: text/html\n\n{page}\n--b--\n"
        )
    };
    let plain = |head: &str, body: &str| format!("{head}\n\n{body}\n");
    for (call, with, without) in [
        ("html_tag_balance('body', '> 0')", html("<body>x"), html("<body>x</body>")),
        ("html_image_only('0', '100')", html("<img src=x>"), html("text")),
        ("html_image_ratio('0', '0.01')", html("<img width=100 height=100>x"), html("x")),
        ("html_test('font_low_contrast')", html("<font color=white>x</font>"), html("x")),
        ("html_eval('max_size', '> 5')", html("<font size=7>x</font>"), html("x")),
        ("html_range('ratio', '0.5', '1')", html("<b></b><i></i><u></u>x"), html("xxxxxxxxxx")),
        ("html_text_match('title', 'pills')", html("<title>pills</title>"), html("<title>tea</title>")),
        (
            "html_title_subject_ratio('3')",
            format!("Subject: a\n{}", html("<title>longer than that</title>")),
            html("<title>x</title>"),
        ),
        ("check_iframe_src()", html("<iframe src=http://a.com>"), html("x")),
        (
            "check_https_ip_mismatch()",
            html("<a href=http://192.0.2.1/>https://bank.com</a>"),
            html("<a href=http://a.com/>https://a.com</a>"),
        ),
        (
            "check_https_http_mismatch('1', '10')",
            html("<a href=http://a.com/>https://bank.com/</a>"),
            html("<a href=http://a.com/>https://a.com/</a>"),
        ),
        (
            "check_for_mime('mime_qp_long_line')",
            plain("Content-Transfer-Encoding: quoted-printable", &"x".repeat(90)),
            plain("Content-Transfer-Encoding: quoted-printable", "x"),
        ),
        ("check_for_mime_html_only()", html("x"), plain("Content-Type: text/plain", "x")),
        (
            "check_mime_multipart_ratio('0', '0.2')",
            alternative("x", "<p>a long page that says much more</p>"),
            alternative("a long text that says much more", "x"),
        ),
        (
            "check_for_ascii_text_illegal()",
            plain("Content-Type: text/plain", "\u{e9}"),
            plain("Content-Type: text/plain", "e"),
        ),
        (
            "check_abundant_unicode_ratio('0.02')",
            plain("Content-Type: text/plain", "&#x0041;&#x0042;"),
            plain("Content-Type: text/plain", "AB"),
        ),
        (
            "check_msg_parse_flags('missing_mime_headers')",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\ntext\n--b--\n".to_owned(),
            alternative("x", "y"),
        ),
        (
            "check_for_uppercase('75', '100')",
            plain("From: a@b.example", &"LOUD WORDS ".repeat(30)),
            plain("From: a@b.example", &"quiet words ".repeat(30)),
        ),
        (
            "check_ma_non_text()",
            format!("Content-Type: multipart/alternative; boundary=b\n\n--b\n{png}--b--\n"),
            alternative("x", "y"),
        ),
        (
            "check_base64_length('79')",
            plain("Content-Transfer-Encoding: base64", &"QUJD".repeat(40)),
            plain("Content-Transfer-Encoding: base64", "QUJD"),
        ),
        (
            "check_illegal_chars('Subject', '0.0', '2')",
            plain("Subject: a\u{1}\u{2}\u{3}", "x"),
            plain("Subject: abc", "x"),
        ),
        ("gated_through_received_hdr_remover()", plain("From: a@b.example", "x"), relay("x.example")),
        ("check_for_forged_gmail_received_headers()", plain("From: a@gmail.com", "x"), plain("From: a@b.example", "x")),
        (
            "check_for_forged_yahoo_received_headers()",
            relay("x.example").replace("a@b.example", "a@yahoo.com"),
            relay("x.example"),
        ),
        (
            "check_for_no_hotmail_received_headers()",
            relay("x.example").replace("a@b.example", "a@hotmail.com"),
            relay("x.example"),
        ),
        (
            "check_for_matching_env_and_hdr_from()",
            plain("Return-Path: <a@b.example>\nFrom: a@b.example", "x"),
            plain("Return-Path: <c@b.example>\nFrom: a@b.example", "x"),
        ),
        (
            "sorted_recipients()",
            plain("To: a@x.com, b@x.com, c@x.com, d@x.com, e@x.com, f@x.com, g@x.com", "x"),
            plain("To: b@x.com, a@x.com", "x"),
        ),
        (
            "similar_recipients('0.65', 'undef')",
            plain("To: aa1@x.com, aa2@x.com, aa3@x.com, aa4@x.com, aa5@x.com", "x"),
            plain("To: a@x.com", "x"),
        ),
        ("check_for_missing_to_header()", plain("From: a@b.example", "x"), plain("To: a@b.example", "x")),
        (
            "check_for_shifted_date('6', '12')",
            "Received: from a by b; Tue, 5 Mar 2024 10:00:00 +0000\nDate: Tue, 5 Mar 2024 18:00:00 +0000\n\nx\n"
                .to_owned(),
            "Received: from a by b; Tue, 5 Mar 2024 10:00:00 +0000\nDate: Tue, 5 Mar 2024 10:01:00 +0000\n\nx\n"
                .to_owned(),
        ),
        ("subject_is_all_caps()", plain("Subject: BUY THIS NOW", "x"), plain("Subject: Buy this now", "x")),
        (
            "check_for_to_in_subject('user')",
            plain("To: joe@b.example\nSubject: joe, look", "x"),
            plain("To: joe@b.example\nSubject: look", "x"),
        ),
        (
            "check_outlook_message_id()",
            plain("Message-ID: <000001234567$aabbccdd$11223344@a.com>\nDate: Tue, 5 Mar 2024 10:00:00 +0000", "x"),
            plain("Message-ID: <1@a.com>", "x"),
        ),
        (
            "check_header_count_range('Subject', '2', '9')",
            plain("Subject: a\nSubject: b", "x"),
            plain("Subject: a", "x"),
        ),
        ("check_unresolved_template()", plain("X-Ref: %NAME_1", "x"), plain("X-Ref: 100%", "x")),
        (
            "check_ratware_envelope_from()",
            plain("Return-Path: <b.com=joe@x.com>\nTo: joe@b.com", "x"),
            plain("Return-Path: <a@x.com>\nTo: joe@b.com", "x"),
        ),
        (
            "check_equal_from_domains()",
            plain("Return-Path: <a@x.com>\nFrom: a@y.com", "x"),
            plain("Return-Path: <a@z.y.com>\nFrom: a@y.com", "x"),
        ),
        ("check_no_relays()", plain("From: a@b.example", "x"), relay("x.example")),
        ("check_for_numeric_helo()", relay("198.51.100.1"), relay("x.example")),
        ("helo_ip_mismatch()", relay("198.51.100.1"), relay("192.0.2.9")),
        ("check_for_no_rdns_dotcom_helo()", relay("mx.yahoo.com"), relay("x.example")),
        ("check_relays_unparseable()", plain("Received: from somewhere over the rainbow", "x"), relay("x.example")),
        (
            "multipart_alternative_difference('50', '100')",
            alternative("one two", "three four"),
            alternative("one two", "one two"),
        ),
        (
            "check_blank_line_ratio('40', '100', '4')",
            plain("From: a@b.example", "a\n\n\n\n\nb"),
            plain("From: a@b.example", "a\nb\nc\nd"),
        ),
        (
            "tvd_vertical_words('30', '100')",
            plain("From: a@b.example", "v i a g r a"),
            plain("From: a@b.example", "whole words here"),
        ),
        (
            "check_stock_info('2')",
            plain("From: a@b.example", "Symbol: XYZ\nCurrent Price: 2\nTarget: 5"),
            plain("From: a@b.example", "Hello: you"),
        ),
        ("check_body_length('10')", plain("From: a@b.example", "x"), plain("From: a@b.example", "a longer body")),
        ("image_count('png', '1', '2')", png.to_owned(), plain("From: a@b.example", "x")),
        ("pixel_coverage('all', '15000', '25000')", png.to_owned(), plain("From: a@b.example", "x")),
        ("image_size_exact('png', '100', '200')", png.to_owned(), plain("From: a@b.example", "x")),
        ("check_from_in_list('VIP')", plain("From: boss@b.example", "x"), plain("From: a@b.example", "x")),
        ("check_from_in_blocklist()", plain("From: a@spam.example", "x"), plain("From: a@b.example", "x")),
        (
            "check_uri_host_listed('LIST')",
            plain("From: a@b.example", "http://www.bad.example/"),
            plain("From: a@b.example", "http://good.bad.example/"),
        ),
        ("check_freemail_from()", plain("From: a@free.example", "x"), plain("From: a@b.example", "x")),
        (
            "check_freemail_header('Reply-To')",
            plain("Reply-To: a@x.gratis.example", "x"),
            plain("Reply-To: a@b.example", "x"),
        ),
        (
            "check_freemail_body()",
            plain("From: a@b.example", "write joe@free.example today"),
            plain("From: a@b.example", "write joe@b.example"),
        ),
        (
            "check_freemail_replyto('reply')",
            plain("From: a@free.example\nReply-To: b@free.example", "x"),
            plain("From: a@free.example", "x"),
        ),
    ] {
        assert!(hits(call, &with), "{call} does not hit:\n{with}");
        assert!(!hits(call, &without), "{call} hits:\n{without}");
    }
}
