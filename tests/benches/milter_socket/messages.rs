//! What is sent: a sample of a corpus, or messages of our own.

use std::fs;
use std::path::{Path, PathBuf};

use mailward_tests::base64;

/// Largest sample of a corpus. Unit: messages.
const SAMPLE: usize = 1_000;
/// Messages of each of the three kinds of our own.
const OF_EACH_KIND: usize = 100;

/// Where they come from, and the messages.
pub(crate) fn all() -> (String, Vec<Vec<u8>>) {
    match std::env::var_os("MAILWARD_CORPUS") {
        Some(folder) => {
            let messages = sample(Path::new(&folder));
            assert!(!messages.is_empty(), "no file below {}", folder.display());
            (folder.display().to_string(), messages)
        }
        None => ("our own set: plain, HTML, attachment".to_owned(), our_own()),
    }
}

/// The files whose names have the lowest hashes: the same on every host and run.
fn sample(folder: &Path) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    let key = |path: &PathBuf| hash(path.strip_prefix(folder).unwrap_or(path).to_string_lossy().as_bytes());
    files.sort_by_cached_key(|path| (key(path), path.clone()));
    files.iter().filter_map(|path| fs::read(path).ok()).filter(|message| !message.is_empty()).take(SAMPLE).collect()
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

/// FNV-1a, 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
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
    let bytes: Vec<u8> = (0..60_000_usize).map(|at| ((at * 31 + n) % 251) as u8).collect();
    format!(
        "{}Content-Type: multipart/mixed; boundary=\"=cut=\"\r\n\r\n--=cut=\r\nContent-Type: text/plain\r\n\r\n{}\r\n\
         --=cut=\r\nContent-Type: application/octet-stream; name=\"minutes.bin\"\r\nContent-Disposition: attachment; \
         filename=\"minutes.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--=cut=--\r\n",
        head(n, "attachment"),
        paragraph(n),
        base64::encode_lines(&bytes)
    )
}
