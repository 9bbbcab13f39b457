//! A message as it arrived.

/// Envelope and content of a message that the sink took.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The name that the sending server gave.
    pub helo: String,
    /// Whether the connection was encrypted.
    pub tls: bool,
    /// The envelope sender, without angle brackets.
    pub from: String,
    /// The envelope recipients, without angle brackets.
    pub to: Vec<String>,
    /// Headers and body, with CRLF, without the dots of SMTP.
    pub raw: Vec<u8>,
}

impl Message {
    /// All headers in order: names and unfolded values.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = Vec::new();
        let (head, _) = self.split();
        for line in head.lines() {
            if let (true, Some((_, value))) = (line.starts_with([' ', '\t']), headers.last_mut()) {
                value.push(' ');
                value.push_str(line.trim());
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
        }
        headers
    }

    /// The unfolded value of the first header with this name.
    pub fn header(&self, name: &str) -> Option<String> {
        self.all_headers(name).into_iter().next()
    }

    /// The unfolded values of all headers with this name.
    pub fn all_headers(&self, name: &str) -> Vec<String> {
        let headers = self.headers().into_iter();
        headers.filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn body(&self) -> String {
        self.split().1
    }

    fn split(&self) -> (String, String) {
        let text = String::from_utf8_lossy(&self.raw);
        match text.split_once("\r\n\r\n") {
            Some((head, body)) => (head.to_owned(), body.to_owned()),
            None => (text.into_owned(), String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn folded_headers_are_unfolded_and_the_body_is_kept() {
        let message = Message { raw: b"A: 1\r\n\t2\r\na: 3\r\n\r\nbody\r\n".to_vec(), ..Message::default() };
        assert_eq!(message.all_headers("A"), ["1 2", "3"]);
        assert_eq!(message.body(), "body\r\n");
    }
}
