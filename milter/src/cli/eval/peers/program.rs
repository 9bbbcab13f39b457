//! A program that is run to its end: no shell, a bounded wait.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    process::{Command, Stdio},
    sync::mpsc::sync_channel,
    thread,
    time::Duration,
};

/// Most of its complaints that are told. Unit: bytes.
const COMPLAINTS: u64 = 2_000;

/// Runs a program with this input; gives its output. `fine`: exit codes that are no failure.
///
/// # Errors
///
/// If it cannot be started, ends otherwise, or takes longer than `limit`: then it is ended.
pub(super) fn run(
    program: &str,
    arguments: &[&OsStr],
    input: Vec<u8>,
    limit: Duration,
    fine: &[i32],
) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // Who reads no further has heard enough: that shows in its exit code.
    let writer = thread::spawn(move || drop(stdin.map(|mut stdin| stdin.write_all(&input))));
    let complaints = thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.by_ref().take(COMPLAINTS).read_to_end(&mut text);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    let (said, heard) = sync_channel(1);
    thread::spawn(move || {
        let mut text = Vec::new();
        let read = stdout.map(|mut stdout| stdout.read_to_end(&mut text));
        let _ = said.send(read.and_then(Result::ok).map(|_| text));
    });
    let Ok(text) = heard.recv_timeout(limit) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("{program} did not end within {} s", limit.as_secs()));
    };
    let status = child.wait().map_err(|error| format!("cannot wait for {program}: {error}"))?;
    let _ = writer.join();
    let complaints = complaints.join().unwrap_or_default();
    match status.code() {
        Some(code) if fine.contains(&code) => Ok(String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()),
        _ => Err(format!("{program} ended with {status}: {complaints}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&'static str]) -> Vec<&'static OsStr> {
        words.iter().map(|word| OsStr::new(*word)).collect()
    }

    #[test]
    fn a_program_is_fed_heard_and_ended() {
        let second = Duration::from_secs(20);
        let much = vec![b'x'; 1 << 20];
        assert_eq!(run("cat", &[], much.clone(), second, &[0]), Ok(String::from_utf8(much).expect("text")));
        let error = run("ls", &words(&["/nowhere"]), Vec::new(), second, &[0]).expect_err("there is none");
        assert!(error.starts_with("ls ended with exit status: 2:") && error.contains("/nowhere"), "{error}");
        let error = run("sleep", &words(&["600"]), Vec::new(), Duration::from_millis(50), &[0]).expect_err("too long");
        assert_eq!(error, "sleep did not end within 0 s");
        assert!(run("no-such-program", &[], Vec::new(), second, &[0]).is_err());
    }
}
