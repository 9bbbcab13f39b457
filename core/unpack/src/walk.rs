//! The way through files in files, and what is left of the bounds.

use crate::{Bound, Bounds, Candidate, File, FileKind, Found, Sign, bounds::RATIO_FREE, format, passwords::Passwords};
use std::{
    collections::HashSet,
    io::{ErrorKind, Read},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// Longest name kept. Unit: bytes. Source: file systems allow 255.
pub(crate) const NAME_BYTES: usize = 255;
/// Longest detail of a sign. Unit: bytes. Source: our own limit.
const DETAIL_BYTES: usize = 200;
/// Most signs and cuts told of one message beside the first of each kind. Source: our own limit.
const SIGNS: usize = 1_000;
/// Most passwords tried on one message. Source: our own limit; one takes up to a millisecond.
const TRIES: usize = 500;

/// Where the kinds of cuts begin behind those of signs.
const CUT_KINDS: u32 = 32;

/// As many tries as one of the costly kind counts. Source: our own limit; twelve of them take a second.
const COSTLY: usize = 40;

/// How much unpackers may read and write on the way, against [`Bounds::bytes`]. Source: our own limit; archives in archives take two or
/// three.
const WORK: usize = 4;

/// What is left of the bounds, over all files of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    files: usize,
    bytes: usize,
    /// Bytes that unpackers may still read and write: a packed stream may be long and hold nothing, or be unpacked for no file.
    work: usize,
    signs: usize,
    /// Kinds of signs and cuts that were told: a bit for each.
    told: u64,
    tries: usize,
}

impl Left {
    /// Whether a sign or cut of this kind is told: the first is, whatever went before.
    fn may_tell(&mut self, kind: u32) -> bool {
        let is_first = self.told & 1 << kind == 0;
        self.told |= 1 << kind;
        if !is_first && self.signs == 0 {
            return false;
        }
        self.signs = self.signs.saturating_sub(usize::from(!is_first));
        true
    }

    pub(crate) fn new(bounds: &Bounds) -> Self {
        Left {
            files: bounds.files,
            bytes: bounds.bytes,
            work: bounds.bytes.saturating_mul(WORK),
            signs: SIGNS,
            told: 0,
            tries: TRIES,
        }
    }
}

/// The way through files in files.
pub(crate) struct Walk<'w> {
    pub(crate) left: Left,
    passwords: &'w Passwords<'w>,
    bounds: &'w Bounds,
    each: &'w mut dyn FnMut(Found<'_>),
    path: String,
    within: String,
    depth: usize,
    /// Whether the members of the file under way are parts of its format.
    in_document: bool,
    cuts: usize,
    /// Bytes that unpackers keep while the files in them are looked into.
    held: usize,
    /// Whether the caller is being told something.
    telling: bool,
    /// Members of ZIP archives in other files that were taken, as hashes of their rows and bytes.
    members: HashSet<u64>,
}

