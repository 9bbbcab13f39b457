use super::{super::counters::scratch, *};
use crate::{
    session::{InFlight, Limits},
    verdict::Points,
};
use std::os::unix::fs::PermissionsExt;

const MANY: Quota = Quota { messages: 0, bytes: 0, of_recipient: 0 };
const NOW: i64 = 1_700_000_000;
const DAY: i64 = 86_400;

fn quarantine(dir: &Path) -> Quarantine {
    Quarantine::of(dir, PrivateKeys::of(dir, None))
}

fn kept_for(address: &str, days: i64) -> KeptFor {
    let because = "policy \"p\"".to_owned();
    KeptFor { address: address.to_owned(), key: address.to_lowercase(), because, expires: NOW + days * DAY }
}

fn parcel(reference: &str, to: &[&str]) -> Parcel {
    Parcel {
        reference: reference.to_owned(),
        digest: format!("digest of {reference}"),
        time: NOW,
        sender: "eve@Out.test".to_owned(),
        client_ip: "192.0.2.7".to_owned(),
        queue_id: "4XYZ".to_owned(),
        points: Points::hundredths(750),
        findings: vec!["malware.eicar".to_owned(), "spf.fail".to_owned()],
        recipients: to.iter().map(|address| kept_for(address, 30)).collect(),
        summary: Summary {
            subject: "Secret figures".to_owned(),
            from: vec!["eve@out.test".to_owned()],
            explanation: "{}".to_owned(),
            outbound: true,
        },
        raw: Bytes::from(format!("Subject: Secret figures\r\n\r\n{}", "confidential words\r\n".repeat(100))),
        came_back: false,
        place: None,
    }
}

async fn states(quarantine: &Quarantine, reference: &str) -> Vec<(String, State)> {
    let filter = Filter { reference: Some(reference.to_owned()), ..Filter::default() };
    let found = quarantine.list(filter).await.expect("a list");
    found.into_iter().flat_map(|message| message.recipients).map(|r| (r.address, r.state)).collect()
}

