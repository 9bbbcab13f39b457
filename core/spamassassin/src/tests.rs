//! The language of rule files, judged from the outside: small files made here, small messages.

use super::*;
use std::{
    fs,
    hash::{BuildHasher, RandomState},
};

/// Loads these files, given as name and text, from a folder of their own.
fn load(files: &[(&str, &str)]) -> (RuleSet, Vec<String>) {
    let dir = std::env::temp_dir().join(format!(
        "mailward-rules-{}-{:x}",
        std::process::id(),
        RandomState::new().hash_one(files)
    ));
    fs::create_dir_all(&dir).expect("a folder");
    for (name, text) in files {
        fs::write(dir.join(name), text).expect("a rule file");
    }
    let (set, faults) = RuleSet::load(std::slice::from_ref(&dir), "en");
    let faults = faults.iter().map(|fault| fault.to_string().replace(&format!("{}/", dir.display()), "")).collect();
    fs::remove_dir_all(&dir).expect("the folder goes");
    (set, faults)
}

/// Names of the rules of this file that hit.
fn hits(rules: &str, message: &str) -> Vec<String> {
    let (set, faults) = load(&[("10_test.cf", rules)]);
    assert_eq!(faults, [""; 0]);
    names(&set, message.as_bytes())
}

fn names(set: &RuleSet, message: &[u8]) -> Vec<String> {
    set.judge(message, &Facts::default()).iter().map(|hit| hit.name.to_owned()).collect()
}

const MESSAGE: &str = "Received: from mx.a.example (mx.a.example [192.0.2.7]) by b.example (Postfix) with ESMTP id AB12;\n\
    \tTue, 5 Mar 2024 10:11:12 +0000\n\
    From: \"Ann Example\" <ann@a.example>\nReply-To: Bob <bob@b.example>\nTo: c@c.example, d@c.example\n\
    Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= now\nDate: Tue, 5 Mar 2024 22:11:12 +0000\n\
    Message-ID: <1@a.example>\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n\
    --b\nContent-Type: text/plain\n\nHello   world,\nbuy it\n\nnow now http://www.a.example/x?y=1\n\
    --b\nContent-Type: text/html; charset=utf-8\n\n<p>Hello <b>wor</b>ld</p><a href='http://a.example/'>go</a>\n--b--\n";

#[test]
fn fields_are_looked_at_in_all_their_forms() {
    let rules = "header A Subject =~ /^Gr\\xc3\\xbc\\xc3\\x9fe now$/\nheader B Subject:raw =~ /=\\?utf-8/\n\
        header C From:addr =~ /^ann\\@a\\.example$/\nheader D From:name =~ /^Ann Example$/\nheader E exists:Reply-To\n\
        header F exists:X-Nothing\nheader G X-Nothing !~ /./\nheader H X-Nothing =~ /^none$/ [if-unset: none]\n\
        header I ToCc =~ /d\\@c/\nheader J MESSAGEID =~ /^<1\\@/\nheader K ALL =~ /^From:.*^To:/ms\n\
        header L To:addr =~ /c\\.example/\ntflags L multiple maxhits=5\nmeta M L >= 2\n\
        header N X-Spam-Relays-Untrusted =~ /^\\[ ip=192\\.0\\.2\\.7 rdns=mx\\.a\\.example /\nheader O To:domain =~ /./\n";
    let found = hits(rules, MESSAGE);
    for name in ["A", "B", "C", "D", "E", "G", "H", "I", "J", "K", "L", "N"] {
        assert!(found.iter().any(|known| known == name), "{name}: {found:?}");
    }
    assert!(!found.iter().any(|known| known == "F"), "{found:?}");
}

#[test]
fn text_is_looked_at_as_shown_raw_and_by_link() {
    let rules = "util_rb_tld example\nbody A /Hello world, buy it/\nbody B /^Gr\\xc3\\xbc/\nbody C /wor<\\/b>ld/\nrawbody D /wor<\\/b>ld/\n\
        uri E /^http:\\/\\/www\\.a\\.example\\/x/\nuri F m{^http://a\\.example/$}\nfull G /^--b--$/m\nbody H /\\bnow\\b/\n\
        tflags H multiple maxhits=2\nmeta I H == 2\nbody J /^Gr/\ntflags J nosubject\nmimeheader K Content-Type =~ /charset=utf-8/\n\
        body L eval:html_tag_exists('b')\nmeta M A && B && !C\nmeta N (D + E + F) > 2\nbody __O /world/\nmeta P __O\nscore A 0\n";
    assert_eq!(hits(rules, MESSAGE), ["B", "D", "E", "F", "G", "H", "I", "K", "L", "N", "P", "__O"]);
}

