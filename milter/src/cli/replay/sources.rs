//! Where a replay learns how a message was sent and what it is, apart from the message itself.

use super::row::Label;
use crate::cli::{
    envelope::{Client, Envelope, envelope},
    one_message::Sent,
};
use serde::Deserialize;
use std::{collections::HashMap, fs, net::IpAddr, path::Path};

/// What is known beside the messages.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// By the name of the input.
    listed: HashMap<String, Listed>,
    /// By message id, with its brackets.
    logged: HashMap<String, Logged>,
}

/// A line of the list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Listed {
    file: String,
    client: Option<IpAddr>,
    client_name: Option<String>,
    helo: Option<String>,
    user: Option<String>,
    from: Option<String>,
    to: Option<Vec<String>>,
    /// Unix seconds.
    time: Option<i64>,
    label: Option<String>,
}

/// What the log of the MTA says about a message.
#[derive(Debug, Clone, Default)]
struct Logged {
    client: Option<Client>,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

impl Sources {
    /// Reads a list: one JSON object a line, with `file` and what is known of it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read; each line that is not understood, with its number.
    pub(super) fn read_list(&mut self, path: &Path) -> Result<(), String> {
        let text = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let mut faults = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let fault = |why: String| format!("{}:{}: {why}", path.display(), index + 1);
            match serde_json::from_str::<Listed>(line) {
                Ok(listed) if listed.file.is_empty() => faults.push(fault("\"file\" is missing".to_owned())),
                Ok(listed) if !matches!(listed.label.as_deref(), None | Some("ham" | "spam")) => {
                    faults.push(fault("\"label\" must be \"ham\" or \"spam\"".to_owned()));
                }
                Ok(listed) => drop(self.listed.insert(listed.file.clone(), listed)),
                Err(why) => faults.push(fault(why.to_string())),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\nmailward: ")) }
    }

    /// Reads a log of Postfix: client, login, sender and recipients of each message id.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(super) fn read_log(&mut self, path: &Path) -> Result<(), String> {
        let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let mut queue: HashMap<String, (Logged, Option<String>)> = HashMap::new();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let Some((service, rest)) = line.split_once("]: ") else { continue };
            let Some((id, rest)) = rest.split_once(": ") else { continue };
            if !service.contains("postfix") || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                continue;
            }
            let (logged, message_id) = queue.entry(id.to_owned()).or_default();
            let value = |key: &str| {
                let (_, after) = rest.split_once(key)?;
                Some(after.split(", ").next().unwrap_or(after).trim())
            };
            let address = |key: &str| value(key).map(|text| text.trim_matches(['<', '>']).to_owned());
            if rest.starts_with("client=") {
                logged.client = value("client=").and_then(logged_client);
                logged.user = value("sasl_username=").map(str::to_owned);
            } else if rest.starts_with("message-id=") {
                *message_id = value("message-id=").map(str::to_owned);
            } else if rest.starts_with("from=") {
                logged.from = address("from=");
            } else if rest.starts_with("to=") {
                let to = address("orig_to=").or_else(|| address("to=")).unwrap_or_default();
                if !logged.to.contains(&to) {
                    logged.to.push(to);
                }
            } else if rest == "removed" {
                // The id may be used again.
                if let Some((logged, Some(id))) = queue.remove(id) {
                    self.logged.entry(id).or_insert(logged);
                }
            }
        }
        for (logged, id) in queue.into_values() {
            if let Some(id) = id {
                self.logged.entry(id).or_insert(logged);
            }
        }
        Ok(())
    }

    /// How the message was sent: by the list, else the log, else its own header; `now` where no clock is known.
    pub(super) fn sent(&self, name: &str, raw: &[u8], now: i64) -> Sent {
        let Envelope { sender, recipient, client, time, message_id } = envelope(raw);
        let listed = self.listed.get(name).cloned().unwrap_or_default();
        let logged = message_id.and_then(|id| self.logged.get(&id)).cloned().unwrap_or_default();
        // The log does not have the name in HELO, the header may.
        let helo = client.as_ref().and_then(|client| client.helo.clone());
        let client = logged.client.or(client);
        let logged_to = (!logged.to.is_empty()).then_some(logged.to);
        Sent {
            time: listed.time.or(time).unwrap_or(now),
            client_ip: listed.client.or(client.as_ref().map(|client| client.ip)),
            client_name: listed.client_name.or(client.as_ref().and_then(|client| client.name.clone())),
            helo: listed.helo.or(helo),
            login: listed.user.or(logged.user),
            from: listed.from.or(logged.from).or(sender).unwrap_or_default(),
            to: listed.to.or(logged_to).unwrap_or_else(|| recipient.into_iter().collect()),
        }
    }

    /// What the message is: by the list, else by a folder called ham or spam.
    pub(super) fn label(&self, name: &str) -> Option<Label> {
        match self.listed.get(name).and_then(|listed| listed.label.as_deref()) {
            Some("ham") => return Some(Label::Ham),
            Some(_) => return Some(Label::Spam),
            None => {}
        }
        let folders = Path::new(name).parent()?.components().rev();
        folders.filter_map(|folder| of_folder(&folder.as_os_str().to_string_lossy().to_lowercase())).next()
    }
}

