use super::*;
use crate::store::Counters;
use std::time::Duration;

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
/// A day far enough from the beginning of time.
const TODAY: i64 = 20_000 * DAY + 3600;

fn room() -> Learned {
    Learned::load(Settings::default()).expect("loaded")
}

fn known(identity: Identity, bad: &[(i64, u64)], good: &[(i64, u64)]) -> History {
    let days = |list: &[(i64, u64)]| Buckets(list.iter().map(|&(ago, n)| (TODAY - 3600 - ago * DAY, n)).collect());
    let known = Known { identity, bad: days(bad), good: days(good) };
    History { asked: TODAY, known: vec![known], trouble: None }
}

fn address(bad: u64, good: u64) -> History {
    known(Identity::address(CLIENT), &[(0, bad)], &[(0, good)])
}

fn network(bad: u64, good: u64) -> History {
    known(Identity::network(CLIENT), &[(0, bad)], &[(0, good)])
}

fn system(bad: u64, good: u64) -> History {
    known(Identity::asn(64496), &[(0, bad)], &[(0, good)])
}

fn domain(bad: u64, good: u64) -> History {
    known(Identity::domain("news.example.com").expect("a domain"), &[(0, bad)], &[(0, good)])
}

fn helo(bad: u64, good: u64) -> History {
    let identity = Identity::helo("mx.host.test", ["out.host.test"]).expect("confirmed");
    known(identity, &[(0, bad)], &[(0, good)])
}

/// Hundredths of all points together.
fn points(histories: &[&History]) -> i32 {
    room().judge(histories).iter().map(|finding| finding.points.as_hundredths()).sum()
}

#[test]
fn one_message_says_nothing_and_ten_say_half() {
    for one in [address(1, 0), address(0, 1), domain(1, 0), network(2, 0), system(9, 0)] {
        assert_eq!(points(&[&one]), 0, "{one:?}");
    }
    assert!((145..=150).contains(&points(&[&address(10, 0)])), "{}", points(&[&address(10, 0)]));
    assert!(points(&[&address(100, 0)]) > 280);
    assert!((-100..=-95).contains(&points(&[&address(0, 10)])), "{}", points(&[&address(0, 10)]));
}

#[test]
fn more_of_the_same_never_says_less() {
    let mut last = 0;
    for bad in 0..200 {
        let now = points(&[&address(bad, 20)]);
        assert!(bad == 0 || now >= last, "{bad}: {now} after {last}");
        last = now;
    }
}

#[test]
fn a_sender_of_some_spam_is_neutral_and_one_of_hardly_any_is_good() {
    assert_eq!(points(&[&address(25, 75)]), 0);
    assert!(points(&[&address(50, 50)]) > 100);
    assert!(points(&[&address(1, 99)]) < -180);
}

#[test]
fn counts_fade_by_their_half_life_and_are_forgotten() {
    let aged = |days: i64| points(&[&known(Identity::address(CLIENT), &[(days, 20)], &[])]);
    let like = |bad: u64| points(&[&address(bad, 0)]);
    assert!((like(20) - aged(0)).abs() <= 1);
    assert!((like(10) - aged(14)).abs() <= 2, "{} and {}", like(10), aged(14));
    assert!((like(5) - aged(28)).abs() <= 2, "{} and {}", like(5), aged(28));
    assert_eq!(aged(31), 0);
    let mut last = i32::MAX;
    for days in 0..31 {
        assert!(aged(days) <= last, "{days}");
        last = aged(days);
    }
}

#[test]
fn points_stay_within_their_bounds_whatever_was_counted() {
    let extremes = [0, 1, 7, 1000, 1_000_000_000_000];
    for a in extremes {
        for b in extremes {
            for c in extremes {
                let all = [address(a, b), network(b, c), system(c, a), domain(b, a), helo(a, c)];
                let sum = points(&all.iter().collect::<Vec<_>>());
                assert!((-200..=300).contains(&sum), "{sum} for {a} {b} {c}");
            }
        }
    }
    let wide = Settings { max_points: Points::hundredths(900), ..Settings::default() };
    let sum: i32 = Learned::load(wide)
        .expect("loaded")
        .judge(&[&address(1_000_000, 0)])
        .iter()
        .map(|finding| finding.points.as_hundredths())
        .sum();
    assert!((890..=900).contains(&sum), "{sum}: the bound of the settings");
}

#[test]
fn the_most_specific_identity_decides_as_far_as_it_is_known() {
    let (bad_network, bad_system) = (network(1000, 0), system(10_000, 0));
    let stranger = points(&[&address(0, 0), &bad_network, &bad_system]);
    assert!((150..=260).contains(&stranger), "{stranger}: neighbours suspect a stranger, but not with all points");
    let friend = points(&[&address(0, 200), &bad_network, &bad_system]);
    assert!(friend < -190, "{friend}: who is known well is not judged by neighbours");
    let only_system = points(&[&address(0, 0), &network(0, 0), &bad_system]);
    assert!((100..=120).contains(&only_system), "{only_system}");
}

