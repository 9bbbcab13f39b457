//! A name server of its own on loopback: it answers from a file, asks for what the file lacks, and keeps the answers.
//!
//! So a replay judges by the DNS of its first run, however often it is repeated and whatever the configurations ask.

use mailward_core::lookup::dns::DnsSettings;
use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// First line of the file.
const HEAD: &str = "# DNS answers for mailward replay, version 1: name, type, answer in hexadecimal digits";
/// Longest message of DNS over UDP that is read. Unit: bytes. Source: the largest UDP payload.
const MESSAGE_BYTES: usize = 65_535;
/// Longest wait for one answer of a real server. Source: [`DnsSettings`] waits 2 s by default and tries twice.
const ANSWER: Duration = Duration::from_millis(1_800);
/// Flags of an answer in its fourth byte: SERVFAIL and NXDOMAIN (RFC 1035 §4.1.1), recursion available.
const SERVFAIL: u8 = 0x82;
const NXDOMAIN: u8 = 0x83;

/// Answers by name and type.
type Answers = BTreeMap<(String, u16), Vec<u8>>;

/// The running server.
#[derive(Debug, Clone)]
pub(super) struct Names {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    answers: Mutex<Answers>,
    /// Whom to ask for what is not known; empty: nobody, the name does not exist.
    servers: Vec<SocketAddr>,
    asked: AtomicU64,
}

/// The name and type that a query asks for, and where the question ends.
struct Question {
    name: String,
    kind: u16,
    end: usize,
}

impl Names {
    /// Starts the server with the answers of the file, if it exists. `live`: the settings by which real servers are
    /// asked for what the file lacks; without them such names do not exist.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or a line of it is not understood, or no socket can be had.
    pub(super) async fn start(file: &Path, live: Option<&DnsSettings>) -> Result<Self, String> {
        let answers = match file.exists() {
            true => read(file)?,
            false => Answers::new(),
        };
        let servers = live.map(DnsSettings::servers_in_force).unwrap_or_default();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| error.to_string())?;
        let address = socket.local_addr().map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared { answers: Mutex::new(answers), servers, asked: AtomicU64::new(0) });
        tokio::spawn(serve(Arc::new(socket), Arc::clone(&shared)));
        Ok(Names { address, shared })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many questions went to real servers.
    pub(super) fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }

    /// Writes all answers to the file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn save(&self, file: &Path) -> io::Result<()> {
        let answers = self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = format!("{HEAD}\n");
        for ((name, kind), answer) in answers.iter() {
            let digits: String = answer.iter().map(|byte| format!("{byte:02x}")).collect();
            text += &format!("{name} {kind} {digits}\n");
        }
        let mut beside = file.as_os_str().to_owned();
        beside.push(format!(".new-{}", std::process::id()));
        fs::write(&beside, text)?;
        fs::rename(&beside, file)
    }
}

fn read(file: &Path) -> Result<Answers, String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let mut lines = text.lines().enumerate();
    if lines.next().is_none_or(|(_, line)| line != HEAD) {
        return Err(format!("{name}:1: this is no file of DNS answers; name one that does not exist yet"));
    }
    let entry = |line: &str| {
        let mut words = line.split(' ');
        let (name, kind, digits) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let answer: Vec<u8> = digits.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?;
        (answer.len() >= 12).then(|| ((name.to_owned(), kind), answer))
    };
    lines
        .map(|(index, line)| entry(line).ok_or_else(|| format!("{name}:{}: this line is not understood", index + 1)))
        .collect()
}

async fn serve(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut buffer = vec![0; MESSAGE_BYTES];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
        let query = buffer[..length].to_vec();
        let (socket, shared) = (Arc::clone(&socket), Arc::clone(&shared));
        tokio::spawn(async move {
            if let Some(answer) = answer(&query, &shared).await {
                let _ = socket.send_to(&answer, client).await;
            }
        });
    }
}

async fn answer(query: &[u8], shared: &Shared) -> Option<Vec<u8>> {
    let question = question(query)?;
    let key = (question.name, question.kind);
    let known = shared.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    let mut answer = match known {
        Some(answer) => answer,
        None if shared.servers.is_empty() => return Some(refusal(&query[..question.end], NXDOMAIN)),
        None => {
            shared.asked.fetch_add(1, Ordering::Relaxed);
            let Some(answer) = ask(query, &shared.servers).await else {
                return Some(refusal(&query[..question.end], SERVFAIL));
            };
            shared.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer.clone());
            answer
        }
    };
    answer[..2].copy_from_slice(query.get(..2)?);
    Some(answer)
}

