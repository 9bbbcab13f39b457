use super::*;
use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

const NOW: i64 = 1_000_000;

/// An LDAP server of the test: what it knows, how it answers, how often it was asked.
#[derive(Default)]
struct Server {
    people: Mutex<HashMap<String, Vec<String>>>,
    trouble: Mutex<Option<String>>,
    asked: AtomicUsize,
}

impl Server {
    fn with(people: usize) -> Arc<Self> {
        let server = Server::default();
        for i in 0..people {
            server.put(&format!("u{i}@x.test"));
        }
        Arc::new(server)
    }

    fn put(&self, address: &str) {
        self.people.lock().expect("people").insert(address.to_owned(), vec!["staff".to_owned()]);
    }

    fn clear(&self) {
        self.people.lock().expect("people").clear();
    }

    fn trouble(&self, why: Option<&str>) {
        *self.trouble.lock().expect("trouble") = why.map(str::to_owned);
    }

    fn answer(&self, address: &str) -> Outcome<Option<Entry>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(why) = &*self.trouble.lock().expect("trouble") {
            return Outcome::Unavailable { why: why.clone() };
        }
        let people = self.people.lock().expect("people");
        let found = if address == "*" { people.iter().next() } else { people.get_key_value(address) };
        Outcome::Done(found.map(|(mail, groups)| Entry {
            mail: mail.clone(),
            groups: groups.clone(),
            ..Entry::default()
        }))
    }
}

fn directory(server: &Arc<Server>) -> Directory {
    let settings = Settings { domains: vec!["x.test".into(), "xn--bcher-kva.example".into()], ..Settings::default() };
    let server = server.clone();
    let ldap = Ldap::scripted(move |address| server.answer(address));
    Directory::with_ldap(settings, Some(ldap), Counters::in_memory(), None).0
}

async fn ask_at(directory: &Directory, address: &str, now: i64) -> Membership {
    let address = Address::parse(address.as_bytes()).expect("an address");
    directory.lookup(&address, now, Deadline::after(Duration::from_secs(5))).await
}

async fn ask(directory: &Directory, address: &str) -> Membership {
    ask_at(directory, address, NOW).await
}

fn staff(address: &str) -> Membership {
    Membership::known(address.to_owned(), vec!["staff".to_owned()])
}

#[tokio::test]
async fn case_detail_and_international_domains_do_not_hide_a_recipient() {
    let server = Server::with(1);
    server.put("user@xn--bcher-kva.example");
    server.put("u0+own@x.test");
    let directory = directory(&server);
    assert_eq!(ask(&directory, "<U0@X.Test>").await, staff("u0@x.test"));
    assert_eq!(ask(&directory, "<u0+news@x.test>").await, staff("u0@x.test"));
    assert_eq!(ask(&directory, "<u0+own@x.test>").await, staff("u0+own@x.test"), "the full address comes first");
    assert_eq!(ask(&directory, "<user@b\u{fc}cher.example>").await, staff("user@xn--bcher-kva.example"));
    assert_eq!(ask(&directory, "<nobody@x.test>").await, Membership::Unknown);
    assert_eq!(ask(&directory, "<u0@elsewhere.test>").await, Membership::NotOurs);
}

#[tokio::test]
async fn postmaster_and_abuse_are_always_there() {
    let server = Server::with(1);
    let directory = directory(&server);
    for address in ["<postmaster>", "<Postmaster@x.test>", "<abuse@x.test>"] {
        assert!(matches!(ask(&directory, address).await, Membership::Known { .. }), "{address}");
        server.trouble(Some("down"));
    }
}

#[tokio::test]
async fn answers_are_cached_as_long_as_configured() {
    let server = Server::with(1);
    let directory = directory(&server);
    ask(&directory, "u0@x.test").await;
    let asked = server.asked.load(Ordering::Relaxed);
    ask_at(&directory, "u0@x.test", NOW + 3599).await;
    assert_eq!(server.asked.load(Ordering::Relaxed), asked);
    ask_at(&directory, "u0@x.test", NOW + 3600).await;
    assert_eq!(server.asked.load(Ordering::Relaxed), asked + 1);
    ask(&directory, "new@x.test").await;
    server.put("new@x.test");
    assert_eq!(ask_at(&directory, "new@x.test", NOW + 599).await, Membership::Unknown);
    assert_eq!(ask_at(&directory, "new@x.test", NOW + 600).await, staff("new@x.test"));
}

#[tokio::test]
async fn while_the_server_is_down_a_cached_recipient_is_served_and_others_wait() {
    let server = Server::with(1);
    let directory = directory(&server);
    ask(&directory, "u0@x.test").await;
    server.trouble(Some("ldap result 32: the base does not exist"));
    let later = NOW + 86_400;
    let stale = Membership::Known { canonical: "u0@x.test".into(), groups: vec!["staff".into()], stale: true };
    assert_eq!(ask_at(&directory, "u0@x.test", later).await, stale);
    let other = ask_at(&directory, "u1@x.test", later).await;
    assert!(matches!(other, Membership::Trouble { suspect: false, .. }));
    let code = |settings: &Settings| judge(&other, settings).reply.map(|r| r.code());
    assert_eq!(code(&Settings::default()), Some(451));
    assert_eq!(code(&Settings { on_trouble: OnTrouble::Skip, ..Settings::default() }), None);
}

