//! Messages out of files, directories, mailboxes and standard input.

use mailward_core::session::Recording;
use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

/// One thing to judge.
pub(super) struct Input {
    /// Shown beside the verdict: path, and the number of the message in a mailbox.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// Where an input stands, to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// Of a message in a mailbox. Unit: bytes of the file.
    pub(super) span: Option<Range<u64>>,
}

impl Place {
    /// The bytes of the message, as [`walk`] gave them.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(&self.file)?;
        let mut bytes = Vec::new();
        let Some(span) = &self.span else {
            file.take(FILE_BYTES).read_to_end(&mut bytes)?;
            return Ok(bytes);
        };
        file.seek(SeekFrom::Start(span.start))?;
        file.take(span.end - span.start).read_to_end(&mut bytes)?;
        Ok(unquote(&bytes))
    }
}

/// What the bytes are.
pub(super) enum Kind {
    Message,
    Session,
}

/// Largest file that is read. Unit: bytes. Source: our own limit; mailboxes larger than this are split by their owner.
const FILE_BYTES: u64 = 4 << 30;

/// All inputs below a path, directories in the order of their names.
pub(super) fn walk(path: &Path) -> Box<dyn Iterator<Item = Result<Input, String>>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        return match io::stdin().lock().take(FILE_BYTES).read_to_end(&mut bytes) {
            Ok(_) => split(path, bytes),
            Err(error) => fault("-", &error),
        };
    }
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = match fs::read_dir(path) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) => return fault(&path.display().to_string(), &error),
        };
        if is_maildir(path) {
            entries.retain(|entry| {
                let name = entry.file_name().unwrap_or_default().to_string_lossy();
                entry.is_dir() && name != "tmp" && (name == "cur" || name == "new" || name.starts_with('.'))
            });
        }
        entries.retain(|entry| !(entry.is_symlink() && entry.is_dir()));
        entries.sort();
        return Box::new(entries.into_iter().flat_map(|entry| walk(&entry)));
    }
    match fs::File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(FILE_BYTES).read_to_end(&mut bytes).map(|_| bytes)
    }) {
        Ok(bytes) => split(path, bytes),
        Err(error) => fault(&path.display().to_string(), &error),
    }
}

/// Beside its messages a maildir has the indexes of the server that keeps it.
fn is_maildir(path: &Path) -> bool {
    path.join("cur").is_dir() && path.join("new").is_dir()
}

fn fault(name: &str, error: &io::Error) -> Box<dyn Iterator<Item = Result<Input, String>>> {
    Box::new(std::iter::once(Err(format!("cannot read {name}: {error}"))))
}

/// A recording, a mailbox (RFC 4155: every message begins with a line `From `), or one message.
fn split(path: &Path, bytes: Vec<u8>) -> Box<dyn Iterator<Item = Result<Input, String>>> {
    let (name, file) = (path.display().to_string(), path.to_owned());
    let whole = Place { file: file.clone(), span: None };
    if bytes.starts_with(Recording::MAGIC) {
        return Box::new(std::iter::once(Ok(Input { name, bytes, kind: Kind::Session, place: whole })));
    }
    if !bytes.starts_with(b"From ") {
        return Box::new(std::iter::once(Ok(Input { name, bytes, kind: Kind::Message, place: whole })));
    }
    let mut number = 0;
    let mut at = 0;
    Box::new(std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let start = line_end(rest);
        let end = next_separator(rest, start);
        number += 1;
        let span = Some((at + start) as u64..(at + end) as u64);
        at += end;
        let (bytes, place) = (unquote(&rest[start..end]), Place { file: file.clone(), span });
        Some(Ok(Input { name: format!("{name}:{number}"), bytes, kind: Kind::Message, place }))
    }))
}

fn line_end(bytes: &[u8]) -> usize {
    bytes.iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| at + 1)
}

/// Where the next `From ` line after an empty line begins.
fn next_separator(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    let mut after_empty = false;
    while at < bytes.len() {
        let line = &bytes[at..at + line_end(&bytes[at..])];
        if after_empty && line.starts_with(b"From ") {
            return at;
        }
        after_empty = line == b"\n" || line == b"\r\n";
        at += line.len();
    }
    bytes.len()
}

/// Undoes the `>From ` quoting of mailboxes.
fn unquote(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|&b| b == b'\n') {
        let quotes = line.iter().take_while(|&&b| b == b'>').count();
        let quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
        out.extend_from_slice(&line[usize::from(quoted)..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_maildir_only_messages_are_read_and_links_to_folders_are_not_followed() {
        let root = std::env::temp_dir().join(format!("mailward-maildir-{}", std::process::id()));
        for folder in ["cur", "new", "tmp", ".Junk/cur", ".Junk/new"] {
            fs::create_dir_all(root.join(folder)).expect("made");
        }
        for file in ["cur/1:2,S", "new/2", "tmp/3", "dovecot-uidlist", ".Junk/cur/4", ".Junk/dovecot.index"] {
            fs::write(root.join(file), "Subject: x\n\nx\n").expect("written");
        }
        std::os::unix::fs::symlink(&root, root.join("cur/loop")).expect("linked");
        let names: Vec<String> = walk(&root).filter_map(Result::ok).map(|input| input.name).collect();
        let expected = [".Junk/cur/4", "cur/1:2,S", "new/2"].map(|name| root.join(name).display().to_string());
        assert_eq!(names, expected);
        fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_mailbox_is_split_at_from_lines_after_empty_lines_and_unquoted() {
        let mailbox = b"From a Mon\nSubject: 1\n\nFrom here on\n>From quoted\n\nFrom b Tue\nSubject: 2\n\nx\n".to_vec();
        let inputs: Vec<Input> = split(Path::new("box"), mailbox).filter_map(Result::ok).collect();
        let texts: Vec<&[u8]> = inputs.iter().map(|i| &i.bytes[..]).collect();
        assert_eq!(texts.len(), 3, "a From line after an empty line begins a message (RFC 4155)");
        assert_eq!(texts[0], b"Subject: 1\n\n");
        assert_eq!(inputs[2].name, "box:3");
        let one = split(Path::new("x"), b"Subject: x\n\n".to_vec()).count();
        assert_eq!(one, 1);
    }
}
