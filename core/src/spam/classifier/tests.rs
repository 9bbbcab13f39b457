use super::*;
use crate::{message, store::counters::scratch};

fn features(raw: &str) -> Features {
    Features::of(&message::parse(raw.as_bytes(), &message::Bounds::default()))
}

fn mail(subject: &str, text: &str) -> Features {
    features(&format!(
        "From: Ann <ann@example.com>\r\nSubject: {subject}\r\nMessage-ID: <1@example.com>\r\n\r\n{text}\r\n"
    ))
}

const HAM: [&str; 5] = ["minutes", "budget", "meeting", "draft", "project"];
const SPAM: [&str; 5] = ["casino", "winner", "prize", "claim", "jackpot"];

/// So many different messages that share words.
fn pile(words: &[&str; 5], count: usize) -> Vec<Features> {
    let text = |n: usize| {
        let word = |i: usize| words[(n / 5_usize.pow(i as u32)) % 5];
        let common = "we would like to tell you about the";
        format!(
            "{common} {} and the {} {} with {} number{}x",
            word(0),
            word(1),
            word(2),
            word(3),
            ["a", "b", "c"][n % 3]
        )
    };
    (0..count).map(|n| mail(words[n % 5], &text(n))).collect()
}

fn taught(count: usize) -> Model {
    let mut model = Model::empty(7, 0);
    pile(&HAM, count).iter().for_each(|ham| model.learn(ham, Class::Ham));
    pile(&SPAM, count).iter().for_each(|spam| model.learn(spam, Class::Spam));
    model
}

fn bounds() -> Bounds {
    Settings::default().bounds
}

#[test]
fn slots_are_the_same_on_every_platform_and_run() {
    let found = mail(
        "Win a prize",
        "\u{4f60}\u{597d}\u{4e16}\u{754c} don\u{2019}t miss \u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}",
    );
    let golden = "fc826c6e4d913cf95806881876ff72ee";
    assert_eq!(found.digest().map(|byte| format!("{byte:02x}")).concat(), golden);
    let again = mail(
        "Win a prize",
        "\u{4f60}\u{597d}\u{4e16}\u{754c} don\u{2019}t miss \u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}",
    );
    assert_eq!(found.digest(), again.digest());
}

/// What the features of a text say in words.
fn told(features: &Features) -> Vec<String> {
    features.found.iter().map(|feature| features.evidence(*feature)).collect()
}

#[test]
fn words_are_cut_in_scripts_with_and_without_blanks() {
    let found = told(&mail(
        "[list] Re: Hello",
        "don't pay $500 \u{65e5}\u{672c}\u{8a9e} \u{41f}\u{420}\u{418}\u{412}\u{415}\u{422} fr\u{200b}ee ab1234cd",
    ));
    for expected in [
        "\"dont\"",
        "\"dont pay\"",
        "\"$ 000\"",
        "\"\u{65e5}\u{672c}\"",
        "\"\u{672c}\u{8a9e}\"",
        "\"\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}\"",
        "\"free\"",
        "subject \"hello\"",
        "shape \"subject letters 8\"",
    ] {
        assert!(found.iter().any(|f| f == expected), "{expected} in {found:?}");
    }
    assert!(!found.iter().any(|f| f.contains("list") || f.contains("ab0000")), "tags and keys are left out: {found:?}");
}

#[test]
fn familiar_spam_earns_points_familiar_ham_loses_them_and_the_words_are_told() {
    let model = taught(60);
    let spam = model
        .judge(
            &mail("prize", "we would like to tell you about the jackpot and the prize winner with casino"),
            &bounds(),
        )
        .expect("it judges");
    assert!(spam.points > Points::ZERO && spam.probability > 5_000, "{spam:?}");
    assert!(
        spam.strongest.iter().any(|(words, weight)| SPAM.iter().any(|word| words.contains(word)) && *weight > 0),
        "{spam:?}"
    );
    let ham = model
        .judge(
            &mail("budget", "we would like to tell you about the meeting and the budget draft with project"),
            &bounds(),
        )
        .expect("it judges");
    assert!(ham.points < Points::ZERO && ham.probability < 5_000, "{ham:?}");
    let finding = finding(&spam).expect("a finding");
    assert_eq!(finding.id, "spam.classifier");
    assert_eq!(finding.clone().without_text().evidence.len(), 1, "words are shown beside the message only");
}