#[test]
fn praise_of_a_domain_does_not_cover_a_bad_network() {
    let replayed = points(&[&domain(0, 100_000), &address(10_000, 0)]);
    assert!((-5..=5).contains(&replayed), "{replayed}");
    let both = points(&[&domain(100_000, 0), &address(10_000, 0)]);
    assert!((295..=300).contains(&both), "{both}");
    let snowshoe = points(&[&domain(1000, 0), &address(0, 0)]);
    assert!(snowshoe > 290, "{snowshoe}: a bad domain is bad from anywhere");
}

#[test]
fn findings_tell_the_counts() {
    let histories = [address(3, 0), network(41, 2), domain(0, 40), helo(0, 0)];
    let findings = room().judge(&histories.iter().collect::<Vec<_>>());
    let told: Vec<String> = findings.iter().map(|f| format!("{} {:?}", f.id, f.evidence)).collect();
    assert_eq!(
        told,
        [
            r#"reputation.learned.domain [Fact("example.com: 0 bad, 40 good in 30 days")]"#,
            r#"reputation.learned.network [Fact("203.0.113.7/32: 3 bad, 0 good in 30 days"), Fact("203.0.113.0/24: 41 bad, 2 good in 30 days")]"#,
        ]
    );
}

#[test]
fn counters_in_trouble_are_told_and_cost_no_points() {
    let trouble = History { trouble: Some("locked".into()), ..History::default() };
    let findings = room().judge(&[&trouble, &History::default()]);
    let told: Vec<_> = findings.iter().map(|f| (f.id.as_ref(), f.points)).collect();
    assert_eq!(told, [("reputation.learned.trouble", Points::ZERO)]);
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

async fn counts(room: &Learned, ledger: &Ledger, identity: Identity, now: i64) -> (u64, u64) {
    let history = room.ask(vec![identity], ledger, now, soon()).await;
    (history.known[0].bad.total(), history.known[0].good.total())
}

#[tokio::test]
async fn one_address_does_not_speak_for_its_network() {
    let (room, ledger) = (room(), Ledger::new(Counters::in_memory()));
    let operator = Identity::helo("mx.host.test", ["out.host.test"]).expect("confirmed");
    for i in 0..100 {
        let client = room.ask(room.client(CLIENT), &ledger, TODAY + i, soon()).await;
        let sender = room.ask(vec![operator.clone()], &ledger, TODAY + i, soon()).await;
        room.record_message(&ledger, &client, &sender, Experience::Good, 0, TODAY + i);
        room.record_message(&ledger, &client, &sender, Experience::Good, 1, TODAY + i);
    }
    assert_eq!(counts(&room, &ledger, Identity::address(CLIENT), TODAY).await, (0, 200));
    for shared in [Identity::network(CLIENT), operator] {
        let (bad, good) = counts(&room, &ledger, shared, TODAY).await;
        assert!(bad == 0 && (3..=4).contains(&good), "{good}");
    }
    let neighbour = IpAddr::from([203, 0, 113, 8]);
    let client = room.ask(room.client(neighbour), &ledger, TODAY + 200, soon()).await;
    assert_eq!(room.judge(&[&client]), [], "nobody earns praise for a neighbour");
    let tomorrow = TODAY + DAY;
    let client = room.ask(room.client(CLIENT), &ledger, tomorrow, soon()).await;
    room.record_message(&ledger, &client, &History::default(), Experience::Good, 0, tomorrow);
    let (_, good) = counts(&room, &ledger, Identity::network(CLIENT), tomorrow).await;
    assert!((4..=5).contains(&good), "tomorrow it speaks again: {good}");
}

#[tokio::test]
async fn a_room_that_is_off_asks_and_learns_nothing() {
    let off = Settings { enabled: false, asn_database: Some("/nonexistent".into()), ..Settings::default() };
    let (off, ledger) = (Learned::load(off).expect("the database is not read"), Ledger::new(Counters::in_memory()));
    assert_eq!(off.client(CLIENT), []);
    off.record(&ledger, &Identity::address(CLIENT), Experience::Bad, 1, TODAY);
    assert_eq!(counts(&room(), &ledger, Identity::address(CLIENT), TODAY).await, (0, 0));
}

#[test]
fn a_history_reads_back_from_a_recording() {
    let history = address(3, 4);
    let text = serde_json::to_string(&history).expect("plain data");
    assert_eq!(serde_json::from_str::<History>(&text).expect("plain data"), history);
}
