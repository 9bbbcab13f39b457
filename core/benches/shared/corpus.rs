//! The messages that benchmarks send: the speed sample of the SpamAssassin public corpus, a sample of any other folder,
//! or messages of our own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};

/// Messages of each kind in the speed sample of the SpamAssassin corpus: easy ham, hard ham, spam.
const SPEED_SAMPLE: [usize; 3] = [500, 100, 400];
/// Largest sample of another folder. Unit: messages.
const SAMPLE: usize = 1_000;
/// Messages of each of the three kinds of our own.
const OF_EACH_KIND: usize = 200;

/// What is sent.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Where it comes from, for the report.
    pub(crate) source: String,
    /// The messages.
    pub(crate) messages: Vec<Vec<u8>>,
    /// Ham to train a statistical filter with, empty if the classes are not known.
    #[allow(dead_code, reason = "not every benchmark trains")]
    pub(crate) ham: Vec<Vec<u8>>,
    /// Spam to train it with.
    #[allow(dead_code, reason = "not every benchmark trains")]
    pub(crate) spam: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    EasyHam,
    HardHam,
    Spam,
}

struct Labelled {
    kind: Kind,
    digest: String,
    message: Vec<u8>,
}

/// The sample of `MAILWARD_CORPUS`, or our own.
pub(crate) fn sample() -> Sample {
    match files_of_corpus() {
        Some((folder, files)) => speed_sample(&folder, &files).unwrap_or_else(|| any_sample(&folder, &files, SAMPLE)),
        None => our_sample(),
    }
}

/// So many messages from all of `MAILWARD_CORPUS`, or our own.
#[allow(dead_code, reason = "benchmarks take the speed sample")]
pub(crate) fn sample_of_all(count: usize) -> Sample {
    match files_of_corpus() {
        Some((folder, files)) => any_sample(&folder, &files, count),
        None => our_sample(),
    }
}

fn our_sample() -> Sample {
    let source = "our own set: plain, HTML, attachment".to_owned();
    Sample { source, messages: our_own(), ham: Vec::new(), spam: Vec::new() }
}

fn files_of_corpus() -> Option<(PathBuf, Vec<PathBuf>)> {
    let folder = PathBuf::from(std::env::var_os("MAILWARD_CORPUS").filter(|folder| !folder.is_empty())?);
    let mut files = Vec::new();
    collect(&folder, &mut files);
    assert!(!files.is_empty(), "no file below {}", folder.display());
    Some((folder, files))
}

/// The speed sample: of each kind the messages whose SHA-256, read backwards, is lowest. The digest's first digit parts
/// the corpus into halves: 0 to 7 trains. `None` if the folder does not hold the corpus.
fn speed_sample(folder: &Path, files: &[PathBuf]) -> Option<Sample> {
    let mut labelled: Vec<Labelled> = files.iter().filter_map(|file| labelled(folder, file)).collect();
    labelled.sort_by_cached_key(|labelled| labelled.digest.chars().rev().collect::<String>());
    let mut messages = Vec::new();
    for (kind, count) in [Kind::EasyHam, Kind::HardHam, Kind::Spam].into_iter().zip(SPEED_SAMPLE) {
        let before = messages.len();
        messages.extend(labelled.iter().filter(|l| l.kind == kind).take(count).map(|l| l.message.clone()));
        if messages.len() - before < count {
            return None;
        }
    }
    // The kinds take turns, as they would at a site.
    messages.sort_by_cached_key(|message| digest_of(message));
    let trains = |spam: bool| {
        let of_half = labelled.iter().filter(move |l| (l.kind == Kind::Spam) == spam && l.digest.as_bytes()[0] < b'8');
        of_half.map(|l| l.message.clone()).collect::<Vec<_>>()
    };
    let source = "the speed sample of the SpamAssassin public corpus".to_owned();
    Some(Sample { source, messages, ham: trains(false), spam: trains(true) })
}

/// A message of the SpamAssassin public corpus, known by names such as `easy_ham_2/00001.…` or
/// `spamassassin/spam/spam-1-00001.….eml`.
fn labelled(folder: &Path, file: &Path) -> Option<Labelled> {
    let path = file.strip_prefix(folder).unwrap_or(file).to_string_lossy().to_lowercase().replace('_', "-");
    let whole = file.to_string_lossy().to_lowercase();
    let is_theirs = ["spamassassin", "spam-assassin"].iter().any(|name| whole.contains(name));
    let last = path.rsplit('/').take(2);
    let has = |beginning: &str| last.clone().any(|name| name.starts_with(beginning));
    let kind = if has("easy-ham") {
        Kind::EasyHam
    } else if has("hard-ham") {
        Kind::HardHam
    } else if is_theirs && has("spam") && !path.ends_with(".json") {
        Kind::Spam
    } else {
        return None;
    };
    let message = without_envelope_line(fs::read(file).ok()?);
    (!message.is_empty()).then(|| Labelled { kind, digest: digest_of(&message), message })
}