/// The answer of the first server that gives one; trouble is not kept, so that the next run asks again.
async fn ask(query: &[u8], servers: &[SocketAddr]) -> Option<Vec<u8>> {
    for server in servers {
        let Ok(Ok(answer)) = timeout(ANSWER, over_udp(query, *server)).await else { continue };
        let truncated = answer[2] & 0x02 != 0;
        let answer = match truncated {
            true => timeout(ANSWER, over_tcp(query, *server)).await.ok().and_then(Result::ok),
            false => Some(answer),
        };
        // NOERROR and NXDOMAIN are answers, all else is trouble.
        if let Some(answer) = answer.filter(|answer| matches!(answer[3] & 0x0f, 0 | 3)) {
            return Some(answer);
        }
    }
    None
}

async fn over_udp(query: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; MESSAGE_BYTES];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if length >= 12 && buffer[..2] == query[..2] {
            return Ok(buffer[..length].to_vec());
        }
    }
}

async fn over_tcp(query: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    if answer.len() < 12 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
}

/// The one question of a query (RFC 1035 §4.1.2); labels in lower case, joined by dots.
fn question(query: &[u8]) -> Option<Question> {
    if query.len() < 12 || query[4..6] != [0, 1] {
        return None;
    }
    let (mut at, mut name) = (12, String::new());
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        match length {
            0 => break,
            1..=63 => {
                let label = query.get(at..at + length)?;
                let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
                for byte in label {
                    match plain(byte) {
                        true => name.push(char::from(byte.to_ascii_lowercase())),
                        false => name += &format!("\\{byte:03}"),
                    }
                }
                name.push('.');
                at += length;
            }
            _ => return None,
        }
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    query.get(at + 2..at + 4)?;
    Some(Question { name: if name.is_empty() { ".".to_owned() } else { name }, kind, end: at + 4 })
}

/// An answer without records.
fn refusal(question: &[u8], code: u8) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    answer[3] = code;
    answer[6..12].fill(0);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str) -> Vec<u8> {
        let mut query = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(label.len() as u8);
            query.extend_from_slice(label.as_bytes());
        }
        query.extend_from_slice(&[0, 0, 16, 0, 1]);
        query
    }

    #[test]
    fn a_question_is_read_and_garbage_is_not() {
        let query = query("Mail.Example.com");
        let found = question(&query).expect("a question");
        assert_eq!((found.name.as_str(), found.kind, found.end), ("mail.example.com.", 16, query.len()));
        for length in 0..query.len() {
            assert!(question(&query[..length]).is_none(), "cut at {length}");
        }
        let mut pointer = query;
        pointer[12] = 0xc0;
        assert!(question(&pointer).is_none());
    }

    #[tokio::test]
    async fn answers_are_kept_in_the_file_and_unknown_names_do_not_exist() {
        let file = std::env::temp_dir().join(format!("mailward-names-{}", std::process::id()));
        let _ = fs::remove_file(&file);
        let names = Names::start(&file, None).await.expect("started");
        let known = [&query("a.test")[..], &[1, 2, 3]].concat();
        names.shared.answers.lock().expect("free").insert(("a.test.".to_owned(), 16), known.clone());
        names.save(&file).expect("written");
        let again = Names::start(&file, None).await.expect("read");
        let ask = |name: &'static str| over_udp_owned(query(name), again.address());
        assert_eq!(ask("A.test").await.expect("an answer")[2..], known[2..]);
        assert_eq!(ask("b.test").await.expect("an answer")[3], NXDOMAIN);
        assert_eq!(again.asked(), 0);
        fs::write(&file, format!("{HEAD}\na.test. 16 zz\n")).expect("written");
        let error = Names::start(&file, None).await.expect_err("faulty");
        assert!(error.ends_with(":2: this line is not understood"), "{error}");
        fs::write(&file, "From: x").expect("written");
        assert!(Names::start(&file, None).await.is_err());
        let _ = fs::remove_file(file);
    }

    async fn over_udp_owned(query: Vec<u8>, server: SocketAddr) -> io::Result<Vec<u8>> {
        over_udp(&query, server).await
    }
}
