//! rbldnsd, which serves the block lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::{DNSBL, answers};
use crate::clock::{PATIENCE, wait_until};
use crate::ports::{free_port, loopback};
use crate::process::{Process, Signal, program};
use crate::scratch::{read_log, set_modified, write};

/// Entries of each list: network and answer.
type Lists = BTreeMap<String, Vec<(String, String)>>;

/// The lists and the server that serves them.
#[derive(Debug)]
pub(super) struct Blocklists {
    process: Process,
    folder: PathBuf,
    port: u16,
    lists: Lists,
    changes: u32,
}

impl Blocklists {
    pub(super) fn start(folder: &Path, listed: &[(String, String, String)]) -> Blocklists {
        let mut lists = Lists::from([(DNSBL.to_owned(), Vec::new())]);
        for (list, network, answer) in listed {
            enter(lists.entry(list.clone()).or_default(), network, answer);
        }
        write_lists(folder, &lists, 0);
        let port = free_port();
        let mut command = Command::new(program("rbldnsd", "rbldnsd"));
        command.args(["-n", "-4", "-u", "nobody", "-c", "60s", "-t", "60", "-b"]);
        command.arg(format!("127.0.0.1/{port}")).arg("-w").arg(folder);
        command.args(
            lists.keys().flat_map(|list| [format!("{list}:ip4set:{list}.4"), format!("{list}:ip6trie:{list}.6")]),
        );
        let log = folder.join("rbldnsd.log");
        let mut process = Process::start(&mut command, &log);
        wait_until(PATIENCE, "rbldnsd answers", || {
            process.assert_running(&log);
            answers(loopback(port), DNSBL)
        });
        assert_understood(&log);
        Blocklists { process, folder: folder.to_owned(), port, lists, changes: 0 }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.lists.keys().cloned().collect()
    }

    pub(super) fn add(&mut self, list: &str, network: &str, answer: &str) {
        let entries = self.lists.get_mut(list).unwrap_or_else(|| panic!("no list {list} from the start"));
        enter(entries, network, answer);
        self.reload();
    }

    pub(super) fn clear(&mut self) {
        self.lists.values_mut().for_each(Vec::clear);
        self.reload();
    }

    fn reload(&mut self) {
        let log = self.folder.join("rbldnsd.log");
        let reloads = || read_log(&log).matches("zones reloaded").count();
        let before = reloads();
        self.changes += 1;
        write_lists(&self.folder, &self.lists, self.changes);
        self.process.signal(Signal::Hangup);
        wait_until(PATIENCE, "rbldnsd reads its lists again", || reloads() > before);
        assert_understood(&log);
    }
}

/// rbldnsd knows no network that is everything, but both halves of it.
fn enter(entries: &mut Vec<(String, String)>, network: &str, answer: &str) {
    let networks = if network == "0.0.0.0/0" { vec!["0.0.0.0/1", "128.0.0.0/1"] } else { vec![network] };
    entries.extend(networks.iter().map(|&network| (network.to_owned(), answer.to_owned())));
}

fn assert_understood(log: &Path) {
    let log = read_log(log);
    assert!(!log.contains("invalid"), "rbldnsd does not understand its lists: {log}");
}

/// Writes the files, each time with another modification time: rbldnsd looks at whole seconds only.
fn write_lists(folder: &Path, lists: &Lists, changes: u32) {
    let modified = SystemTime::now() + Duration::from_secs(10) * changes;
    for (list, entries) in lists {
        let text = |v6: bool| -> String {
            let entries = entries.iter().filter(|(network, _)| network.contains(':') == v6);
            entries.map(|(network, answer)| format!("{network} :{answer}:listed at {list}\n")).collect()
        };
        let head = format!("$SOA 60 ns.{list} hostmaster.{list} {changes} 600 300 86400 60\n");
        for (ending, v6) in [("4", false), ("6", true)] {
            let path = folder.join(format!("{list}.{ending}"));
            write(&path, head.clone() + &text(v6));
            set_modified(&path, modified);
        }
    }
}
