//! What the metrics listener shows, and that it never harms the mail.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use mailward_tests::clamd;
use mailward_tests::clock::{PATIENCE, wait_until};
use mailward_tests::mailward;
use mailward_tests::ports::{free_port, loopback};
use mailward_tests::process::Signal;
use mailward_tests::scratch::Scratch;

use crate::site::{ALICE, BOB, STRANGER, Site, message, with_attachment};

const DIRECTORY: &str = "[directory]\ndomains = [\"rig.test\"]\nfiles = [\"people.csv\"]\n";

/// A site whose metrics are at the address.
fn site(scratch: &Scratch, config: &str) -> (Site, SocketAddr) {
    let address = loopback(free_port());
    let config = format!("{config}\n[metrics]\nlisten = \"{address}\"\n");
    (Site::builder(scratch, &config).start(), address)
}

/// Status and body of a page.
fn get(mut stream: impl Read + Write, page: &str) -> (u16, String) {
    let mut answer = String::new();
    write!(stream, "GET {page} HTTP/1.0\r\n\r\n").and_then(|()| stream.read_to_string(&mut answer)).map(drop).ok();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0), body.to_owned())
}

fn page(address: SocketAddr, page: &str) -> (u16, String) {
    get(TcpStream::connect(address).expect("somebody listens"), page)
}

/// All samples of a scrape by their names with labels.
fn scrape(address: SocketAddr) -> BTreeMap<String, f64> {
    let (status, text) = page(address, "/metrics");
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n"), "it is whole: {text}");
    samples(&text)
}

fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
        })
        .collect()
}

/// Sends one message of each common fate: taken, refused as malware, and to a recipient that does not exist.
fn send_some_mail(site: &Site) {
    let text = |subject: &str| message("a@example.net", subject, "Hello");
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], text("one")).is_accepted());
    assert!(site.send(STRANGER, "b@example.net", &[ALICE], text("two")).is_accepted());
    let malware = with_attachment("c@example.net", "x", "x.com", &clamd::eicar());
    assert!(site.send(STRANGER, "c@example.net", &[ALICE], malware).last().is_permanent());
    assert!(site.send(STRANGER, "d@example.net", &[BOB], text("three")).last().is_permanent());
}

fn people(scratch: &Scratch) -> String {
    let file = scratch.file("people.csv", "address\nalice@rig.test\n");
    DIRECTORY.replace("people.csv", &file.display().to_string())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

#[test]
fn counts_are_those_of_the_mail() {
    let scratch = Scratch::new();
    let (mut site, address) = site(&scratch, &people(&scratch));
    send_some_mail(&site);
    let at = |name: &str| scrape(address).get(name).copied().unwrap_or(-1.0);
    // The refused recipient is counted when its transaction ends.
    let refused = "mailward_refused_commands_total{stage=\"rcpt\",reason=\"unknown recipient\"}";
    wait_until(PATIENCE, "the refused recipient is counted", || at(refused) == 1.0);
    let taken: f64 = ["deliver", "tag"]
        .map(|verdict| at(&format!("mailward_messages_total{{verdict=\"{verdict}\",direction=\"inbound\"}}")))
        .iter()
        .sum();
    assert_eq!(taken, 2.0);
    assert_eq!(at("mailward_messages_total{verdict=\"reject\",direction=\"inbound\"}"), 1.0);
    assert_eq!(at("mailward_judging_seconds_count"), 3.0);
    assert_eq!(at("mailward_work_seconds_count{part=\"content\"}"), 3.0);
    assert_eq!(at("mailward_findings_total{id=\"malware.yara.eicar_test_file\"}"), 1.0);
    assert!(at("mailward_message_bytes_total") > 300.0);
    assert!(at("mailward_connections_total") >= 4.0);
    assert!(at("mailward_lookups_total{service=\"dns\",outcome=\"done\"}") >= 1.0);
    wait_until(PATIENCE, "all connections have ended", || at("mailward_connections_open") == 0.0);
    assert_eq!((at("mailward_messages_in_flight"), at("mailward_in_flight_bytes")), (0.0, 0.0));
    assert!(at("process_cpu_seconds_total") > 0.0 && at("process_resident_memory_bytes") > 1e6);
    assert!(at("mailward_state_file_bytes{file=\"mailward.db\"}") > 0.0);

    let hashes =
        || scrape(address).into_keys().filter(|name| name.starts_with("mailward_config_info")).collect::<Vec<_>>();
    let before = hashes();
    let config = std::fs::read_to_string(site.mailward.config_file()).expect("the configuration can be read");
    let config = config.split_once("\n[milter]").expect("the rig writes [milter] last").0.to_owned();
    site.mailward.reload(format!("{config}\n[score]\ntag = 6\n"));
    wait_until(PATIENCE, "the reload is counted", || at("mailward_reloads_total{outcome=\"done\"}") == 1.0);
    assert_ne!(hashes(), before, "another file has another hash");
    assert_eq!(at("mailward_judging_seconds_count"), 3.0, "counts outlive a reload");
    site.mailward.reload("nonsense = 1\n");
    wait_until(PATIENCE, "the refusal is counted", || at("mailward_reloads_total{outcome=\"refused\"}") == 1.0);
}

#[test]
fn page_of_the_documents_lists_every_metric_and_no_other() {
    let scratch = Scratch::new();
    let (_site, address) = site(&scratch, "");
    let (_, text) = page(address, "/metrics");
    let shown: BTreeSet<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let document = std::fs::read_to_string(repository().join("docs/metrics.md")).expect("docs/metrics.md");
    let listed: BTreeSet<(String, String)> = document
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|');
            let name = cells.next()?.trim().trim_end_matches('`');
            let kind = cells.next()?.trim();
            ["counter", "gauge", "histogram"].contains(&kind).then(|| (name.to_owned(), kind.to_owned()))
        })
        .collect();
    assert!(shown.len() > 20, "{text}");
    assert_eq!(listed, shown);
}

