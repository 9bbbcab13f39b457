//! Labelled mail: which messages there are, what they are, and what is known of each.

use crate::cli::input::{self, Kind, Place};
use mailward_core::{session::ReversePath, spam::classifier::Class};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::{Path, PathBuf},
};

/// Most faults of an index that are told. Source: our own limit, a screen.
const FAULTS: usize = 20;
/// Columns of an index that mean something of their own.
const COLUMNS: [&str; 9] = ["set", "class", "path", "campaign", "group", "time", "client_ip", "helo", "mail_from"];

/// A message of which it is known what it is.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) class: Class,
    /// Where it comes from.
    pub(super) set: String,
    /// With which messages it is reported: the set, unless the index says otherwise.
    pub(super) group: String,
    /// Near duplicates share one; `None`: it is to be found.
    pub(super) campaign: Option<String>,
    /// Unix seconds.
    pub(super) time: Option<i64>,
    pub(super) client_ip: Option<IpAddr>,
    pub(super) helo: Option<String>,
    pub(super) mail_from: Option<String>,
}

/// All that was named, and what could not be used.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) messages: Vec<Labelled>,
    /// Each a sentence for the user.
    pub(super) unreadable: Vec<String>,
    /// Rows of indexes whose class is neither ham nor spam, by class.
    pub(super) left_out: BTreeMap<String, u64>,
    /// Fields client_ip and mail_from that are no addresses: anonymised mail has such.
    pub(super) no_addresses: u64,
}

impl Found {
    /// The messages below a path, all of one class.
    pub(super) fn add_path(&mut self, path: &Path, class: Class, set: &str) {
        if path == Path::new("-") {
            return self.unreadable.push("standard input cannot be read twice: give a file".to_owned());
        }
        for input in input::walk(path) {
            match input {
                Ok(input) if matches!(input.kind, Kind::Message) => self.messages.push(Labelled {
                    name: input.name,
                    place: input.place,
                    class,
                    set: set.to_owned(),
                    group: set.to_owned(),
                    campaign: None,
                    time: None,
                    client_ip: None,
                    helo: None,
                    mail_from: None,
                }),
                Ok(input) => self.unreadable.push(format!("{} is a recorded session, no message", input.name)),
                Err(error) => self.unreadable.push(error),
            }
        }
    }

    /// `NAME=DIR`: the messages of `DIR/ham` and `DIR/spam`.
    ///
    /// # Errors
    ///
    /// If there is no name, or neither folder.
    pub(super) fn add_set(&mut self, set: &str) -> Result<(), String> {
        let (name, dir) =
            set.split_once('=').filter(|(name, dir)| !name.is_empty() && !dir.is_empty()).ok_or_else(|| {
                format!("--set {set}: a set has a name and a folder: --set NAME=DIR with DIR/ham and DIR/spam")
            })?;
        let folders: Vec<(PathBuf, Class)> = [Class::Ham, Class::Spam]
            .into_iter()
            .map(|class| (Path::new(dir).join(class.word()), class))
            .filter(|(folder, _)| folder.is_dir())
            .collect();
        if folders.is_empty() {
            return Err(format!("--set {set}: there is neither {dir}/ham nor {dir}/spam"));
        }
        for (folder, class) in folders {
            self.add_path(&folder, class, name);
        }
        Ok(())
    }

    /// The messages that an index lists: separated by tabs if its name ends in `.tsv`, else by commas. `root`: where its paths begin;
    /// without it: where the index is. `group`: the column by which results are reported.
    ///
    /// # Errors
    ///
    /// Every line that is not understood, with its number.
    pub(super) fn add_index(&mut self, index: &Path, root: Option<&Path>, group: Option<&str>) -> Result<(), String> {
        let cannot = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", index.display());
        let tabs = index.extension().is_some_and(|extension| extension == "tsv");
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(if tabs { b'\t' } else { b',' })
            .quoting(!tabs)
            .flexible(true)
            .from_path(index)
            .map_err(|error| cannot(&error))?;
        let head = reader.headers().map_err(|error| cannot(&error))?.clone();
        let column = |name: &str| head.iter().position(|column| column == name);
        for needed in ["class", "path"].into_iter().chain(group) {
            if column(needed).is_none() {
                let known: Vec<&str> = head.iter().collect();
                return Err(format!(
                    "{}:1: there is no column \"{needed}\" among {}",
                    index.display(),
                    known.join(", ")
                ));
            }
        }
        let places = COLUMNS.map(column);
        let group = group.map_or(places[4], column);
        let root = root.or(index.parent()).unwrap_or(Path::new(""));
        let mut faults = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| cannot(&error))?;
            let line = row.position().map_or(0, csv::Position::line);
            let at = |place: Option<usize>| place.and_then(|place| row.get(place)).filter(|text| !text.is_empty());
            match labelled(root, &places.map(at), at(group)) {
                Ok(Some(message)) => {
                    self.no_addresses += u64::from(message.client_ip.is_none() && at(places[6]).is_some());
                    self.no_addresses += u64::from(message.mail_from.is_none() && at(places[8]).is_some());
                    self.messages.push(message);
                }
                Ok(None) => *self.left_out.entry(at(places[1]).unwrap_or_default().to_owned()).or_default() += 1,
                Err(why) => faults.push(format!("{}:{line}: {why}", index.display())),
            }
        }
        let more = faults.len().saturating_sub(FAULTS);
        faults.truncate(FAULTS);
        if more > 0 {
            faults.push(format!("{}: {more} more faults", index.display()));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\nmailward: ")) }
    }

    /// Names of sets and groups, for `--train` and `--judge`.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.messages.iter().flat_map(|message| [message.set.as_str(), message.group.as_str()]).collect()
    }
}