#[test]
fn patterns_that_look_around_are_matched_too() {
    let rules = "body A /(?<!Hello )world/\nbody B /(?=buy)buy (?!that)it/\nbody C /\\b(\\w+) \\1\\b/\nbody D /(?i)HELLO(?-i) wor/\nbody E /w o r l d/x\n";
    assert_eq!(hits(rules, MESSAGE), ["B", "C", "D", "E"]);
}

#[test]
fn conditions_includes_scores_and_redefinitions_hold() {
    let files = [
        ("init.pre", "loadplugin Mail::SpamAssassin::Plugin::HTMLEval\n"),
        (
            "10_a.cf",
            "include more.inc\nifplugin Mail::SpamAssassin::Plugin::HTMLEval\nbody A /Hello/\nelse\nbody B /Hello/\nendif\n\
            if (version >= 3.004) && !plugin(Mail::SpamAssassin::Plugin::Nothing)\nbody C /Hello/\nendif\nbody D /Hello/ # all\n\
            if can(Mail::SpamAssassin::Conf::feature_bug6558_free)\nscore C 1 2 3 4\nendif\nlang de describe C Hallo\ndescribe C Says hello\n",
        ),
        ("20_local.cf", "body D /nothing/\nscore A (0.5)\nscore A (0.25)\ntflags E nice\nbody E /world/\n"),
        ("more.inc", "body F /world/\n"),
    ];
    let (set, faults) = load(&files);
    assert_eq!(faults, [""; 0]);
    let hits = set.judge(MESSAGE.as_bytes(), &Facts::default());
    let found: Vec<(&str, f64, &str)> = hits.iter().map(|hit| (hit.name, hit.score, hit.description)).collect();
    assert_eq!(found, [("A", 0.75, ""), ("C", 1.0, "Says hello"), ("E", -1.0, ""), ("F", 1.0, "")]);
}

#[test]
fn tags_and_captures_are_filled_in() {
    let rules = "util_rb_tld example\nreplace_tag A [a\\@4]\nreplace_rules X\nbody X /H<E>llo|w<A>w|w<O>rld/\nreplace_tag O [o0]\n\
        header __ANN From:addr =~ /(?<ANN>[\\w.]+\\@)/\nheader __HOST From:addr =~ /\\@(?<HOST>.+)/\nuri Y m{^http://www\\.%{HOST}/}\nuri Z m{%{NOBODY}}\n";
    assert_eq!(hits(rules, MESSAGE), ["X", "Y", "__ANN", "__HOST"]);
}

#[test]
fn every_fault_has_its_line() {
    let (set, faults) = load(&[(
        "10_test.cf",
        "body GOOD /world/\nbody BAD /(world/\nbodyy X /x/\nheader Y Subject = /x/\nmeta Z GOOD &&\nscore GOOD much\nendif\n\
         body 9X /x/\nheader W Subject:nonsense =~ /x/\nheader V eval:no_such_function()\nif version >\nendif\nbody U /x/z\ninclude gone.cf\nif (version > 1)\n",
    )]);
    assert_eq!(names(&set, MESSAGE.as_bytes()), ["GOOD"]);
    assert_eq!(
        faults,
        [
            "10_test.cf:7: endif without if",
            "10_test.cf:11: if version >: the expression ends too early",
            "10_test.cf:14: gone.cf: there is no such file beside this one",
            "10_test.cf:15: this if has no endif",
            "10_test.cf:3: unknown setting \"bodyy\"",
            "10_test.cf:4: header Y: write it as: Field =~ /pattern/",
            "10_test.cf:6: score GOOD: \"much\" is no number",
            "10_test.cf:8: \"9X\" is no name of a rule: letters, digits and _, at most 100",
            "10_test.cf:9: header W: \"nonsense\" is no modifier of a field: raw, addr, name, host, domain, ip, revip, first, last",
            "10_test.cf:2: BAD: a group is not closed",
            "10_test.cf:13: U: unknown flag 'z' behind the pattern",
            "10_test.cf:10: V: there is no function no_such_function",
            "10_test.cf:5: Z: the expression ends too early",
        ]
    );
}