/// The files whose names have the lowest digests: the same on every host and run.
fn any_sample(folder: &Path, files: &[PathBuf], count: usize) -> Sample {
    let mut files = files.to_vec();
    files.sort_by_cached_key(|path| digest_of(path.strip_prefix(folder).unwrap_or(path).to_string_lossy().as_bytes()));
    let read = files.iter().filter_map(|path| fs::read(path).ok()).map(without_envelope_line);
    let messages = read.filter(|message| !message.is_empty()).take(count).collect();
    Sample { source: folder.display().to_string(), messages, ham: Vec::new(), spam: Vec::new() }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}

/// The line "From …" of an mbox is no part of a message.
fn without_envelope_line(mut message: Vec<u8>) -> Vec<u8> {
    if message.starts_with(b"From ") {
        let end = message.iter().position(|&byte| byte == b'\n').map_or(message.len(), |at| at + 1);
        message.drain(..end);
    }
    message
}

fn digest_of(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn our_own() -> Vec<Vec<u8>> {
    (0..OF_EACH_KIND).flat_map(|n| [plain(n), html(n), attachment(n)]).map(String::into_bytes).collect()
}

fn head(n: usize, kind: &str) -> String {
    format!(
        "Received: from mail.d{n}.example (mail.d{n}.example [198.51.100.{}])\r\n\tby mx.rig.test with ESMTPS; Mon, 02 Feb \
         2026 10:00:00 +0000\r\nFrom: Ann Example <ann@d{n}.example>\r\nTo: alice@rig.test\r\nSubject: Minutes of meeting \
         {n}\r\nDate: Mon, 02 Feb 2026 10:00:00 +0000\r\nMessage-ID: <{n}.{kind}@d{n}.example>\r\nMIME-Version: 1.0\r\n",
        n % 250
    )
}

fn paragraph(n: usize) -> String {
    format!(
        "Dear Alice,\r\n\r\nhere are the minutes of meeting {n}. Please look at https://www.d{n}.example/minutes/{n} \
         before\r\nFriday; the figures of the third quarter are on page two, the open questions on the last.\r\n"
    )
}

fn plain(n: usize) -> String {
    format!("{}Content-Type: text/plain; charset=utf-8\r\n\r\n{}", head(n, "plain"), paragraph(n).repeat(10))
}

fn html(n: usize) -> String {
    let row = format!(
        "<tr><td style=\"color:#333;padding:4px\">{}</td><td><a href=\"https://www.d{n}.example/q/{n}\">more</a></td></tr>\r\n",
        paragraph(n)
    );
    format!(
        "{}Content-Type: text/html; charset=utf-8\r\n\r\n<html><head><title>Minutes</title></head><body><table>\r\n{}\
         </table></body></html>\r\n",
        head(n, "html"),
        row.repeat(60)
    )
}

fn attachment(n: usize) -> String {
    with_attachment(n, 60_000)
}

/// A message of ours in plain text of about this size in bytes.
#[allow(dead_code, reason = "not every benchmark varies the size")]
pub(crate) fn plain_of(size: usize) -> Vec<u8> {
    let paragraphs = (0..).map(paragraph).scan(0, |total, text| {
        *total += text.len();
        (*total < size.max(600) + text.len()).then_some(text)
    });
    let body: String = paragraphs.collect();
    format!("{}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}", head(1, "size")).into_bytes()
}

/// A message of ours with an attachment, of about this size in bytes.
#[allow(dead_code, reason = "not every benchmark varies the size")]
pub(crate) fn attachment_of(size: usize) -> Vec<u8> {
    with_attachment(1, size.saturating_sub(1_000) * 3 / 4).into_bytes()
}

fn with_attachment(n: usize, bytes: usize) -> String {
    let content: Vec<u8> = (0..bytes).map(|at| ((at * 31 + at / 251 + n) % 251) as u8).collect();
    format!(
        "{}Content-Type: multipart/mixed; boundary=\"=cut=\"\r\n\r\n--=cut=\r\nContent-Type: text/plain\r\n\r\n{}\r\n\
         --=cut=\r\nContent-Type: application/octet-stream; name=\"minutes.bin\"\r\nContent-Disposition: attachment; \
         filename=\"minutes.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--=cut=--\r\n",
        head(n, "attachment"),
        paragraph(n),
        base64(&content)
    )
}

/// Lines of 76 letters (RFC 2045, section 6.8).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len() * 3 / 2);
    for (at, three) in bytes.chunks(3).enumerate() {
        if at > 0 && at % 19 == 0 {
            text.push_str("\r\n");
        }
        let group = three.iter().fold(0_u32, |group, &byte| group << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
