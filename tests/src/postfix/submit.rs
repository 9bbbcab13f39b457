//! Mail of programs on Postfix's own host.

use std::fs::File;
use std::process::Command;

use super::Postfix;
use crate::process::{output_of, program};
use crate::scratch::write;

impl Postfix {
    /// Hands in a message as local programs do, by sendmail(1). Only `non_smtpd_milters` see it.
    ///
    /// # Panics
    /// If sendmail does not take it.
    pub fn sendmail(&self, from: &str, to: &[&str], message: &str) {
        let file = self.folder.join("submitted");
        write(&file, message);
        let input = File::open(&file).expect("it has just been written");
        let mut command = Command::new(program("sendmail", "postfix"));
        command.arg("-C").arg(self.configuration()).args(["-i", "-f", from, "--"]).args(to);
        let output = output_of(command.stdin(input));
        assert!(output.status.success(), "sendmail: {}", String::from_utf8_lossy(&output.stderr));
    }
}
