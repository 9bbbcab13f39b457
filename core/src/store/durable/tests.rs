use super::*;
use crate::{
    store::{Shrink, counters::scratch},
    verdict::{Card, Evidence, Finding, Points},
};

fn row(reference: &str, time: i64) -> HistoryRow {
    let finding = Finding::new("x.y", Points::hundredths(150), "test").fact("host.example").text("dear friend");
    HistoryRow {
        reference: reference.to_owned(),
        time,
        stage: "message".to_owned(),
        verdict: "accept".to_owned(),
        points: Points::hundredths(150),
        recipients: vec!["bob@example.com".to_owned()],
        card: Card { findings: vec![finding], total: Points::hundredths(150) },
        explanation: r#"{"because":"threshold"}"#.to_owned(),
        ..HistoryRow::default()
    }
}

fn member(address: &str) -> Member {
    Member { address: address.to_owned(), canonical: address.to_owned(), groups: vec!["all".to_owned()] }
}

#[test]
fn a_store_opens_while_another_process_writes_to_it() {
    let dir = scratch("locked-open");
    drop(Store::open(&dir, 30).expect("made"));
    let other = Connection::open(dir.join(FILE)).expect("opened by another");
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let opened = Store::open(&dir, 30);
    assert!(opened.is_ok(), "{opened:?}");
}

#[tokio::test]
async fn rows_that_cannot_be_written_stay_within_the_bound() {
    let dir = scratch("bounded");
    let store = Store::open(&dir, 30).expect("opened");
    let other = Connection::open(dir.join(FILE)).expect("opened by another");
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    // The thread waits for the lock with the first rows in its hands; the rest may only fill what is left.
    store.record(row("first", 1));
    tokio::time::sleep(2 * FLUSH_EVERY).await;
    for number in 0..QUEUE + 10 {
        store.record(row(&number.to_string(), 2));
    }
    assert_eq!(store.dropped(), 11);
    other.execute_batch("COMMIT").expect("unlocked");
    assert_eq!(store.find("first").await.expect("read").expect("it came back").time, 1);
    assert!(store.find("9000").await.expect("read").is_some());
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn a_row_is_found_again_without_words_of_the_message() {
    let dir = scratch("history");
    let store = Store::open(&dir, 30).expect("opened");
    store.record(row("aaaaaaaaaa", 100));
    let found = store.find("aaaaaaaaaa").await.expect("read").expect("there");
    assert_eq!(found.card.findings[0].evidence, [Evidence::Fact("host.example".into())]);
    assert_eq!(found, row("aaaaaaaaaa", 100).without_text());
    assert_eq!(store.find("bbbbbbbbbb").await.expect("read"), None);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn closing_writes_what_waits_and_old_rows_go() {
    let dir = scratch("close");
    let store = Store::open(&dir, 30).expect("opened");
    store.record(row("old", 0));
    store.record(row("new", 31 * 86_400));
    store.close();
    let store = Store::open(&dir, 30).expect("opened again");
    let recent = store.recent(10).await.expect("read");
    assert_eq!(recent.iter().map(|r| r.reference.as_str()).collect::<Vec<_>>(), ["new"]);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn the_last_rows_outlast_another_process_that_writes_for_longer_than_one_try() {
    let dir = scratch("last-rows");
    let store = Store::open(&dir, 30).expect("opened");
    let other = Connection::open(dir.join(FILE)).expect("opened by another");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    store.record(row("aaaaaaaaaa", 1));
    let closing = std::thread::spawn(move || store.close());
    std::thread::sleep(LOCK_WAIT + Duration::from_secs(1));
    other.execute_batch("COMMIT").expect("given free");
    closing.join().expect("no panic");
    let found = Store::open(&dir, 30).expect("opened again").find("aaaaaaaaaa").await.expect("read");
    assert!(found.is_some());
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn a_committed_row_is_on_disk_for_other_processes_at_once() {
    let dir = scratch("commit");
    let (one, two) = (Store::open(&dir, 30).expect("opened"), Store::open(&dir, 30).expect("opened"));
    one.commit(row("aaaaaaaaaa", 1)).await.expect("written");
    assert!(two.find("aaaaaaaaaa").await.expect("read").is_some());
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn rows_are_written_within_moments_without_being_asked() {
    let dir = scratch("batch");
    let (one, two) = (Store::open(&dir, 30).expect("opened"), Store::open(&dir, 30).expect("opened"));
    one.record(row("aaaaaaaaaa", 1));
    for _ in 0..100 {
        if two.find("aaaaaaaaaa").await.expect("read").is_some() {
            let _ = std::fs::remove_dir_all(dir);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the row was not written");
}

#[tokio::test]
async fn a_directory_that_shrinks_too_much_is_refused_unless_forced() {
    let dir = scratch("roster");
    let store = Store::open(&dir, 30).expect("opened");
    let ten: Vec<Member> = (0..10).map(|i| member(&format!("u{i}@x.test"))).collect();
    assert_eq!(store.replace_roster(ten.clone(), Some(20)).await.expect("first import"), 0);
    assert_eq!(store.replace_roster(ten[..8].to_vec(), Some(20)).await.expect("20 % may go"), 10);
    let refused = store.replace_roster(Vec::new(), Some(20)).await;
    assert!(matches!(refused, Err(StoreError::Shrink(Shrink { before: 8, after: 0, percent: 20 }))));
    let found = store.find_member(vec!["no@x.test".into(), "u1@x.test".into()]).await.expect("read");
    assert_eq!(found, Some(member("u1@x.test")), "a refused change leaves all as it was");
    assert_eq!(store.replace_roster(Vec::new(), None).await.expect("forced"), 8);
    assert_eq!(store.roster_size().await.expect("read"), 0);
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn a_file_of_a_newer_version_is_not_touched() {
    let dir = scratch("newer");
    let connection = Connection::open(dir.join(FILE)).expect("opened");
    connection.pragma_update(None, "user_version", 99).expect("set");
    assert!(matches!(Store::open(&dir, 30), Err(StoreError::Newer { found: 99, .. })));
    let _ = std::fs::remove_dir_all(dir);
}