#[tokio::test]
async fn an_emptied_directory_defers_the_unknown_and_serves_the_known() {
    let server = Server::with(10);
    let directory = directory(&server);
    for i in 0..5 {
        ask(&directory, &format!("u{i}@x.test")).await;
    }
    assert_eq!(ask(&directory, "nobody@x.test").await, Membership::Unknown);
    server.clear();
    let later = NOW + 4000;
    for address in ["nobody-else@x.test", "u7@x.test"] {
        let answer = ask_at(&directory, address, later).await;
        assert!(matches!(answer, Membership::Trouble { suspect: true, .. }), "{address}: {answer:?}");
        let reply = judge(&answer, &Settings::default()).reply.expect("a reply");
        assert_eq!((reply.code(), reply.enhanced().as_str()), (450, "4.1.1"));
    }
    assert!(matches!(ask_at(&directory, "u1@x.test", later).await, Membership::Known { stale: true, .. }));
    assert!(directory.suspect(later, Deadline::after(Duration::from_secs(5))).await.is_some());
}

#[tokio::test]
async fn a_directory_that_was_empty_from_the_start_refuses_nobody() {
    let directory = directory(&Server::with(0));
    assert!(matches!(ask(&directory, "u0@x.test").await, Membership::Trouble { suspect: true, .. }));
}

#[tokio::test]
async fn a_directory_that_lost_most_known_addresses_is_suspected_and_believed_again_when_they_are_back() {
    let server = Server::with(20);
    let directory = directory(&server);
    for i in 0..20 {
        ask(&directory, &format!("u{i}@x.test")).await;
    }
    server.people.lock().expect("people").retain(|address, _| address == "u0@x.test");
    let later = NOW + 4000;
    let answer = ask_at(&directory, "nobody@x.test", later).await;
    assert!(matches!(answer, Membership::Trouble { suspect: true, .. }), "{answer:?}");
    for i in 0..20 {
        server.put(&format!("u{i}@x.test"));
    }
    assert_eq!(ask_at(&directory, "nobody@x.test", later + 31).await, Membership::Unknown);
}

#[tokio::test]
async fn one_person_who_left_is_unknown_and_no_alarm() {
    let server = Server::with(20);
    let directory = directory(&server);
    for i in 0..20 {
        ask(&directory, &format!("u{i}@x.test")).await;
    }
    server.people.lock().expect("people").remove("u3@x.test");
    assert_eq!(ask_at(&directory, "u3@x.test", NOW + 4000).await, Membership::Unknown);
    assert_eq!(ask_at(&directory, "nobody@x.test", NOW + 4000).await, Membership::Unknown);
}

#[tokio::test]
async fn a_directory_cleared_on_purpose_is_believed_after_someone_says_so() {
    let server = Server::with(6);
    let directory = directory(&server);
    for i in 0..6 {
        ask(&directory, &format!("u{i}@x.test")).await;
    }
    server.people.lock().expect("people").retain(|address, _| address == "u0@x.test");
    assert!(matches!(ask_at(&directory, "no@x.test", NOW + 4000).await, Membership::Trouble { .. }));
    directory.trust_again(NOW + 4000, Deadline::after(Duration::from_secs(5))).await;
    assert_eq!(ask_at(&directory, "no@x.test", NOW + 4000).await, Membership::Unknown);
}

#[tokio::test]
async fn imported_recipients_answer_without_a_server_and_stand_in_for_it_when_it_is_down() {
    let dir = crate::store::counters::scratch("imported");
    let store = Arc::new(Store::open(&dir, 30).expect("opened"));
    let server = Server::with(1);
    let script = {
        let server = server.clone();
        move |address: &str| server.answer(address)
    };
    let settings = Settings { domains: vec!["x.test".into()], ..Settings::default() };
    let open = |ldap| Directory::with_ldap(settings.clone(), ldap, Counters::in_memory(), Some(store.clone())).0;
    let (alone, with_server) = (open(None), open(Some(Ldap::scripted(script))));
    assert_eq!(ask(&alone, "bob@x.test").await, Membership::NotOurs, "nothing is known of any recipient");
    let member = crate::store::Member { address: "bob@x.test".into(), canonical: "b@x.test".into(), groups: vec![] };
    store.replace_roster(vec![member], None).await.expect("imported");
    assert_eq!(ask(&alone, "bob+x@x.test").await, Membership::known("b@x.test".into(), vec![]));
    assert_eq!(ask(&alone, "eve@x.test").await, Membership::Unknown);
    assert_eq!(ask(&with_server, "bob@x.test").await, Membership::Unknown, "the server knows better");
    server.trouble(Some("down"));
    let answer = ask_at(&with_server, "bob@x.test", NOW + 4000).await;
    assert!(matches!(answer, Membership::Known { stale: true, .. }), "{answer:?}");
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn without_shared_counters_the_directory_still_answers() {
    let server = Server::with(1);
    let mut directory = directory(&server);
    directory.counters = Counters::open(std::path::Path::new("/nonexistent/state"));
    assert_eq!(ask(&directory, "u0@x.test").await, staff("u0@x.test"));
    assert_eq!(ask(&directory, "no@x.test").await, Membership::Unknown);
    server.clear();
    assert!(matches!(ask_at(&directory, "no@x.test", NOW + 10).await, Membership::Trouble { suspect: true, .. }));
}

#[tokio::test]
async fn a_lookup_tells_what_every_place_says() {
    let directory = directory(&Server::with(1));
    let address = Address::parse(b"u0+x@x.test").expect("an address");
    let sightings = directory.sightings(&address, NOW, Deadline::after(Duration::from_secs(5))).await;
    let answer = sightings.last().expect("an answer");
    assert_eq!((answer.place, answer.says.as_str()), ("answer", "exists: u0@x.test [staff]"));
}