#[test]
fn mail_unlike_all_that_was_learned_stays_near_zero() {
    let model = taught(60);
    for text in [
        "Zwei Boxk\u{e4}mpfer jagen Eva quer durch Sylt portez ce vieux whisky au juge blond qui fume",
        "\u{65e5}\u{672c}\u{8a9e}\u{306e}\u{624b}\u{7d19}\u{3067}\u{3059}",
        "",
    ] {
        let outcome = model.judge(&mail("Gr\u{fc}\u{df}e", text), &bounds()).expect("it judges");
        assert_eq!(outcome.points, Points::ZERO, "{text}: {outcome:?}");
    }
}

#[test]
fn before_it_has_learned_enough_of_both_it_says_nothing() {
    let mut model = taught(49);
    let message = mail("prize", "we would like to tell you about the jackpot");
    assert_eq!(model.judge(&message, &bounds()), None);
    model.learn(&pile(&SPAM, 50)[49], Class::Spam);
    assert_eq!(model.judge(&message, &bounds()), None, "ham is still missing");
    model.learn(&pile(&HAM, 50)[49], Class::Ham);
    assert!(model.judge(&message, &bounds()).is_some());
}

#[test]
fn what_is_unlearned_leaves_no_trace_and_order_does_not_matter() {
    let before = taught(60);
    let mut model = before.clone();
    let message = mail("a new thing", "words that nobody has seen before, with a prize");
    model.learn(&message, Class::Spam);
    assert_ne!(model, before);
    model.unlearn(&message, Class::Spam);
    assert_eq!(model, before);
    let mut reversed = Model::empty(7, 0);
    pile(&SPAM, 60).iter().rev().for_each(|spam| reversed.learn(spam, Class::Spam));
    pile(&HAM, 60).iter().rev().for_each(|ham| reversed.learn(ham, Class::Ham));
    assert_eq!(reversed, before);
}

#[test]
fn ninety_percent_ham_do_not_teach_that_everything_is_ham() {
    let mut model = Model::empty(7, 0);
    pile(&HAM, 540).iter().for_each(|ham| model.learn(ham, Class::Ham));
    pile(&SPAM, 60).iter().for_each(|spam| model.learn(spam, Class::Spam));
    let outcome = model.judge(
        &mail("prize", "we would like to tell you about the jackpot and the prize winner with casino"),
        &bounds(),
    );
    assert!(outcome.is_some_and(|o| o.points > Points::ZERO));
}

#[test]
fn points_stay_within_their_bounds_and_one_message_moves_little() {
    let (mut model, bounds) = (taught(60), bounds());
    let message = mail("prize", "we would like to tell you about the jackpot and the prize winner with casino");
    let mut state = 1_u64;
    for round in 0..400 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let class = if state >> 63 == 0 { Class::Ham } else { Class::Spam };
        let weights = |model: &Model| -> Vec<f64> {
            message.found.iter().map(|feature| model.weight(feature.slot(), model.odds())).collect()
        };
        let before = weights(&model);
        let own = format!("{} {}", SPAM[round % 5], "prize winner casino ".repeat((state >> 60) as usize));
        model.learn(&mail(HAM[round % 5], &own), class);
        let moved = before.iter().zip(weights(&model)).map(|(before, after)| (before - after).abs());
        assert!(moved.fold(0.0, f64::max) < 1.2, "one message must not turn a weight");
        let outcome = model.judge(&message, &bounds).expect("it judges");
        assert!(outcome.points <= bounds.spam && outcome.points >= bounds.ham, "{outcome:?}");
        assert!(outcome.strongest.iter().all(|(_, weight)| weight.abs() <= 600));
    }
}