/// `ham`, `easy_ham_2`, `spam-2024`, `.Junk`.
fn of_folder(name: &str) -> Option<Label> {
    name.split(|c: char| !c.is_alphabetic()).find_map(|word| match word {
        "ham" => Some(Label::Ham),
        "spam" | "junk" => Some(Label::Spam),
        _ => None,
    })
}

/// `mail.example.net[192.0.2.7]`.
fn logged_client(text: &str) -> Option<Client> {
    let (name, address) = text.split_once('[')?;
    let ip = address.split(']').next()?.parse().ok()?;
    Some(Client { ip, name: Some(name.to_owned()).filter(|name| name != "unknown"), helo: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("mailward-sources-{}-{name}", std::process::id()));
        fs::write(&path, text).expect("written");
        path
    }

    #[test]
    fn the_list_comes_before_the_log_and_both_before_the_header() {
        let log = file(
            "log",
            "Jan  5 12:00:00 mx postfix/smtpd[1]: 4ABC: client=mail.x.test[192.0.2.7], sasl_method=PLAIN, sasl_username=anna\n\
             Jan  5 12:00:00 mx postfix/cleanup[2]: 4ABC: message-id=<1@x.test>\n\
             Jan  5 12:00:00 mx postfix/qmgr[3]: 4ABC: from=<a@x.test>, size=10, nrcpt=1 (queue active)\n\
             Jan  5 12:00:01 mx postfix/lmtp[4]: 4ABC: to=<bob@store.test>, orig_to=<bob@example.com>, relay=x, status=sent (ok)\n\
             Jan  5 12:00:01 mx postfix/qmgr[3]: 4ABC: removed\nnoise\n",
        );
        let list = file("list", "{\"file\":\"m.eml\",\"client\":\"198.51.100.9\",\"label\":\"spam\"}\n");
        let mut sources = Sources::default();
        sources.read_log(&log).expect("read");
        sources.read_list(&list).expect("read");
        let raw =
            b"Message-ID: <1@x.test>\r\nFrom: c@y.test\r\nTo: d@y.test\r\nDate: Mon, 5 Jan 2026 12:00:00 +0000\r\n\r\n";
        let sent = sources.sent("m.eml", raw, 0);
        assert_eq!(sent.client_ip, Some([198, 51, 100, 9].into()));
        assert_eq!((sent.from.as_str(), sent.to.as_slice()), ("a@x.test", ["bob@example.com".to_owned()].as_slice()));
        assert_eq!((sent.login.as_deref(), sent.time), (Some("anna"), 1_767_614_400));
        assert_eq!(sources.label("m.eml"), Some(Label::Spam));
        let other = sources.sent("n.eml", b"From: c@y.test\r\n\r\n", 5);
        assert_eq!((other.from.as_str(), other.time, other.client_ip), ("c@y.test", 5, None));
        let faulty = file("faulty", "{\"file\":\"a\"}\n{\"fil\":1}\n{\"file\":\"b\",\"label\":\"x\"}\n");
        let error = sources.read_list(&faulty).expect_err("two faults");
        assert!(error.contains(":2: unknown field") && error.contains(":3: \"label\""), "{error}");
        for path in [log, list, faulty] {
            let _ = fs::remove_file(path);
        }
    }

    #[test]
    fn folders_say_what_their_messages_are() {
        let sources = Sources::default();
        assert_eq!(sources.label("corpus/easy_ham_2/1.eml"), Some(Label::Ham));
        assert_eq!(sources.label("spam/2024/1.eml"), Some(Label::Spam));
        assert_eq!(sources.label("Maildir/.Junk/cur/1:2,S"), Some(Label::Spam));
        assert_eq!(sources.label("hamburg/1.eml"), None);
        assert_eq!(sources.label("spam.eml"), None, "the name of the file says nothing");
    }
}
