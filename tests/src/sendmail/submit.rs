//! Mail of programs on Sendmail's own host.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Output, Stdio};

use super::Sendmail;
use crate::process::output_of;
use crate::scratch::write;

impl Sendmail {
    /// Hands in a message as local programs do, by `sendmail -t`: the program connects to the daemon by SMTP.
    pub fn sendmail_t(&self, from: &str, message: &str) -> Output {
        self.hand_in("submit.cf", from, message)
    }

    /// The same where sendmail.cf serves as submit.cf too, as before Sendmail 8.12: the message goes into the queue
    /// directly.
    pub fn sendmail_t_directly(&self, from: &str, message: &str) -> Output {
        self.hand_in("sendmail.cf", from, message)
    }

    /// Speaks SMTP on the standard input of `sendmail -bs`, as some mail programs do. Returns the replies to each line.
    pub fn sendmail_bs(&self, lines: &[&str]) -> Vec<String> {
        let mut command = self.command("sendmail.cf", &["-bs"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Sendmail starts");
        let mut input = child.stdin.take().expect("it is piped");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut reply = || output.find(|line| line.as_bytes().get(3) != Some(&b'-')).unwrap_or_default();
        reply();
        let replies = lines.iter().map(|line| {
            // What comes before the reply to the line before would be refused.
            input.write_all(format!("{line}\r\n").as_bytes()).expect("Sendmail listens");
            reply()
        });
        let replies = replies.collect();
        drop(input);
        child.wait().expect("it can be waited for");
        replies
    }

    fn hand_in(&self, configuration: &str, from: &str, message: &str) -> Output {
        let file = self.folder.join("submitted");
        write(&file, message);
        let input = File::open(&file).expect("it has just been written");
        let mut command = self.command(configuration, &["-t", "-i", "-f", from]);
        output_of(command.stdin(input))
    }
}