#[tokio::test]
async fn message_comes_back_byte_for_byte_and_its_file_shows_no_word_of_it() {
    let dir = scratch("quarantine-bytes");
    let store = quarantine(&dir);
    let message = parcel("aaaaaaaaaa", &["Bob@x.test"]);
    assert_eq!(store.keep(message.clone(), MANY).await.expect("kept"), Kept::New);
    assert_eq!(store.content("aaaaaaaaaa").await.expect("read").as_deref(), Some(&message.raw[..]));
    assert_eq!(store.content("other").await.expect("read"), None);
    let listed = store.list(Filter::default()).await.expect("a list").remove(0);
    assert_eq!(store.summary(&listed).expect("opened"), message.summary);
    assert_eq!((listed.size as usize, listed.findings), (message.raw.len(), message.findings));
    drop(store);
    for file in std::fs::read_dir(&dir).expect("a folder").flatten().filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).expect("read");
        for word in ["Secret", "figures", "confidential"] {
            assert!(!bytes.windows(word.len()).any(|part| part == word.as_bytes()), "{word} in {file:?}");
        }
    }
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn without_the_private_key_nothing_is_opened_and_old_keys_stay_good() {
    let dir = scratch("quarantine-keys");
    let store = quarantine(&dir);
    store.prepare().expect("prepared");
    store.keep(parcel("aaaaaaaaaa", &["bob@x.test"]), MANY).await.expect("kept");
    let first = store.keys().await.expect("keys").remove(0);
    let file = PrivateKeys::of(&dir, None).file(&first.id);
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(store.rotate_key(true).await.expect("rotated"), None, "there is one");
    let second = store.rotate_key(false).await.expect("rotated").expect("an id");
    drop(store);
    let store = quarantine(&dir);
    store.keep(parcel("bbbbbbbbbb", &["bob@x.test"]), MANY).await.expect("kept");
    let keys = store.keys().await.expect("keys");
    assert_eq!(keys.iter().map(|key| (&key.id, key.messages)).collect::<Vec<_>>(), [(&second, 1), (&first.id, 1)]);
    assert!(store.content("aaaaaaaaaa").await.is_ok(), "the older key");
    std::fs::remove_file(&file).expect("removed");
    let why = store.content("aaaaaaaaaa").await.expect_err("no key").to_string();
    assert!(why.contains(&first.id) && why.contains("private key"), "{why}");
    assert!(store.content("bbbbbbbbbb").await.is_ok());
    assert_eq!(store.keep(parcel("cccccccccc", &["bob@x.test"]), MANY).await.expect("kept"), Kept::New);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn same_message_again_joins_its_row_and_waits_again_only_where_it_is_gone() {
    let dir = scratch("quarantine-joins");
    let store = quarantine(&dir);
    let first = parcel("aaaaaaaaaa", &["bob@x.test", "carol@x.test"]);
    store.keep(first.clone(), MANY).await.expect("kept");
    store.set_state("aaaaaaaaaa", "bob@x.test", [State::Held, State::Released], NOW + 5).await.expect("set");
    store.set_state("aaaaaaaaaa", "carol@x.test", [State::Held, State::Deleted], NOW + 5).await.expect("set");
    let again = Parcel { reference: "bbbbbbbbbb".to_owned(), recipients: vec![], ..first };
    let to = ["bob@x.test", "carol@x.test", "dave@x.test"];
    let again = Parcel { recipients: to.iter().map(|address| kept_for(address, 30)).collect(), ..again };
    let full = Quota { messages: 1, ..MANY };
    assert_eq!(store.keep(again, full).await.expect("kept"), Kept::Joined, "it needs no place");
    assert_eq!(states(&store, "bbbbbbbbbb").await, []);
    let expected = [("bob@x.test", State::Released), ("carol@x.test", State::Held), ("dave@x.test", State::Held)];
    assert_eq!(states(&store, "aaaaaaaaaa").await, expected.map(|(address, state)| (address.to_owned(), state)));
    assert_eq!(store.size().await.expect("a size").0, 1);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn at_each_bound_nothing_is_kept_and_the_bound_is_named() {
    let dir = scratch("quarantine-bounds");
    let store = quarantine(&dir);
    store.keep(parcel("aaaaaaaaaa", &["bob@x.test"]), MANY).await.expect("kept");
    for (quota, bound) in [
        (Quota { messages: 1, ..MANY }, Bound::Messages),
        (Quota { bytes: 300, ..MANY }, Bound::Bytes),
        (Quota { of_recipient: 1, ..MANY }, Bound::Recipient),
    ] {
        let kept = store.keep(parcel("bbbbbbbbbb", &["carol@x.test", "bob@x.test"]), quota).await;
        assert_eq!(kept.expect("an answer"), Kept::Full(bound));
    }
    assert_eq!(store.size().await.expect("a size").0, 1);
    let of_recipient = Quota { of_recipient: 1, ..MANY };
    let others = parcel("cccccccccc", &["carol@x.test"]);
    assert_eq!(store.keep(others, of_recipient).await.expect("kept"), Kept::New);
    store.set_state("aaaaaaaaaa", "bob@x.test", [State::Held, State::Deleted], NOW).await.expect("set");
    assert_eq!(store.size().await.expect("a size").0, 1, "nobody has a copy of the first any more");
    assert_eq!(store.keep(parcel("dddddddddd", &["bob@x.test"]), of_recipient).await.expect("kept"), Kept::New);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn copies_expire_each_at_its_time_and_the_message_with_the_last() {
    let dir = scratch("quarantine-expiry");
    let store = quarantine(&dir);
    let mut message = parcel("aaaaaaaaaa", &[]);
    message.recipients = vec![kept_for("bob@x.test", 1), kept_for("carol@x.test", 30)];
    store.keep(message, MANY).await.expect("kept");
    assert!(!store.has_passed("r1").await.expect("read"));
    assert_eq!(store.pass("r1", NOW + 60).await.expect("noted"), 1);
    assert_eq!(store.pass("r1", NOW + 60).await.expect("noted"), 2);
    assert!(store.has_passed("r1").await.expect("read"));
    assert_eq!(store.expire(NOW + DAY).await.expect("expired"), 0);
    assert_eq!(states(&store, "aaaaaaaaaa").await[0].1, State::Held);
    assert_eq!(store.expire(NOW + DAY + 1).await.expect("expired"), 0);
    assert_eq!(
        states(&store, "aaaaaaaaaa").await.iter().map(|s| s.1).collect::<Vec<_>>(),
        [State::Expired, State::Held]
    );
    assert_eq!(store.expire(NOW + 31 * DAY).await.expect("expired"), 1);
    assert_eq!(store.size().await.expect("a size"), (0, 0));
    assert!(!store.has_passed("r1").await.expect("read"), "its note is gone with its time");
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn only_one_may_release_a_copy_and_one_that_came_back_waits_again() {
    let dir = scratch("quarantine-claims");
    let store = quarantine(&dir);
    store.keep(parcel("aaaaaaaaaa", &["bob@x.test"]), MANY).await.expect("kept");
    let into = async |from_to, now| store.set_state("aaaaaaaaaa", "bob@x.test", from_to, now).await.expect("set");
    let claim = [State::Held, State::Releasing];
    assert!(into(claim, NOW).await);
    assert!(!into(claim, NOW + 1).await, "it is in hand");
    assert!(!into([State::Held, State::Deleted], NOW + 1).await);
    assert!(into(claim, NOW + 661).await, "who had it has crashed");
    assert!(into([State::Releasing, State::Released], NOW + 662).await);
    assert!(!into(claim, NOW + 9_999).await);
    let again = Parcel { reference: "bbbbbbbbbb".to_owned(), ..parcel("aaaaaaaaaa", &["bob@x.test"]) };
    store.keep(again.clone(), MANY).await.expect("kept");
    assert_eq!(states(&store, "aaaaaaaaaa").await[0].1, State::Released);
    store.keep(Parcel { came_back: true, ..again }, MANY).await.expect("kept");
    assert_eq!(states(&store, "aaaaaaaaaa").await[0].1, State::Held);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn what_is_past_its_time_makes_room_without_a_daemon() {
    let dir = scratch("quarantine-prunes");
    let store = quarantine(&dir);
    let quota = Quota { messages: 30, of_recipient: 30, ..MANY };
    for number in 0..30 {
        let mut message = parcel(&format!("message{number:03}"), &[]);
        message.recipients = vec![kept_for("bob@x.test", 1)];
        store.keep(message, quota).await.expect("kept");
    }
    let late = |name: &str, days| Parcel { time: NOW + days * DAY, ..parcel(name, &["bob@x.test"]) };
    assert_eq!(store.keep(late("early", 1), quota).await.expect("an answer"), Kept::Full(Bound::Messages));
    assert_eq!(store.keep(late("late", 2), quota).await.expect("kept"), Kept::New);
    assert_eq!(store.size().await.expect("a size").0, 21, "ten at a time");
    assert_eq!(store.expire(NOW + 2 * DAY).await.expect("expired"), 20);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn place_of_a_message_is_kept_until_it_is_written() {
    let dir = scratch("quarantine-places");
    let store = quarantine(&dir);
    let in_flight = InFlight::default();
    let ticket = in_flight.admit(&Limits::default(), None).expect("a place");
    let message = Parcel { place: Some(Arc::new(ticket)), ..parcel("aaaaaaaaaa", &["bob@x.test"]) };
    assert_eq!(in_flight.messages(), 1);
    store.keep(message, MANY).await.expect("kept");
    drop(store);
    assert_eq!(in_flight.messages(), 0);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn lists_are_narrowed_by_each_condition() {
    let dir = scratch("quarantine-lists");
    let store = quarantine(&dir);
    store.keep(parcel("aaaaaaaaaa", &["bob@x.test"]), MANY).await.expect("kept");
    let later = Parcel {
        time: NOW + 10,
        sender: String::new(),
        findings: vec!["spam.x".into()],
        ..parcel("bbbbbbbbbb", &["carol@y.test"])
    };
    store.keep(later, MANY).await.expect("kept");
    let found = async |filter: Filter| {
        let found = store.list(filter).await.expect("a list");
        found.into_iter().map(|message| message.reference[..1].to_owned()).collect::<String>()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(Filter::default()).await, "ba");
    assert_eq!(found(Filter { limit: 1, ..Filter::default() }).await, "b");
    assert_eq!(found(Filter { to: text("Bob@X.test"), ..Filter::default() }).await, "a");
    assert_eq!(found(Filter { to: text("*@y.test"), ..Filter::default() }).await, "b");
    assert_eq!(found(Filter { from: text("eve@out.test"), ..Filter::default() }).await, "a");
    assert_eq!(found(Filter { from: text(""), ..Filter::default() }).await, "b");
    assert_eq!(found(Filter { since: Some(NOW + 1), ..Filter::default() }).await, "b");
    assert_eq!(found(Filter { finding: text("malware.*"), ..Filter::default() }).await, "a");
    assert_eq!(found(Filter { finding: text("spf.fail"), ..Filter::default() }).await, "a");
    assert_eq!(found(Filter { finding: text("spf"), ..Filter::default() }).await, "");
    assert_eq!(found(Filter { state: Some(State::Released), ..Filter::default() }).await, "");
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn messages_that_come_at_once_are_all_kept() {
    let dir = scratch("quarantine-many");
    let stores = [quarantine(&dir), quarantine(&dir)];
    let references: Vec<String> = (0..100).map(|n| format!("message{n:03}")).collect();
    let keep = |(n, reference): (usize, &String)| stores[n % 2].keep(parcel(reference, &["bob@x.test"]), MANY);
    let kept = crate::lookup::all(references.iter().enumerate().map(keep)).await;
    assert!(kept.iter().all(|kept| matches!(kept, Ok(Kept::New))), "{kept:?}");
    assert_eq!(stores[0].size().await.expect("a size").0, 100);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn what_cannot_be_written_is_an_error() {
    let dir = scratch("quarantine-unwritable");
    std::fs::create_dir(dir.join(FILE)).expect("a folder in the way");
    let store = quarantine(&dir);
    assert!(store.prepare().is_err());
    assert!(store.keep(parcel("aaaaaaaaaa", &["bob@x.test"]), MANY).await.is_err());
    let _ = std::fs::remove_dir_all(dir);
}
