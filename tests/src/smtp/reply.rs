//! What a server said.

/// One reply, which may have several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code, 0 if the server closed the connection instead of replying.
    pub code: u16,
    /// The text of each line, without the code.
    pub lines: Vec<String>,
}

impl Reply {
    /// What stands for a reply when there is none because the connection is closed.
    pub fn closed() -> Reply {
        Reply { code: 0, lines: Vec::new() }
    }

    /// Whether the server closed the connection instead of replying.
    pub fn is_closed(&self) -> bool {
        self.code == 0
    }

    /// 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4xx.
    pub fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The enhanced status code (RFC 3463) that begins the text, for instance `5.7.1`.
    pub fn enhanced(&self) -> Option<&str> {
        let word = self.lines.first()?.split(' ').next()?;
        let numbers: Vec<_> = word.split('.').collect();
        (numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u16>().is_ok())).then_some(word)
    }

    /// All lines, joined by line feeds.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Whether any line contains this text.
    pub fn contains(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_closed() { f.write_str("(connection closed)") } else { write!(f, "{} {}", self.code, self.text()) }
    }
}

/// The replies to one transaction.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// To MAIL.
    pub mail: Reply,
    /// To each RCPT, in order; empty if MAIL was not accepted.
    pub rcpt: Vec<Reply>,
    /// To DATA, if any recipient was accepted.
    pub data: Option<Reply>,
    /// To the message, if DATA was accepted.
    pub end: Option<Reply>,
}

impl Delivery {
    /// Whether the server took the message, for at least one recipient.
    pub fn is_accepted(&self) -> bool {
        self.end.as_ref().is_some_and(Reply::is_positive)
    }

    /// The reply that decided: the last one given.
    pub fn last(&self) -> &Reply {
        self.end.as_ref().or(self.data.as_ref()).or(self.rcpt.last()).unwrap_or(&self.mail)
    }
}

#[cfg(test)]
mod tests {
    use super::Reply;

    #[test]
    fn enhanced_code_is_recognised_only_as_such() {
        let reply = |text: &str| Reply { code: 550, lines: vec![text.to_owned()] };
        assert_eq!(reply("5.7.1 no").enhanced(), Some("5.7.1"));
        assert_eq!(reply("127.0.0.1 no").enhanced(), None);
        assert_eq!(reply("no").enhanced(), None);
    }
}