#[test]
fn board_asks_only_for_what_a_scrape_has() {
    let scratch = Scratch::new();
    let (site, address) = site(&scratch, &people(&scratch));
    send_some_mail(&site);
    wait_until(PATIENCE, "every kind of count is there", || {
        scrape(address).keys().any(|name| name.starts_with("mailward_refused_commands_total"))
    });
    let there: BTreeSet<String> =
        scrape(address).into_keys().map(|name| name.split('{').next().unwrap_or_default().to_owned()).collect();
    let board = std::fs::read_to_string(repository().join("examples/grafana/mailward.json")).expect("the board");
    let board: serde_json::Value = serde_json::from_str(&board).expect("it is JSON");
    let mut asked = BTreeSet::new();
    for panel in board["panels"].as_array().expect("panels") {
        let targets = panel["targets"].as_array().expect("each panel asks something");
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            let words = target["expr"].as_str().expect("a query").split(|c: char| !c.is_alphanumeric() && c != '_');
            asked.extend(words.filter(|w| w.starts_with("mailward_") || w.starts_with("process_")).map(str::to_owned));
        }
    }
    assert!(asked.len() > 15, "{asked:?}");
    let missing: Vec<_> = asked.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?} not in {there:?}");
}

#[test]
fn stuck_scrapers_hold_up_neither_mail_nor_for_long_each_other() {
    let scratch = Scratch::new();
    let (site, address) = site(&scratch, "");
    let mut stuck: Vec<TcpStream> =
        (0..12).map(|_| TcpStream::connect(address).expect("the kernel takes it")).collect();
    for (number, stream) in stuck.iter_mut().enumerate() {
        // Some say nothing, some half a request, some ask and do not read.
        let words: &[u8] = [&b""[..], b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"][number % 3];
        stream.write_all(words).expect("it can be sent");
    }
    for number in 0..5 {
        let from = format!("s{number}@example.net");
        assert!(site.send(STRANGER, &from, &[ALICE], message(&from, "hello", "Hello")).is_accepted());
    }
    wait_until(PATIENCE * 2, "a good scraper is served again", || page(address, "/readyz").0 == 200);
    drop(stuck);
    assert!(site.send(STRANGER, "a@example.net", &[ALICE], message("a@example.net", "a", "Hello")).is_accepted());
}

#[test]
fn daemon_that_drains_is_healthy_but_not_ready() {
    let scratch = Scratch::new();
    let (mut site, address) = site(&scratch, "");
    assert_eq!(page(address, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(page(address, "/nothing").0, 404);
    let mut open = site.postfix.client_from(STRANGER);
    assert!(open.mail("open@example.net").is_positive() && open.rcpt(ALICE).is_positive());
    assert_eq!(open.data().code, 354);
    site.mailward.signal(Signal::Terminate);
    site.mailward.wait_for_text("draining");
    assert_eq!(page(address, "/readyz"), (503, "draining\n".to_owned()));
    assert_eq!(page(address, "/healthz"), (200, "alive\n".to_owned()));
    assert_eq!(open.content(message("open@example.net", "open", "Hello")).code, 250);
    assert_eq!(site.mailward.wait(PATIENCE).code(), Some(0));
}

#[test]
fn metrics_are_served_on_a_socket_file_too() {
    let scratch = Scratch::new();
    let socket = scratch.path().join("metrics.sock");
    let config = format!("[metrics]\nlisten = \"unix:{}\"\n", socket.display());
    let _site = Site::builder(&scratch, &config).start();
    wait_until(PATIENCE, "it is there", || socket.exists());
    let (status, text) = get(UnixStream::connect(&socket).expect("somebody listens"), "/metrics");
    assert_eq!(status, 200);
    assert!(samples(&text).contains_key("mailward_connections_total"));
}

#[test]
fn address_that_others_can_reach_is_refused_at_the_start() {
    let scratch = Scratch::new();
    let file = scratch.file("open.toml", "[metrics]\nlisten = \"0.0.0.0:9091\"\n");
    let output = mailward::command(scratch.path(), &["milter", "--config", file.to_str().expect("UTF-8")]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("open.toml:2:10: ") && text.contains("loopback"), "{text}");
}
