//! What the process remembers of the shared counters, so that ordinary mail rarely waits for the file.
//!
//! A cell holds what the file said, plus every addition made here since. Only the counters' thread moves additions from
//! here to the file, and only it fills cells: so a cell never counts an addition twice, nor forgets one.

use super::{Answer, Entry, Op, Window};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How old a cell may be, unless nobody else has written since. What other processes count is seen so much later. Unit:
/// time. Source: our own limit, short beside the windows that are counted.
pub(super) const FRESH: Duration = Duration::from_secs(1);
/// Most cells of one generation; there are two. Unit: cells. Source: our own limit, about 10 MiB each.
const GENERATION: usize = 50_000;
/// Most additions that wait for the file, each with its own key and bucket. Past it they are dropped: the file is in
/// trouble. Unit: additions. Source: our own limit.
const WAITING: usize = 200_000;

/// Cells and waiting additions.
#[derive(Debug, Default)]
pub(super) struct Memory {
    young: HashMap<Box<str>, Cell>,
    old: HashMap<Box<str>, Cell>,
    waiting: HashMap<Box<str>, Waiting>,
    additions: usize,
    others: Others,
}

/// When others wrote to the file.
#[derive(Debug, Default)]
struct Others {
    /// Last look that found something new. Without one all cells may be out of date.
    wrote: Option<Instant>,
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Cell {
    read: Instant,
    held: Held,
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Held {
    /// Of a counter: amounts by the beginning of their bucket.
    Buckets(Vec<(i64, u64)>),
    /// Of an entry, which may not exist.
    Entry(Option<Entry>),
}

/// Additions to one counter by bucket.
#[derive(Debug)]
struct Waiting {
    window: Window,
    amounts: Vec<(i64, u64)>,
}

impl Memory {
    /// What is held under the key, unless others may have changed it for longer than [`FRESH`].
    pub(super) fn fresh(&mut self, key: &str) -> Option<&Held> {
        if !self.young.contains_key(key) {
            let (key, cell) = self.old.remove_entry(key)?;
            self.insert(key, cell);
        }
        let others = &self.others;
        let is_fresh = |cell: &&Cell| cell.read.elapsed() < FRESH || others.are_quiet_since(cell.read);
        self.young.get(key).filter(is_fresh).map(|cell| &cell.held)
    }

    /// Takes over whether others wrote to the file since the last look.
    pub(super) fn looked(&mut self, others_wrote: bool) {
        let now = Instant::now();
        self.others.looked = Some(now);
        if others_wrote {
            self.others.wrote = Some(now);
        }
    }

    /// Counts here at once. Returns whether it is the first addition since the last were taken away.
    pub(super) fn add(&mut self, key: &str, amount: u64, window: Window, now: i64) -> bool {
        let bucket = window.start(now);
        self.add_to_cell(key, bucket, amount);
        if self.additions >= WAITING {
            return false;
        }
        let first = self.additions == 0;
        let added = match self.waiting.get_mut(key) {
            Some(waiting) => add_to(&mut waiting.amounts, bucket, amount),
            None => {
                self.waiting.insert(key.into(), Waiting { window, amounts: vec![(bucket, amount)] });
                true
            }
        };
        self.additions += usize::from(added);
        first
    }

    /// The waiting additions, to be written to the file.
    pub(super) fn take_waiting(&mut self) -> Vec<Op> {
        self.additions = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let mut ops = Vec::with_capacity(waiting.len());
        for (key, Waiting { window, amounts }) in waiting {
            for (bucket, amount) in amounts {
                ops.push(Op::AddTo { key: key.to_string(), bucket, amount, window });
            }
        }
        ops
    }

    /// Whether additions wait.
    pub(super) fn is_waiting(&self) -> bool {
        self.additions > 0
    }

    /// Takes over what the file has answered, or what was written to it.
    pub(super) fn learn(&mut self, now: i64, op: &Op, answer: &Answer) {
        let (key, held) = match (op, answer) {
            (Op::Buckets { key }, Answer::Buckets(buckets)) => {
                let mut buckets = buckets.clone();
                for &(bucket, amount) in self.waiting.get(key.as_str()).iter().flat_map(|w| &w.amounts) {
                    add_to(&mut buckets, bucket, amount);
                }
                (key, Held::Buckets(buckets))
            }
            (Op::Get { key }, Answer::Entry(entry)) => (key, Held::Entry(entry.clone())),
            (Op::Put { key, value, expires }, _) if self.holds(key) => {
                let entry = Entry { key: key.clone(), value: value.clone(), expires: *expires };
                (key, Held::Entry(Some(entry)))
            }
            (Op::Delete { key }, _) => return self.forget(|known| known == key),
            (Op::Clear { prefix }, _) => {
                self.waiting.retain(|key, _| !key.starts_with(prefix.as_str()));
                self.additions = self.waiting.values().map(|w| w.amounts.len()).sum();
                return self.forget(|key| key.starts_with(prefix.as_str()));
            }
            (Op::Add { key, amount, window }, _) => return self.add_to_cell(key, window.start(now), *amount),
            _ => return,
        };
        self.old.remove(key.as_str());
        self.insert(key.as_str().into(), Cell { read: Instant::now(), held });
    }

    /// Puts additions back that could not be written.
    pub(super) fn restore(&mut self, ops: Vec<Op>) {
        for op in ops {
            let Op::AddTo { key, bucket, amount, window } = op else { continue };
            if self.additions >= WAITING {
                return;
            }
            let waiting = self.waiting.entry(key.into()).or_insert(Waiting { window, amounts: Vec::new() });
            self.additions += usize::from(add_to(&mut waiting.amounts, bucket, amount));
        }
    }

    fn add_to_cell(&mut self, key: &str, bucket: i64, amount: u64) {
        for generation in [&mut self.young, &mut self.old] {
            if let Some(Cell { held: Held::Buckets(buckets), .. }) = generation.get_mut(key) {
                add_to(buckets, bucket, amount);
            }
        }
    }

    fn holds(&self, key: &str) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    fn forget(&mut self, unwanted: impl Fn(&str) -> bool) {
        self.young.retain(|key, _| !unwanted(key));
        self.old.retain(|key, _| !unwanted(key));
    }

    fn insert(&mut self, key: Box<str>, cell: Cell) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, cell);
    }
}

impl Others {
    fn are_quiet_since(&self, time: Instant) -> bool {
        let known = self.looked.is_some_and(|looked| looked.elapsed() < FRESH);
        known && self.wrote.is_some_and(|wrote| time >= wrote)
    }
}

/// Adds to a bucket; returns whether it is a new one.
fn add_to(buckets: &mut Vec<(i64, u64)>, bucket: i64, amount: u64) -> bool {
    match buckets.iter_mut().rev().find(|(start, _)| *start == bucket) {
        Some((_, sum)) => {
            *sum = sum.saturating_add(amount);
            false
        }
        None => {
            buckets.push((bucket, amount));
            true
        }
    }
}