#[test]
fn rules_that_need_each_other_end() {
    let ring = "meta A B\nmeta B A || C\nbody C /world/\n";
    assert_eq!(hits(ring, MESSAGE), ["A", "B", "C"]);
    let chain: String = (0..5_000).map(|n| format!("meta N{n} N{}\n", n + 1)).collect();
    assert!(hits(&chain, MESSAGE).is_empty());
}

#[test]
fn rules_of_services_on_the_network_never_hit() {
    let rules = "header A eval:check_rbl('x', 'zen.example.')\nurirhssub B multi.example. A 2\nbody B eval:check_uridnsbl('B')\nmeta C !A\n";
    let (set, faults) = load(&[("10_test.cf", rules)]);
    assert_eq!(faults, [""; 0]);
    assert_eq!((set.elsewhere(), names(&set, MESSAGE.as_bytes())), (2, vec!["C".to_owned()]));
}

#[test]
fn the_client_counts_as_the_last_relay() {
    let rules = "header A X-Spam-Relays-External =~ /^\\[ ip=198\\.51\\.100\\.9 rdns= helo=liar /\nheader B EnvelopeFrom =~ /^x\\@y\\.example$/\n";
    let (set, _) = load(&[("10_test.cf", rules)]);
    let client =
        Client { ip: [198, 51, 100, 9].into(), name: "", helo: "liar", by: "mx.example", is_authenticated: false };
    let facts = Facts { envelope_from: Some("x@y.example"), client: Some(client) };
    let found: Vec<&str> = set.judge(MESSAGE.as_bytes(), &facts).iter().map(|hit| hit.name).collect();
    assert_eq!(found, ["A", "B"]);
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn no_message_and_no_rule_file_breaks_it() {
    let rules = [
        "header A From:addr =~ /a/\n",
        "body B /(?=x)y\\1/\n",
        "body C /[[:foo:]]/\n",
        "uri D m{x}\n",
        "meta E A && (\n",
        "rawbody F /(((/\n",
        "if (\n",
        "endif\n",
        "else\n",
        "replace_rules B\n",
        "replace_tag X <X>\n",
        "score A 1 2 3 4\n",
        "mimeheader G ALL =~ /./\n",
        "full H /./s\ntflags H multiple\n",
        "header I ALL:raw =~ /\\xff/\n",
        "\\#\u{0}",
        "lang xx\n",
        "header J exists:\n",
        "body K eval:(\n",
    ];
    let pieces = [
        "From: a\n",
        "\n",
        "--b\n",
        "--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n",
        "Content-Transfer-Encoding: base64\n\n",
        "=?utf-8?b?",
        "<a href='",
        "<!--",
        "&#x",
        "\u{0}",
        "http://",
        "a@b.example",
        "Received: from x (y [1.2.3.4]) by z;",
        "=3D=",
        "Content-Type: message/rfc822\n\n",
        "\r\n",
        "\u{ff}",
        "<style>",
        "Subject: ",
        "(",
        "\"",
        "<",
        "%41",
        ": ",
    ];
    let mut numbers = Numbers(7);
    for _ in 0..60 {
        let file: String = (0..numbers.below(25)).map(|_| rules[numbers.below(rules.len())]).collect();
        let (set, _) = load(&[("10_test.cf", &file)]);
        for _ in 0..8 {
            let message: Vec<u8> =
                (0..numbers.below(80)).flat_map(|_| pieces[numbers.below(pieces.len())].bytes()).collect();
            set.judge(&message, &Facts::default());
        }
    }
}

#[test]
fn hostile_messages_take_linear_time() {
    let rules = "util_rb_tld com\nbody A /(a+)+b\\1/\nrawbody B /^(?:x+x+)+y(?=z)/\nuri C /./\nheader D Subject =~ /(\\w+\\s?)+\\1$/\nbody E eval:multipart_alternative_difference('1', '9')\n";
    let (set, faults) = load(&[("10_test.cf", rules)]);
    assert_eq!(faults, [""; 0]);
    let head = "Subject: a\nContent-Type: text/html\n\n";
    for piece in
        ["a", "x", "<b>", "<a href=http://a.com/>", "http://a.com/ ", "&amp;", "@", "a.com:", "<!--", "(", "[", "=?"]
    {
        let message = format!("{head}{}", piece.repeat(400_000 / piece.len()));
        let started = std::time::Instant::now();
        set.judge(message.as_bytes(), &Facts::default());
        assert!(started.elapsed().as_secs() < 20, "{piece}: {:?}", started.elapsed());
    }
}
