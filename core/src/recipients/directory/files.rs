//! Recipients from CSV and LDIF files.
//!
//! CSV: `address[,group…]` a line; `@domain` or `*@domain` stands for all addresses of a domain; `#` begins a comment; a
//! first line whose first field is `address`, `mail` or `email` is a heading. LDIF (RFC 2849): entries with `mail`,
//! `mailLocalAddress`, `mailAlternateAddress` or `proxyAddresses`; groups by `memberOf`, or by entries with `member`.

mod ldif;

use crate::{session::Address, store::Member};
use std::{
    collections::{BTreeSet, HashMap},
    fmt, fs,
    path::{Path, PathBuf},
};

/// Largest file that is read. Unit: bytes. Source: our own limit, some million addresses.
const FILE_BYTES: u64 = 512 << 20;

/// A line that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// The file.
    pub file: PathBuf,
    /// Counted from 1; 0 stands for the whole file.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.message),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.message),
        }
    }
}

/// What files held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileStats {
    /// Addresses, and domains that stand for all their addresses.
    pub addresses: u64,
    /// Groups named.
    pub groups: u64,
    /// Lines or entries that name an address a second time; the first counts.
    pub repeated: u64,
}

/// The recipients of all files.
#[derive(Debug, Default)]
pub struct Files {
    members: HashMap<String, Member>,
    repeated: u64,
    configured: bool,
    unreadable: Option<String>,
}

impl Files {
    /// Reads files; what is not understood is given as faults.
    pub fn read(paths: &[PathBuf]) -> (Self, Vec<FileFault>) {
        let mut files = Files { configured: !paths.is_empty(), ..Files::default() };
        let mut faults = Vec::new();
        for path in paths {
            match read_bounded(path) {
                Err(message) => {
                    files.unreadable = Some(format!("{}: {message}", path.display()));
                    faults.push(FileFault { file: path.clone(), line: 0, message });
                }
                Ok(text) => {
                    let is_ldif = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("ldif"));
                    let read = if is_ldif { ldif::read(&text) } else { csv_members(&text) };
                    for item in read {
                        match item {
                            Ok(member) => files.add(member),
                            Err((line, message)) => faults.push(FileFault { file: path.clone(), line, message }),
                        }
                    }
                }
            }
        }
        faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        (files, faults)
    }

    /// The member that an address, or its whole domain, belongs to.
    pub fn find(&self, address: &Address) -> Option<&Member> {
        self.members.get(&address.key()).or_else(|| self.members.get(&format!("@{}", address.domain)))
    }

    /// Why an address that is not here may exist all the same: a file could not be read, or none holds any address.
    pub fn trouble(&self) -> Option<String> {
        let empty = self.configured && self.members.is_empty();
        self.unreadable.clone().or_else(|| empty.then(|| "the directory files hold no address".to_owned()))
    }

    /// Whether there is no address.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What the files held.
    pub fn stats(&self) -> FileStats {
        let groups: BTreeSet<&str> = self.members.values().flat_map(|m| m.groups.iter().map(String::as_str)).collect();
        FileStats { addresses: self.members.len() as u64, groups: groups.len() as u64, repeated: self.repeated }
    }

    /// All members, sorted by address.
    pub fn into_members(self) -> Vec<Member> {
        let mut members: Vec<Member> = self.members.into_values().collect();
        members.sort_unstable();
        members
    }

    fn add(&mut self, member: Member) {
        if self.members.contains_key(&member.address) {
            self.repeated += 1;
        } else {
            self.members.insert(member.address.clone(), member);
        }
    }
}

/// A member, or the line that is faulty and why.
type Item = Result<Member, (usize, String)>;

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES {
        return Err(format!("{size} bytes are more than the {FILE_BYTES} that are read"));
    }
    fs::read(path).map_err(|error| error.to_string())
}

fn csv_members(text: &[u8]) -> Vec<Item> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text);
    let mut items = Vec::new();
    for record in reader.byte_records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, |p| p.line() as usize);
                items.push(Err((line, error.to_string())));
                continue;
            }
        };
        let line = record.position().map_or(0, |p| p.line() as usize);
        let first = record.get(0).unwrap_or_default();
        let heading = ["address", "mail", "email"].iter().any(|h| first.eq_ignore_ascii_case(h.as_bytes()));
        if first.is_empty() && record.len() <= 1 || (heading && line == 1) {
            continue;
        }
        let groups = record.iter().skip(1).filter(|g| !g.is_empty());
        let groups: Result<BTreeSet<String>, _> =
            groups.map(|g| std::str::from_utf8(g).map(str::to_lowercase)).collect();
        items.push(match (address_key(first), groups) {
            (Ok(address), Ok(groups)) => {
                Ok(Member { canonical: address.clone(), address, groups: groups.into_iter().collect() })
            }
            (Err(why), _) => Err((line, why)),
            (_, Err(_)) => Err((line, "a group is not UTF-8 text".to_owned())),
        });
    }
    items
}

