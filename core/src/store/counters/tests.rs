use super::*;
use std::{fs, os::unix::fs::PermissionsExt};

const MINUTES: Window = Window { bucket: 60, keep: 7200 };

pub(super) fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

/// An empty directory for one test.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("mailward-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a scratch directory");
    dir
}

#[tokio::test]
async fn a_window_forgets_what_is_older() {
    let counters = Counters::in_memory();
    for (at, amount) in [(0, 1), (3_000, 10), (3_599, 100)] {
        assert_eq!(counters.add("k", amount, MINUTES, at, soon()).await, Outcome::Done(()));
    }
    assert_eq!(counters.sum("k", 3_600 - 3_600, MINUTES, 3_600, soon()).await, Outcome::Done(111));
    assert_eq!(counters.sum("k", 3_700 - 3_600, MINUTES, 3_700, soon()).await, Outcome::Done(110));
    assert_eq!(counters.sum("other", 0, MINUTES, 3_700, soon()).await, Outcome::Done(0));
}

#[tokio::test]
async fn an_entry_is_gone_when_it_expires_and_prefixes_do_not_leak() {
    let counters = Counters::in_memory();
    counters.put("block/192.0.2.1/32", "x", 100, 0, soon()).await;
    counters.put("blocks", "y", 100, 0, soon()).await;
    assert_eq!(counters.list("block/", 10, 50, soon()).await.map(|l| l.len()), Outcome::Done(1));
    assert_eq!(counters.get("block/192.0.2.1/32", 99, soon()).await, Outcome::Done(Some("x".into())));
    assert_eq!(counters.get("block/192.0.2.1/32", 100, soon()).await, Outcome::Done(None));
}

#[tokio::test]
async fn two_handles_on_one_directory_see_each_other_and_the_group_may_write() {
    let dir = scratch("shared");
    let (one, two) = (Counters::open(&dir), Counters::open(&dir));
    let add = |c: Counters| async move {
        for _ in 0..200 {
            assert_eq!(c.add("k", 1, MINUTES, 0, soon()).await, Outcome::Done(()));
        }
    };
    tokio::join!(add(one.clone()), add(two.clone()));
    assert_eq!(one.sum("k", 0, MINUTES, 0, soon()).await, Outcome::Done(400));
    assert_eq!(two.sum("k", 0, MINUTES, 0, soon()).await, Outcome::Done(400));
    for file in [FILE.to_owned(), format!("{FILE}-wal"), format!("{FILE}-shm")] {
        let mode = fs::metadata(dir.join(&file)).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "{file}");
    }
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside_and_counting_goes_on() {
    let dir = scratch("damaged");
    fs::write(dir.join(FILE), vec![b'x'; 100_000]).expect("written");
    let counters = Counters::open(&dir);
    assert_eq!(counters.add("k", 1, MINUTES, 0, soon()).await, Outcome::Done(()));
    assert_eq!(counters.sum("k", 0, MINUTES, 0, soon()).await, Outcome::Done(1));
    assert!(dir.join("counters.db.damaged").exists());
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn a_missing_directory_is_trouble_until_it_is_there() {
    let dir = scratch("missing").join("later");
    let counters = Counters::open(&dir);
    assert!(counters.add("k", 1, MINUTES, 0, soon()).await.trouble().is_some());
    fs::create_dir_all(&dir).expect("created");
    assert_eq!(counters.add("k", 1, MINUTES, 0, soon()).await, Outcome::Done(()));
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn a_locked_file_is_trouble_within_the_deadline() {
    let dir = scratch("locked");
    let counters = Counters::open(&dir);
    assert_eq!(counters.add("k", 1, MINUTES, 0, soon()).await, Outcome::Done(()));
    let lock = rusqlite::Connection::open(dir.join(FILE)).expect("opened");
    lock.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let before = std::time::Instant::now();
    let outcome = counters.add("k", 1, MINUTES, 0, Deadline::after(Duration::from_millis(100))).await;
    assert_eq!(outcome, Outcome::TimedOut);
    assert!(before.elapsed() < Duration::from_millis(400));
    lock.execute_batch("COMMIT").expect("released");
    assert_eq!(counters.add("k", 1, MINUTES, 0, soon()).await, Outcome::Done(()));
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn calls_of_many_operations_answer_in_order() {
    let counters = Counters::in_memory();
    let answers = counters
        .apply(
            1_000,
            vec![
                Op::Add { key: "a".into(), amount: 2, window: MINUTES },
                Op::Sum { key: "a".into(), since: 0, window: MINUTES },
                Op::Clear { prefix: "a".into() },
                Op::Sum { key: "a".into(), since: 0, window: MINUTES },
            ],
            soon(),
        )
        .await;
    let expected = vec![Answer::Done, Answer::Number(2), Answer::Done, Answer::Number(0)];
    assert_eq!(answers, Outcome::Done(expected));
}

#[tokio::test]
async fn one_who_watches_sees_everything_and_changes_nothing() {
    let counters = Counters::in_memory();
    let window = Window { bucket: 60, keep: 3_600 };
    let key = || "k/1".to_owned();
    let written = [
        Op::Put { key: key(), value: "v".to_owned(), expires: 1_000 },
        Op::Add { key: key(), amount: 5, window },
        Op::AddTo { key: key(), bucket: 0, amount: 2, window },
    ];
    counters.apply(10, written.to_vec(), soon()).await.done().expect("written");
    let reads = || {
        vec![
            Op::Get { key: key() },
            Op::Buckets { key: key() },
            Op::Sum { key: key(), since: 0, window },
            Op::List { prefix: "k/".to_owned(), limit: 9 },
            Op::Count { prefix: String::new() },
            Op::Sample { prefix: String::new(), value_prefix: String::new(), limit: 9 },
        ]
    };
    let before = counters.apply(10, reads(), soon()).await;
    let watching = counters.read_only();
    let changes = written.into_iter().chain([
        Op::Put { key: "k/2".to_owned(), value: "w".to_owned(), expires: 1_000 },
        Op::Delete { key: key() },
        Op::Clear { prefix: String::new() },
    ]);
    let mixed: Vec<Op> = changes.flat_map(|change| [change, Op::Get { key: key() }]).collect();
    let answers = watching.apply(10, mixed, soon()).await;
    let answers = answers.done().expect("an answer for each");
    for (index, answer) in answers.iter().enumerate() {
        match index % 2 {
            0 => assert_eq!(*answer, Answer::Done, "as if it were done"),
            _ => assert_eq!(answer.value(), Some("v"), "the answer stands at its place"),
        }
    }
    crate::store::Ledger::new(watching.clone()).add("k/1", 7, window, 10);
    assert_eq!(watching.apply(10, reads(), soon()).await, before);
    assert_eq!(counters.apply(10, reads(), soon()).await, before);
}
