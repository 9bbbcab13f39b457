//! Signs messages with DKIM (RFC 6376): `rsa-sha256`, relaxed/relaxed, by the `openssl` program. Written apart from the
//! engine, so that a shared mistake cannot hide.

use std::path::PathBuf;
use std::process::Command;

use crate::base64;
use crate::process::{program, run};
use crate::scratch::{Scratch, write};

/// The header fields that are signed, where the message has them.
const SIGNED: [&str; 7] = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"];

/// A domain's key for one selector.
#[derive(Debug)]
pub struct Signer {
    domain: String,
    selector: String,
    folder: PathBuf,
    simple: bool,
    _scratch: Scratch,
}

impl Signer {
    /// Makes a new RSA key of 2048 bits.
    pub fn new(scratch: &Scratch, domain: &str, selector: &str) -> Signer {
        let folder = scratch.dir("dkim");
        run(openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"])
            .arg(folder.join("key.pem")));
        let (domain, selector) = (domain.to_owned(), selector.to_owned());
        Signer { domain, selector, folder, simple: false, _scratch: scratch.clone() }
    }

    /// Signs with `c=simple/simple`, which forgives no change at all.
    pub fn simple(mut self) -> Signer {
        self.simple = true;
        self
    }

    /// The name of the TXT record that publishes the key.
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The value of that record.
    pub fn record_value(&self) -> String {
        let public = run(openssl(&["pkey", "-pubout", "-outform", "DER", "-in"]).arg(self.folder.join("key.pem")));
        format!("v=DKIM1; k=rsa; p={}", base64::encode(&public))
    }

    /// The message, with CRLF line ends and a signature on top.
    pub fn sign(&self, message: &str) -> String {
        let message = message.replace("\r\n", "\n").replace('\n', "\r\n");
        let (head, body) = message.split_once("\r\n\r\n").unwrap_or((&message, ""));
        let fields = fields(head);
        let signed: Vec<_> = SIGNED.iter().filter_map(|name| find(&fields, name)).collect();
        let names: Vec<_> = signed.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let canonical_body = if self.simple { simple_body(body) } else { relaxed_body(body) };
        let canonical_field = if self.simple { simple_field } else { relaxed_field };
        let body_hash = base64::encode(&self.digest(&["-binary"], canonical_body.as_bytes()));
        let unsigned = format!(
            "v=1; a=rsa-sha256; c={}; d={}; s={}; h={}; bh={body_hash}; b=",
            if self.simple { "simple/simple" } else { "relaxed/relaxed" },
            self.domain,
            self.selector,
            names.join(":")
        );
        let mut hashed: String = signed.iter().map(|(name, value)| canonical_field(name, value) + "\r\n").collect();
        hashed.push_str(&canonical_field("DKIM-Signature", &format!(" {unsigned}")));
        let key = self.folder.join("key.pem");
        let signature = self.digest(&["-sign", key.to_str().expect("scratch paths are UTF-8")], hashed.as_bytes());
        format!("DKIM-Signature: {unsigned}{}\r\n{message}", base64::encode(&signature))
    }

    fn digest(&self, how: &[&str], bytes: &[u8]) -> Vec<u8> {
        let file = self.folder.join("hashed");
        write(&file, bytes);
        run(openssl(&["dgst", "-sha256"]).args(how).arg(file))
    }
}

fn openssl(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("openssl", "openssl"));
    command.args(arguments);
    command
}

/// Header fields as name and value, folds kept.
fn fields(head: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (fields.last_mut(), line.split_once(':')) {
            (Some((_, value)), _) if line.starts_with([' ', '\t']) => value.push_str(&format!("\r\n{line}")),
            (_, Some((name, value))) => fields.push((name.to_owned(), value.to_owned())),
            _ => {}
        }
    }
    fields
}

/// The last field of a name: signatures take them from the bottom.
fn find<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f (String, String)> {
    fields.iter().rfind(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
}

/// RFC 6376, section 3.4.1.
fn simple_field(name: &str, value: &str) -> String {
    format!("{name}:{value}")
}

/// RFC 6376, section 3.4.3.
fn simple_body(body: &str) -> String {
    format!("{}\r\n", body.trim_end_matches("\r\n"))
}

/// RFC 6376, section 3.4.2.
fn relaxed_field(name: &str, value: &str) -> String {
    format!("{}:{}", name.to_ascii_lowercase(), value.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

/// RFC 6376, section 3.4.4.
fn relaxed_body(body: &str) -> String {
    let mut relaxed = String::new();
    for line in body.trim_end_matches("\r\n").split("\r\n") {
        let leading = if line.starts_with([' ', '\t']) { " " } else { "" };
        let words: Vec<_> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        if !words.is_empty() {
            relaxed.push_str(leading);
        }
        relaxed.push_str(&words.join(" "));
        relaxed.push_str("\r\n");
    }
    let text = relaxed.trim_end_matches("\r\n");
    if text.is_empty() { String::new() } else { format!("{text}\r\n") }
}

#[cfg(test)]
mod tests {
    use super::{relaxed_body, relaxed_field};

    /// RFC 6376, section 3.4.5.
    #[test]
    fn canonical_forms_match_the_example_of_the_rfc() {
        assert_eq!(relaxed_field("A", " X"), "a:X");
        assert_eq!(relaxed_field("B", " Y\t\r\n\tZ  "), "b:Y Z");
        assert_eq!(relaxed_body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
        assert_eq!(relaxed_body(""), "");
    }
}