#[test]
fn features_of_hostile_mail_are_bounded() {
    let many: String =
        (0..200_000).map(|n: u32| format!("w{}{} ", char::from(b'a' + (n % 26) as u8), n / 26 % 90)).collect();
    let links: String = (0..5_000).map(|n| format!("http://h{n}.example/a/b/c/d ")).collect();
    let cjk: String = (0..100_000).filter_map(|n| char::from_u32(0x4e00 + n % 20_000)).collect();
    for text in [
        many,
        links,
        cjk,
        "a".repeat(1 << 20),
        "$".repeat(1 << 18),
        "\u{200b}".repeat(1 << 18),
        "\u{130}".repeat(1 << 16),
    ] {
        let found = mail(&text[..text.floor_char_boundary(5_000)], &text);
        assert!(found.len() <= FEATURES, "{}", found.len());
    }
    for raw in ["", "\r\n", "Subject:\r\n\r\n", "From: \u{0}@\u{0}\r\n\r\n\u{0}"] {
        let _ = features(raw);
    }
}

#[test]
fn old_knowledge_fades() {
    let mut model = taught(60);
    let message = mail("prize", "we would like to tell you about the jackpot and the prize winner with casino");
    let before = model.look(&message).score;
    let other = pile(&HAM, 125);
    for round in 0..60_000 {
        model.learn(&other[round % other.len()], if round % 2 == 0 { Class::Ham } else { Class::Spam });
    }
    assert!(model.look(&message).score < before);
    assert!(model.about.weighed[1] < model.about.learned[1]);
}

#[test]
fn a_model_is_read_as_it_was_written_and_hostile_files_are_refused() {
    let dir = scratch("model");
    let path = dir.join(file::FILE);
    let model = taught(60);
    file::write(&path, &model).expect("written");
    assert_eq!(file::read(&path).expect("read"), model);
    let good = std::fs::read(&path).expect("bytes");
    let mut cases: Vec<(&str, Vec<u8>)> = vec![("too short", Vec::new()), ("too short", good[..50].to_vec())];
    cases.push(("may have been cut", good[..good.len() - 1].to_vec()));
    cases.push(("may have been cut", [&good[..], b"x"].concat()));
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    cases.push(("no model", changed(0)));
    cases.push(("another version", changed(8)));
    cases.push(("another version", changed(12)));
    cases.push(("checksum", changed(20)));
    cases.push(("checksum", changed(good.len() / 2)));
    cases.push(("checksum", changed(good.len() - 1)));
    for (why, bytes) in cases {
        std::fs::write(&path, bytes).expect("written");
        let error = file::read(&path).expect_err(why).to_string();
        assert!(error.contains(why) && error.contains("mailward model reset"), "{error}");
    }
    let left: Vec<_> = std::fs::read_dir(&dir).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, [file::FILE], "no half-written file stays");
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn another_file_is_read_a_damaged_one_leaves_the_model_in_force_and_a_gone_one_none() {
    let dir = scratch("live");
    let path = dir.join(file::FILE);
    let live = LiveModel::of(&dir);
    assert!(!live.refresh().expect("no file is no fault") && live.current().is_none());
    file::write(&path, &taught(50)).expect("written");
    assert!(live.refresh().expect("read"));
    assert!(!live.refresh().expect("unchanged"));
    file::write(&path, &taught(60)).expect("written");
    assert!(live.refresh().expect("read"));
    assert_eq!(live.current().map(|model| model.about.learned), Some([60, 60]));
    std::fs::write(&path, "garbage").expect("written");
    assert!(live.refresh().is_err());
    assert!(!live.refresh().expect("reported once"));
    assert_eq!(live.current().map(|model| model.about.learned), Some([60, 60]));
    std::fs::remove_file(&path).expect("removed");
    assert!(live.refresh().expect("gone") && live.current().is_none());
    let _ = std::fs::remove_dir_all(dir);
}
