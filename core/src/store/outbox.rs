//! Notices that wait to be sent: a row is on disk before the message that it tells of is answered, and stays until the mail
//! server has it, or until nobody would want it any more. Their text is sealed under the secret of the site.

use super::{SiteKey, Store, StoreError};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::time::Duration;

/// The tables, as a schema version of `mailward.db` has them.
pub(super) const TABLE: &str = "
    CREATE TABLE outbox (
        number INTEGER PRIMARY KEY, made INTEGER NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL,
        in_hand INTEGER NOT NULL DEFAULT 0,
        recipient TEXT NOT NULL, text BLOB NOT NULL);
    CREATE INDEX outbox_due ON outbox (due);
    CREATE TABLE outbox_sent (recipient TEXT NOT NULL, time INTEGER NOT NULL);
    CREATE INDEX outbox_sent_recipient ON outbox_sent (recipient, time);
";

/// Most notices that wait; further ones are dropped with a log line. Unit: notices. Source: our own limit.
const ROWS: i64 = 10_000;
/// How long a notice is tried. Source: our own limit; what is older is told better by the history.
pub const LIFETIME: Duration = Duration::from_secs(86_400);
/// Wait after the first failure; it doubles up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_secs(60);
/// Longest wait between two tries. Source: RFC 5321 §4.5.4.1 asks for at least 30 minutes, after some early ones.
const BACKOFF_MAX: Duration = Duration::from_secs(3_600);

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// To whom, without brackets.
    pub recipient: String,
    /// The whole message in wire form.
    pub text: Vec<u8>,
}

/// A notice that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its row.
    pub number: i64,
    /// When it was made. Unix seconds.
    pub made: i64,
    /// How often it was tried.
    pub tries: u32,
    /// How many went to the same recipient within an hour.
    pub sent_lately: u64,
    /// What is sent; `None` if it cannot be read any more.
    pub letter: Option<Letter>,
}

impl Store {
    /// Commits letters: when this returns they are safe on disk.
    ///
    /// # Errors
    ///
    /// If they could not be written; nothing is known about them then.
    pub async fn post(&self, letters: Vec<Letter>, now: i64, key: &SiteKey) -> Result<(), StoreError> {
        let seal = |letter: Letter| Ok((letter.recipient, key.seal(&letter.text)?));
        let sealed: Result<Vec<_>, std::io::Error> = letters.into_iter().map(seal).collect();
        let sealed = sealed.map_err(|_| StoreError::Busy("a notice could not be sealed"))?;
        self.run(move |connection| post(connection, &sealed, now)).await
    }

    /// The notice that is due first; nobody else gets it within `lease`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or written.
    pub async fn due_letter(&self, now: i64, lease: Duration, key: &SiteKey) -> Result<Option<Waiting>, StoreError> {
        let row = self.run(move |connection| due(connection, now, lease)).await?;
        let open = |(mut waiting, recipient, text): (Waiting, String, Vec<u8>)| {
            waiting.letter = key.open_sealed(&text).map(|text| Letter { recipient, text });
            waiting
        };
        Ok(row.map(open))
    }

    /// Takes a notice off: it was sent, if `to` says to whom, or it is given up.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub async fn settle_letter(&self, number: i64, to: Option<String>, now: i64) -> Result<(), StoreError> {
        self.run(move |connection| settle(connection, number, to.as_deref(), now)).await
    }

    /// Puts a notice back that could not be sent.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub async fn put_letter_off(&self, waiting: &Waiting, now: i64) -> Result<(), StoreError> {
        let (number, wait) = (waiting.number, backoff(waiting.tries));
        self.run(move |connection| {
            connection.execute(
                "UPDATE outbox SET due = ?2, in_hand = 0, tries = tries + 1 WHERE number = ?1",
                params![number, now + wait.as_secs() as i64],
            )?;
            Ok(())
        })
        .await
    }

    /// Has every notice tried at once that nobody has in hand.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub async fn wake_letters(&self, now: i64) -> Result<(), StoreError> {
        self.run(move |connection| {
            connection.execute("UPDATE outbox SET due = ?1 WHERE due > ?1 AND in_hand <= ?1", [now])?;
            Ok(())
        })
        .await
    }

    /// How many notices wait.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn letters_waiting(&self) -> Result<u64, StoreError> {
        self.run(|connection| {
            let count: i64 = connection.query_row("SELECT COUNT(*) FROM outbox", [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .await
    }
}

fn backoff(tries: u32) -> Duration {
    BACKOFF.saturating_mul(1 << tries.min(10)).min(BACKOFF_MAX)
}

fn post(connection: &mut Connection, letters: &[(String, Vec<u8>)], now: i64) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let waiting: i64 = transaction.query_row("SELECT COUNT(*) FROM outbox", [], |row| row.get(0))?;
    let room = usize::try_from(ROWS - waiting).unwrap_or(0);
    if room < letters.len() {
        tracing::error!(dropped = letters.len() - room, "too many notices wait to be sent; some were dropped");
    }
    for (recipient, text) in letters.iter().take(room) {
        transaction
            .prepare_cached("INSERT INTO outbox (made, due, tries, recipient, text) VALUES (?1, ?1, 0, ?2, ?3)")?
            .execute(params![now, recipient, text])?;
    }
    Ok(transaction.commit()?)
}

type Row = (Waiting, String, Vec<u8>);

fn due(connection: &mut Connection, now: i64, lease: Duration) -> Result<Option<Row>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = {
        let mut statement = transaction.prepare_cached(
            "SELECT number, made, tries, recipient, text, (SELECT COUNT(*) FROM outbox_sent \
             WHERE outbox_sent.recipient = outbox.recipient AND time > ?1 - 3600) \
             FROM outbox WHERE due <= ?1 ORDER BY due, number LIMIT 1",
        )?;
        let read = |row: &rusqlite::Row<'_>| {
            let waiting = Waiting {
                number: row.get(0)?,
                made: row.get(1)?,
                tries: row.get(2)?,
                sent_lately: row.get::<_, i64>(5)?.unsigned_abs(),
                letter: None,
            };
            Ok((waiting, row.get(3)?, row.get(4)?))
        };
        statement.query_row([now], read).optional()?
    };
    if let Some((waiting, ..)) = &found {
        transaction
            .prepare_cached("UPDATE outbox SET due = ?2, in_hand = ?2 WHERE number = ?1")?
            .execute(params![waiting.number, now + lease.as_secs() as i64])?;
    }
    transaction.commit()?;
    Ok(found)
}