/// The key of an address, or `@domain` for `@domain` and `*@domain`.
fn address_key(bytes: &[u8]) -> Result<String, String> {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    let whole_domain = bytes.strip_prefix(b"*").unwrap_or(bytes).strip_prefix(b"@");
    match whole_domain {
        Some(domain) => Address::parse(&[b"x@", domain].concat()).map(|a| format!("@{}", a.domain)),
        None => Address::parse(bytes).map(|a| a.key()),
    }
    .map_err(|error| format!("\"{}\": {error}", shown()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::counters::scratch;

    fn read(name: &str, text: &[u8]) -> (Files, Vec<String>) {
        let dir = scratch(&format!("files-{name}"));
        let path = dir.join(name);
        fs::write(&path, text).expect("written");
        let (files, faults) = Files::read(&[path]);
        let _ = fs::remove_dir_all(dir);
        (files, faults.iter().map(|f| format!("{}: {}", f.line, f.message)).collect())
    }

    fn find<'f>(files: &'f Files, address: &str) -> Option<&'f Member> {
        files.find(&Address::parse(address.as_bytes()).expect("an address"))
    }

    #[test]
    fn a_csv_file_gives_addresses_groups_and_whole_domains() {
        let text =
            "Address,Group\n# staff\nBob@X.test,Sales,VPN\n\"eve@x.test\"\n*@y.test,guests\nuser@b\u{fc}cher.example\n";
        let (files, faults) = read("a.csv", text.as_bytes());
        assert_eq!(faults, [""; 0]);
        assert_eq!(find(&files, "bob@x.test").map(|m| m.groups.join(" ")).as_deref(), Some("sales vpn"));
        assert!(find(&files, "eve@x.test").is_some());
        assert_eq!(find(&files, "anybody@y.test").map(|m| m.groups.join(" ")).as_deref(), Some("guests"));
        assert!(find(&files, "user@xn--bcher-kva.example").is_some());
        assert!(find(&files, "other@x.test").is_none());
        assert_eq!(files.stats(), FileStats { addresses: 4, groups: 3, repeated: 0 });
    }

    #[test]
    fn every_faulty_line_is_named_and_the_others_count() {
        let (files, faults) = read("a.csv", b"bob@x.test\nnobody\n\n\"open@x.test\nb\xff@x.test,g\n");
        assert!(find(&files, "bob@x.test").is_some());
        assert!(faults.iter().any(|f| f.starts_with("2: \"nobody\"")), "{faults:?}");
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn an_ldif_file_gives_aliases_and_groups() {
        let text = b"version: 1\n\ndn: uid=bob,dc=x\nmail: Bob@x.test\nproxyAddresses: SMTP:Bob@x.test\n\
            proxyAddresses: smtp:b.smith\n @x.test\nproxyAddresses: sip:bob@x.test\n\n\
            # a comment\ndn:: dWlkPcOpdmUsZGM9eA==\nmail:: ZXZlQHgudGVzdA==\nuserAccountControl: 514\n\n\
            dn: cn=Team,dc=x\ncn: Team\nmail: team@x.test\nmember: UID=bob, dc=x\n";
        let (files, faults) = read("a.ldif", text);
        assert_eq!(faults, [""; 0]);
        let alias = find(&files, "b.smith@x.test").expect("an alias");
        assert_eq!((alias.canonical.as_str(), alias.groups.join(" ").as_str()), ("bob@x.test", "team"));
        assert!(find(&files, "team@x.test").is_some());
        assert!(find(&files, "eve@x.test").is_none(), "the account is disabled");
    }

    #[test]
    fn ldif_faults_are_named_by_line() {
        let (_, faults) = read("a.ldif", b"dn: uid=bob,dc=x\nmail: nonsense\njunk\nmail:: ***\n");
        assert_eq!(faults.iter().filter_map(|f| f.split(':').next()).collect::<Vec<_>>(), ["2", "3", "4"]);
    }

    #[test]
    fn a_file_that_is_missing_or_empty_is_trouble() {
        let (files, faults) = Files::read(&[PathBuf::from("/nonexistent/people.csv")]);
        assert_eq!((faults.len(), faults[0].line), (1, 0));
        assert!(files.trouble().is_some());
        assert!(read("empty.csv", b"# nobody\n").0.trouble().is_some());
        assert!(Files::default().trouble().is_none(), "none is configured");
    }
}
