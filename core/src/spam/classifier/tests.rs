use super::*;
use crate::{message, store::counters::scratch};

fn features(raw: &str) -> Features {
    Features::of(&message::parse(raw.as_bytes(), &message::Bounds::default()), &[])
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

fn samples(ham: usize, spam: usize) -> Samples {
    let mut samples = Samples::default();
    pile(&HAM, ham).iter().for_each(|ham| samples.add(ham, Class::Ham));
    pile(&SPAM, spam).iter().for_each(|spam| samples.add(spam, Class::Spam));
    samples
}

fn model_of(samples: &Samples) -> Model {
    let mut model = Model::empty(7, 0);
    model.about.learned = samples.count().map(|count| count as u64);
    model.retrain(samples);
    model
}

fn taught(count: usize) -> Model {
    model_of(&samples(count, count))
}

/// Without the base model, which knows nothing of such mail.
fn bounds() -> Bounds {
    Bounds { base: false, ..Settings::default().bounds }
}

#[test]
fn slots_are_the_same_on_every_platform_and_run() {
    let found = mail(
        "Win a prize",
        "\u{4f60}\u{597d}\u{4e16}\u{754c} don\u{2019}t miss \u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}",
    );
    let golden = "64f2c4591260f213a77e9347e1269fd9";
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
        "\"000\"",
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
fn before_it_has_learned_enough_of_both_the_base_model_judges_or_nothing_does() {
    let message = mail("prize", "we would like to tell you about the jackpot that you have won");
    for (ham, spam) in [(49, 49), (49, 50), (50, 49)] {
        let model = model_of(&samples(ham, spam));
        assert_eq!(model.judge(&message, &bounds()), None, "{ham} ham, {spam} spam");
        let outcome = model.judge(&message, &Settings::default().bounds).expect("the base model judges");
        assert!(outcome.base_alone && outcome.points >= Points::ZERO, "{outcome:?}");
    }
    assert!(taught(50).judge(&message, &bounds()).is_some_and(|outcome| !outcome.base_alone));
}

#[test]
fn the_base_model_alone_knows_letters_that_promise_money_and_is_silent_on_what_people_write() {
    let model = Model::empty(0, 0);
    let of = |subject: &str, text: &str| model.judge(&mail(subject, text), &Settings::default().bounds);
    let scam = "Dear friend, I am the wife of the late minister of finance. I want to transfer the sum of $15,500,000 million \
        dollars to your bank account for investment. Please contact me with your full name, telephone number and bank account. \
        This transaction is confidential. God bless you. You will receive 30 % of the fund as compensation. Reply urgently.";
    let points = of("URGENT BUSINESS PROPOSAL FROM MRS", scam).expect("it judges").points;
    assert!(points > Points::ZERO, "{points}");
    for (subject, text) in [
        ("Lunch on Tuesday", "Hi Bob, shall we meet at noon? The minutes of the last meeting are in the folder. Ann"),
        (
            "Re: [PATCH] fix a race in the scheduler",
            "On Monday Ann wrote:\n> this breaks the build\nFixed in v2, thanks.",
        ),
    ] {
        let outcome = of(subject, text).expect("it judges");
        assert_eq!(outcome.points, Points::ZERO, "{subject}: {outcome:?}");
    }
    assert_eq!(of("Your letter", "We have got it."), None, "too few words");
}

#[test]
fn what_is_forgotten_leaves_no_trace_and_order_does_not_matter() {
    let mut samples = samples(60, 60);
    let before = model_of(&samples);
    let message = mail("a new thing", "words that nobody has seen before, with a prize");
    samples.add(&message, Class::Spam);
    assert_ne!(model_of(&samples), before);
    samples.remove(&message.digest());
    assert_eq!(model_of(&samples), before);
    let mut reversed = Samples::default();
    pile(&SPAM, 60).iter().rev().for_each(|spam| reversed.add(spam, Class::Spam));
    pile(&HAM, 60).iter().rev().for_each(|ham| reversed.add(ham, Class::Ham));
    assert_eq!(model_of(&reversed), before);
}

#[test]
fn learning_a_message_as_the_other_class_corrects_it() {
    let mut corrected = samples(60, 60);
    let message = mail("prize", "we would like to tell you about the prize");
    corrected.add(&message, Class::Ham);
    corrected.add(&message, Class::Spam);
    assert_eq!(corrected.count(), [60, 61]);
    let mut straight = samples(60, 60);
    straight.add(&message, Class::Spam);
    assert_eq!(model_of(&corrected), model_of(&straight));
}

#[test]
fn ninety_percent_ham_do_not_teach_that_everything_is_ham() {
    let outcome = model_of(&samples(540, 60)).judge(
        &mail("prize", "we would like to tell you about the jackpot and the prize winner with casino"),
        &bounds(),
    );
    assert!(outcome.is_some_and(|o| o.points > Points::ZERO));
}

#[test]
fn points_stay_within_their_bounds_and_one_message_does_not_turn_a_verdict() {
    let message = mail("prize", "we would like to tell you about the jackpot and the prize winner with casino");
    let mut samples = samples(60, 60);
    let before = model_of(&samples).judge(&message, &bounds()).expect("it judges");
    assert!(before.points > Points::ZERO && before.points <= bounds().spam, "{before:?}");
    samples.add(&mail("prize", "we would like to tell you about the jackpot and the casino prize"), Class::Ham);
    let after = model_of(&samples).judge(&message, &bounds()).expect("it judges");
    assert!(after.points > Points::ZERO, "{after:?}");
    let narrow = Bounds { spam: Points::hundredths(50), ..bounds() };
    assert_eq!(model_of(&samples).judge(&message, &narrow).map(|outcome| outcome.points), Some(Points::hundredths(50)));
}

#[test]
fn html_is_judged_with_care_until_enough_wanted_html_was_learned() {
    let html = |words: &[&str; 5], count: usize| -> Vec<Features> {
        let raw = |n: usize| {
            let text = format!("{} {} and {}", words[n % 5], words[n / 5 % 5], words[n / 25 % 5]);
            format!(
                "From: x@example.net\r\nContent-Type: text/html\r\n\r\n<p>we would like to tell you about the {text}</p>\r\n"
            )
        };
        (0..count).map(|n| features(&raw(n))).collect()
    };
    let points = |ham: usize| {
        let mut samples = samples(60, 0);
        html(&HAM, ham).iter().for_each(|ham| samples.add(ham, Class::Ham));
        html(&SPAM, 150).iter().for_each(|spam| samples.add(spam, Class::Spam));
        let spam = &html(&SPAM, 1)[0];
        model_of(&samples).judge(spam, &bounds()).expect("it judges").points
    };
    assert_eq!(points(99), Points::ZERO);
    assert!(points(100) > Points::ZERO);
}

#[test]
fn of_too_many_samples_the_oldest_of_the_class_go() {
    let ham = pile(&HAM, 60);
    let mut samples = Samples::default();
    ham.iter().for_each(|ham| samples.add(ham, Class::Ham));
    let most = samples::MOST;
    for number in 0..(most as u64) * 2 {
        let sample = samples::Sample { class: Class::Spam, slots: [number as u32 & 0xffff].into() };
        samples.put(u128::from(number).to_le_bytes(), sample);
    }
    let [kept, spam] = samples.count();
    assert!(kept == 60 && spam >= most && spam <= most + most / 8, "{kept} {spam}");
    assert!(!samples.by_digest.contains_key(&0_u128.to_le_bytes()), "the oldest is gone");
    assert!(samples.by_digest.contains_key(&(most as u128 * 2 - 1).to_le_bytes()), "the newest is there");
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
fn a_model_is_read_as_it_was_written_and_hostile_files_are_refused() {
    let dir = scratch("model");
    let path = dir.join(file::FILE);
    let samples = samples(60, 60);
    let model = model_of(&samples);
    file::write(&path, &model, &samples).expect("written");
    assert_eq!(file::read(&path).expect("read"), model);
    let (again, learned) = file::read_all(&path).expect("read");
    assert_eq!((&again, model_of(&learned)), (&model, model.clone()));
    let good = std::fs::read(&path).expect("bytes");
    let mut cases: Vec<(&str, Vec<u8>)> = vec![("too short", Vec::new()), ("too short", good[..50].to_vec())];
    cases.push(("may have been cut", good[..1 << 20].to_vec()));
    cases.push(("cut or its checksum", good[..good.len() - 1].to_vec()));
    cases.push(("cut or its checksum", [&good[..], b"x"].concat()));
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    cases.push(("no model", changed(0)));
    cases.push(("another version", changed(8)));
    cases.push(("another version", changed(12)));
    cases.push(("another version", [b"MWMODEL1", &good[8..]].concat()));
    cases.push(("checksum", changed(20)));
    cases.push(("checksum", changed(1 << 20)));
    cases.push(("checksum", changed(good.len() - 1)));
    for (why, bytes) in cases {
        std::fs::write(&path, bytes).expect("written");
        let error = file::read_all(&path).expect_err(why).to_string();
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
    file::write(&path, &taught(50), &samples(50, 50)).expect("written");
    assert!(live.refresh().expect("read"));
    assert!(!live.refresh().expect("unchanged"));
    file::write(&path, &taught(60), &samples(60, 60)).expect("written");
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