fn settle(connection: &mut Connection, number: i64, to: Option<&str>, now: i64) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("DELETE FROM outbox WHERE number = ?1", [number])?;
    if let Some(recipient) = to {
        transaction.execute("INSERT INTO outbox_sent (recipient, time) VALUES (?1, ?2)", params![recipient, now])?;
    }
    transaction.execute("DELETE FROM outbox_sent WHERE time < ?1 - 3600", [now])?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::{super::counters::scratch, *};

    fn letter(recipient: &str) -> Letter {
        Letter { recipient: recipient.to_owned(), text: b"Subject: quarterly figures\r\n\r\nx\r\n".to_vec() }
    }

    #[tokio::test]
    async fn a_letter_waits_until_it_is_settled_and_its_words_are_not_on_the_disk() {
        let dir = scratch("outbox");
        let key = SiteKey::of(b"secret");
        let store = Store::open(&dir, 30).expect("opened");
        store.post(vec![letter("a@x.test"), letter("b@x.test")], 1_000, &key).await.expect("posted");
        drop(store);
        let store = Store::open(&dir, 30).expect("opened again");
        assert_eq!(store.letters_waiting().await.expect("a number"), 2);
        let lease = Duration::from_secs(120);
        let due = async |now| store.due_letter(now, lease, &key).await.expect("read");
        assert_eq!(due(999).await, None);
        let first = due(1_000).await.expect("a notice");
        assert_eq!(first.letter, Some(letter("a@x.test")));
        let other = due(1_000).await.expect("a notice");
        assert_eq!(other.letter, Some(letter("b@x.test")), "the first is in hand");
        store.wake_letters(1_010).await.expect("woken");
        assert_eq!(due(1_010).await, None, "others have them in hand");
        store.settle_letter(first.number, Some("a@x.test".to_owned()), 1_011).await.expect("settled");
        store.put_letter_off(&other, 1_011).await.expect("put off");
        assert_eq!(due(1_070).await, None);
        store.wake_letters(1_070).await.expect("woken");
        let again = due(1_070).await.expect("a notice");
        assert_eq!((again.tries, again.made, again.sent_lately), (1, 1_000, 0));
        assert_eq!(due(1_189).await, None);
        let abandoned = due(1_190).await.expect("its sender is gone");
        assert_eq!(abandoned.number, again.number);
        store.settle_letter(abandoned.number, None, 1_190).await.expect("settled");
        store.post(vec![letter("a@x.test")], 2_000, &key).await.expect("posted");
        assert_eq!(due(2_000).await.map(|waiting| waiting.sent_lately), Some(1));
        drop(store);
        for file in std::fs::read_dir(&dir).expect("a folder").flatten() {
            let bytes = std::fs::read(file.path()).expect("read");
            assert!(!bytes.windows(9).any(|part| part == b"quarterly"), "{file:?}");
        }
        let _ = std::fs::remove_dir_all(dir);
    }

    #[test]
    fn waits_double_up_to_an_hour() {
        let minutes: Vec<u64> = [0, 1, 2, 5, 6, 60].map(|tries| backoff(tries).as_secs() / 60).to_vec();
        assert_eq!(minutes, [1, 2, 4, 32, 60, 60]);
    }
}