/// A row of an index, its fields in the order of [`COLUMNS`]; `None` if it is neither ham nor spam.
fn labelled(root: &Path, fields: &[Option<&str>; 9], group: Option<&str>) -> Result<Option<Labelled>, String> {
    let [set, class, path, campaign, _, time, client_ip, helo, mail_from] = *fields;
    let class = match class.ok_or("\"class\" is empty: it must be ham or spam")? {
        "ham" => Class::Ham,
        "spam" | "phish" => Class::Spam,
        _ => return Ok(None),
    };
    let path = path.ok_or("\"path\" is empty")?;
    let set = set.unwrap_or("mail").to_owned();
    let time = time.map(|text| {
        let seconds = text.parse().ok().or_else(|| Some(text.parse::<jiff::Timestamp>().ok()?.as_second()));
        seconds.ok_or_else(|| format!("\"{text}\" is no time: write Unix seconds, or 2026-01-05T12:00:00Z"))
    });
    Ok(Some(Labelled {
        name: path.to_owned(),
        place: Place { file: root.join(path), span: None },
        class,
        group: group.map_or_else(|| set.clone(), str::to_owned),
        set,
        campaign: campaign.map(str::to_owned),
        time: time.transpose()?,
        client_ip: client_ip.and_then(|text| text.parse().ok()),
        helo: helo.map(str::to_owned),
        mail_from: mail_from.filter(|path| ReversePath::parse(path.as_bytes()).is_ok()).map(str::to_owned),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("mailward-index-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        path
    }

    #[test]
    fn an_index_says_what_messages_are_and_other_classes_are_left_out() {
        let path = index(
            "a.tsv",
            "class\tpath\tbench\tset\ttime\nham\ta.eml\tA\tx\t2026-01-05T12:00:00Z\nphish\tb \"c.eml\t\tx\t17\nmisc\tc.eml\tA\tx\t\n",
        );
        let mut found = Found::default();
        found.add_index(&path, Some(Path::new("/mail")), Some("bench")).expect("read");
        let of = |m: &Labelled| (m.name.clone(), m.class, m.set.clone(), m.group.clone(), m.time);
        assert_eq!(
            found.messages.iter().map(of).collect::<Vec<_>>(),
            [
                ("a.eml".into(), Class::Ham, "x".into(), "A".into(), Some(1_767_614_400)),
                ("b \"c.eml".into(), Class::Spam, "x".into(), "x".into(), Some(17)),
            ]
        );
        assert_eq!(found.messages[0].place.file, Path::new("/mail/a.eml"));
        assert_eq!(found.left_out, BTreeMap::from([("misc".to_owned(), 1)]));
        std::fs::remove_file(path).expect("removed");
    }

    #[test]
    fn every_line_that_is_not_understood_is_named() {
        let path =
            index("b.csv", "path,class,time,client_ip,mail_from\na,ham,yesterday,,\n,spam,,,\nc,spam,,x,a b@\nd,,,,\n");
        let mut found = Found::default();
        let error = found.add_index(&path, None, None).expect_err("three faults");
        assert_eq!(found.no_addresses, 2);
        for part in [
            ":2: \"yesterday\" is no time: write Unix seconds, or 2026-01-05T12:00:00Z",
            ":3: \"path\" is empty",
            ":5: \"class\" is empty: it must be ham or spam",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let error = Found::default().add_index(&path, None, Some("bench")).expect_err("no such column");
        assert!(
            error.ends_with("b.csv:1: there is no column \"bench\" among path, class, time, client_ip, mail_from"),
            "{error}"
        );
        std::fs::remove_file(path).expect("removed");
    }
}