impl<'w> Walk<'w> {
    pub(crate) fn new(
        left: Left,
        passwords: &'w Passwords<'w>,
        bounds: &'w Bounds,
        each: &'w mut dyn FnMut(Found<'_>),
    ) -> Self {
        let (path, within) = (String::new(), String::new());
        Walk {
            left,
            passwords,
            bounds,
            each,
            path,
            within,
            depth: 0,
            in_document: false,
            cuts: 0,
            held: 0,
            telling: false,
            members: HashSet::new(),
        }
    }

    /// Takes a file that is found: the caller hears of it, then it is looked into.
    pub(crate) fn member(&mut self, name: &str, content: &[u8]) {
        self.take(name, content, false);
    }

    /// A file whose name alone can be told.
    pub(crate) fn locked(&mut self, name: &str) {
        self.take(name, &[], true);
    }

    fn take(&mut self, name: &str, content: &[u8], locked: bool) {
        if self.left.files == 0 {
            return self.cut(Bound::Files);
        }
        if content.len() > self.left.bytes {
            return self.cut(Bound::Bytes);
        }
        self.left.files -= 1;
        self.left.bytes -= content.len();
        let (path, within, in_document) = (self.path.len(), self.within.len(), self.in_document);
        let name = clean(name, self.bounds.files - self.left.files);
        if self.depth > 0 {
            self.path.push('/');
        }
        self.path.push_str(&name);
        let kind = FileKind::of(content);
        self.telling = true;
        (self.each)(Found::File(File {
            path: &self.path,
            name: &name,
            within: &self.within,
            depth: self.depth,
            kind,
            content,
            locked,
            part_of_document: in_document,
        }));
        self.telling = false;
        if !locked {
            self.look_into(kind, content);
        }
        self.path.truncate(path);
        self.within.truncate(within);
        self.in_document = in_document;
    }

    fn look_into(&mut self, kind: FileKind, content: &[u8]) {
        if self.depth + 1 >= self.bounds.depth {
            if format::may_hold_files(kind) {
                self.cut(Bound::Depth);
            }
            return;
        }
        if self.depth > 0 {
            self.within.push('/');
        }
        self.within.push_str(kind.word());
        self.depth += 1;
        self.in_document = false;
        let cuts = std::mem::take(&mut self.cuts);
        let (depth, path, held) = (self.depth, self.path.len(), self.held);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| format::open(self, kind, content))) {
            // What the caller does with a file is his to answer for.
            if self.telling {
                resume_unwind(panic);
            }
            self.depth = depth;
            self.path.truncate(path);
            self.cut(Bound::Parser);
        }
        self.held = held;
        self.cuts = cuts;
        self.depth -= 1;
    }

    /// Whether the file under way is in another.
    pub(crate) fn is_inside(&self) -> bool {
        self.depth > 1
    }

    /// Notes a member of a ZIP archive; whether it was not yet.
    pub(crate) fn note_member(&mut self, hash: u64) -> bool {
        self.members.insert(hash)
    }

    pub(crate) fn passwords(&self) -> &'w [Candidate] {
        self.passwords.all()
    }

    /// The members of the file under way are parts of its format.
    pub(crate) fn is_document(&mut self) {
        self.in_document = true;
    }

    /// The members that follow are files that a user takes out.
    pub(crate) fn is_archive(&mut self) {
        self.in_document = false;
    }

    /// Something about the file under way.
    pub(crate) fn sign(&mut self, sign: Sign, detail: &str) {
        if self.left.may_tell(sign as u32) {
            let detail = cut_at(detail, DETAIL_BYTES);
            self.telling = true;
            (self.each)(Found::Sign { path: &self.path, sign, detail });
            self.telling = false;
        }
    }

    /// The file under way is not looked into wholly. One word of each for a file is enough.
    pub(crate) fn cut(&mut self, bound: Bound) {
        let bit = 1 << bound as usize;
        if self.cuts & bit == 0 && self.left.may_tell(CUT_KINDS + bound as u32) {
            self.cuts |= bit;
            self.telling = true;
            (self.each)(Found::Cut { path: &self.path, bound });
            self.telling = false;
        }
    }

    /// Whether no further file would be taken.
    pub(crate) fn is_full(&mut self) -> bool {
        if self.left.files == 0 {
            self.cut(Bound::Files);
        }
        self.left.files == 0
    }

    /// How many files may still be taken.
    pub(crate) fn left_files(&self) -> usize {
        self.left.files
    }

    /// Whether so many bytes may be kept until the file under way is done; all files under way share [`Bounds::bytes`].
    pub(crate) fn may_hold(&mut self, bytes: usize) -> bool {
        let may = bytes <= self.bounds.bytes - self.held;
        if may {
            self.held += bytes;
        } else {
            self.cut(Bound::Bytes);
        }
        may
    }

    /// How many bytes are kept, for [`Walk::release`].
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// What was kept since `held` was asked for is gone.
    pub(crate) fn release(&mut self, held: usize) {
        self.held = held;
    }

    /// Whether another password may be tried.
    pub(crate) fn may_try(&mut self) -> bool {
        let may = self.left.tries > 0;
        self.left.tries = self.left.tries.saturating_sub(1);
        may
    }

    /// The same for a key whose derivation takes some ten milliseconds.
    pub(crate) fn may_try_costly(&mut self) -> bool {
        let may = self.left.tries > 0;
        self.left.tries = self.left.tries.saturating_sub(COSTLY);
        may
    }

    /// Largest dictionary that an unpacker may have. Unit: bytes.
    pub(crate) fn dictionary_bytes(&self) -> usize {
        self.bounds.file_bytes
    }

    /// Whether a file of this size may still be taken; asked before its bytes are put together.
    pub(crate) fn may_take(&mut self, bytes: usize) -> bool {
        if self.is_full() {
            return false;
        }
        if bytes > self.left.bytes {
            self.cut(Bound::Bytes);
        }
        bytes <= self.left.bytes
    }

    /// Whether so many bytes may still be read or written on the way to files.
    pub(crate) fn may_work(&mut self, bytes: usize) -> bool {
        let may = bytes <= self.left.work;
        if !may {
            self.cut(Bound::Bytes);
        }
        self.left.work = self.left.work.saturating_sub(bytes);
        may
    }

    /// How large a file may be that comes of so many bytes, and what bounds it.
    pub(crate) fn room(&self, packed: usize) -> (usize, Bound) {
        let ratio = packed.saturating_mul(self.bounds.ratio).max(RATIO_FREE);
        let rooms = [
            (ratio, Bound::Ratio),
            (self.bounds.file_bytes, Bound::FileBytes),
            (self.left.bytes.min(self.bounds.bytes - self.held), Bound::Bytes),
        ];
        rooms.into_iter().min_by_key(|(bytes, _)| *bytes).unwrap_or((0, Bound::Bytes))
    }

    /// What comes out of an unpacker that is fed `packed` bytes, as far as the bounds go and the bytes are whole.
    pub(crate) fn read(&mut self, packed: usize, unpacker: impl Read) -> Vec<u8> {
        let (out, bound) = self.read_quietly(packed, unpacker);
        if let Some(bound) = bound {
            self.cut(bound);
        }
        out
    }

    /// The same; what bounded it is handed back.
    pub(crate) fn read_quietly(&mut self, packed: usize, unpacker: impl Read) -> (Vec<u8>, Option<Bound>) {
        if packed > self.left.work {
            return (Vec::new(), Some(Bound::Bytes));
        }
        let (room, bound) = self.room(packed);
        let mut out = Vec::new();
        let end = unpacker.take(room as u64 + 1).read_to_end(&mut out);
        self.left.work = self.left.work.saturating_sub(packed.saturating_add(out.len()));
        if out.len() > room {
            out.truncate(room);
            return (out, Some(bound));
        }
        match end {
            Ok(_) => (out, None),
            Err(error) if error.kind() == ErrorKind::Unsupported => (out, Some(Bound::Method)),
            Err(error) if error.kind() == ErrorKind::OutOfMemory => (out, Some(Bound::Dictionary)),
            Err(_) => (out, Some(Bound::Damage)),
        }
    }

    /// Name of the file under way without the last extension: what a compressor of one file was given.
    pub(crate) fn stem(&self) -> String {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let stem = match name.rsplit_once('.') {
            Some((stem, "tgz" | "tbz" | "tbz2" | "txz" | "tzst")) => format!("{stem}.tar"),
            Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
            _ => name.to_owned(),
        };
        if stem.is_empty() { "content".to_owned() } else { stem }
    }
}

/// A name without control characters and of bounded length; one without any gets a number.
fn clean(name: &str, number: usize) -> String {
    let name = name.trim_start_matches(['/', '\\']);
    let name: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    match cut_tail(&name, NAME_BYTES) {
        "" => format!("file-{number}"),
        name => name.to_owned(),
    }
}

/// The end of a text, where the extension stands.
pub(crate) fn cut_tail(text: &str, bytes: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

fn cut_at(text: &str, bytes: usize) -> &str {
    let mut to = text.len().min(bytes);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    &text[..to]
}
