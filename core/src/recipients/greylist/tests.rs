use super::*;
use crate::{lookup::Outcome, verdict::Reply};

const NOW: i64 = 1_800_000_000;
const DAYS: i64 = 86_400;

struct Site {
    greylist: Greylist,
    counters: Counters,
}

impl Site {
    fn with(settings: Settings) -> Self {
        Site { greylist: Greylist::new(settings), counters: Counters::in_memory() }
    }

    fn enforcing() -> Self {
        Site::with(Settings { mode: Mode::Enforce, ..Settings::default() })
    }

    /// The way of the engine: ask, judge, note.
    async fn attempt(&self, client: Client<'_>, from: &str, to: &str, now: i64) -> Ruling {
        let (sender, recipient) = envelope(from, to);
        let attempt = Attempt { client, sender: &sender, recipient: &recipient };
        let Some(subject) = self.greylist.subject(&attempt) else { return Ruling::default() };
        let deadline = Deadline::after(Duration::from_secs(5));
        let answers = self.greylist.ask(&subject, &self.counters, now, deadline).await;
        let ruling = self.greylist.judge(&subject, &answers, true, now);
        if let Some(note) = ruling.note {
            assert_eq!(self.greylist.note(note, &subject, &self.counters, now, deadline).await, None);
        }
        ruling
    }

    async fn is_deferred(&self, client: Client<'_>, to: &str, now: i64) -> bool {
        self.attempt(client, "a@example.net", to, now).await.judgement.reply.is_some()
    }
}

fn envelope(from: &str, to: &str) -> (ReversePath, Address) {
    (ReversePath::parse(from.as_bytes()).expect("a sender"), Address::parse(to.as_bytes()).expect("a recipient"))
}

fn stranger(ip: &str) -> Client<'static> {
    Client {
        ip: ip.parse().expect("an address"),
        confirmed_name: None,
        spf_domain: None,
        points: Points::ZERO,
        on_allow_list: false,
    }
}

#[tokio::test]
async fn a_stranger_waits_five_minutes_once_and_is_known_for_36_days() {
    let site = Site::enforcing();
    let client = stranger("192.0.2.7");
    let first = site.attempt(client, "a@example.net", "bob@x.test", NOW).await;
    let reply = first.judgement.reply.expect("a deferral");
    assert_eq!((reply.code(), reply.enhanced().as_str()), (451, "4.7.1"));
    assert!(reply.text().ends_with("in 5 minutes"), "{reply}");
    assert_eq!(first.judgement.findings[0].id, "greylist.deferred");
    assert!(site.is_deferred(client, "bob@x.test", NOW + 299).await, "too early, and the time runs from the first");
    let back = site.attempt(client, "a@example.net", "bob@x.test", NOW + 300).await;
    assert_eq!((back.judgement.reply, back.judgement.findings[0].id.as_ref()), (None, "greylist.passed"));
    assert_eq!(site.attempt(client, "a@example.net", "bob@x.test", NOW + 400).await, Ruling::default());
    // Each message keeps the pair known.
    assert!(!site.is_deferred(client, "bob@x.test", NOW + 30 * DAYS).await);
    assert!(!site.is_deferred(client, "bob@x.test", NOW + 60 * DAYS).await);
    assert!(site.is_deferred(client, "bob@x.test", NOW + 97 * DAYS).await);
}

#[tokio::test]
async fn who_comes_back_after_the_window_or_from_elsewhere_begins_anew() {
    let site = Site::enforcing();
    assert!(site.is_deferred(stranger("192.0.2.7"), "bob@x.test", NOW).await);
    assert!(site.is_deferred(stranger("192.0.9.7"), "bob@x.test", NOW + 600).await, "another network");
    assert!(site.is_deferred(stranger("192.0.2.7"), "eve@x.test", NOW + 600).await, "another recipient");
    assert!(!site.is_deferred(stranger("192.0.2.99"), "bob@x.test", NOW + 600).await, "the same network");
    assert!(site.is_deferred(stranger("192.0.9.7"), "bob@x.test", NOW + 3 * DAYS).await, "after the window");
}

#[tokio::test]
async fn a_provider_comes_back_from_any_of_its_machines() {
    let site = Site::enforcing();
    let machine = |ip: &str| Client { spf_domain: Some("mail.provider.example"), ..stranger(ip) };
    assert!(site.is_deferred(machine("192.0.2.7"), "bob@x.test", NOW).await);
    assert!(!site.is_deferred(machine("198.51.100.8"), "bob@x.test", NOW + 300).await);
}

#[tokio::test]
async fn who_came_back_five_times_is_asked_no_more() {
    let site = Site::enforcing();
    let client = stranger("192.0.2.7");
    for n in 0..5 {
        let to = format!("user{n}@x.test");
        assert!(site.is_deferred(client, &to, NOW).await, "{to}");
    }
    for n in 0..5 {
        assert!(!site.is_deferred(client, &format!("user{n}@x.test"), NOW + 300).await);
    }
    assert!(!site.is_deferred(client, "new@x.test", NOW + 301).await);
    assert!(site.is_deferred(stranger("203.0.113.7"), "new@x.test", NOW + 301).await, "another network");
    let strict = Site::with(Settings { mode: Mode::Enforce, passes: 0, ..Settings::default() });
    for n in 0..9 {
        let to = format!("user{n}@x.test");
        assert!(strict.is_deferred(client, &to, NOW + n * 1000).await, "0 means always");
        assert!(!strict.is_deferred(client, &to, NOW + n * 1000 + 300).await);
    }
}

#[test]
fn good_clients_exempt_ones_and_desks_are_spared() {
    let greylist = Greylist::new(Settings {
        mode: Mode::Enforce,
        from_points: Points::hundredths(100),
        exempt_networks: vec!["203.0.113.0/24".parse().expect("a network")],
        exempt_domains: vec!["partner.example".into()],
        ..Settings::default()
    });
    let (sender, bob) = envelope("a@example.net", "bob@x.test");
    let bad = Client { points: Points::hundredths(100), ..stranger("192.0.2.7") };
    let attempt = |client| Attempt { client, sender: &sender, recipient: &bob };
    assert!(greylist.subject(&attempt(bad)).is_some());
    for client in [
        Client { points: Points::hundredths(99), ..bad },
        Client { on_allow_list: true, ..bad },
        Client { ip: "203.0.113.9".parse().expect("an address"), ..bad },
        Client { spf_domain: Some("partner.example"), ..bad },
        Client { confirmed_name: Some("MX.Partner.example."), ..bad },
    ] {
        assert!(greylist.subject(&attempt(client)).is_none(), "{client:?}");
    }
    let false_friend = Client { spf_domain: Some("notpartner.example"), ..bad };
    assert!(greylist.subject(&attempt(false_friend)).is_some());
    let (_, desk) = envelope("a@example.net", "Postmaster@x.test");
    assert!(greylist.subject(&Attempt { recipient: &desk, ..attempt(bad) }).is_none());
}

#[tokio::test]
async fn observing_and_recipients_outside_the_trial_only_find() {
    let observing = Site::with(Settings { mode: Mode::Observe, ..Settings::default() });
    let ruling = observing.attempt(stranger("192.0.2.7"), "a@example.net", "bob@x.test", NOW).await;
    assert_eq!((ruling.judgement.reply, ruling.judgement.findings[0].id.as_ref()), (None, "greylist.would-defer"));
    assert_eq!(ruling.note, Some(Note::First));

    let site = Site::enforcing();
    let (sender, bob) = envelope("a@example.net", "bob@x.test");
    let client = stranger("192.0.2.7");
    let attempt = Attempt { client, sender: &sender, recipient: &bob };
    let subject = site.greylist.subject(&attempt).expect("a subject");
    let never = Answers { seen: Outcome::Done(Seen::Never), passes: 0 };
    let outside = site.greylist.judge(&subject, &never, false, NOW).judgement;
    assert_eq!((outside.reply, outside.findings[0].id.as_ref()), (None, "greylist.would-defer"));
}

#[test]
fn counters_in_trouble_and_clocks_set_back_keep_no_mail_out() {
    let site = Greylist::new(Settings { mode: Mode::Enforce, ..Settings::default() });
    let (sender, bob) = envelope("a@example.net", "bob@x.test");
    let client = stranger("192.0.2.7");
    let attempt = Attempt { client, sender: &sender, recipient: &bob };
    let subject = site.subject(&attempt).expect("a subject");
    let trouble = site.judge(&subject, &Answers { seen: Outcome::TimedOut, passes: 0 }, true, NOW);
    assert_eq!((trouble.judgement.reply, trouble.note), (None, None));
    assert_eq!(trouble.judgement.findings[0].id, "greylist.not-asked");
    let future = Answers { seen: Outcome::Done(Seen::Waiting(NOW + 9999)), passes: 0 };
    assert_eq!(site.judge(&subject, &future, true, NOW).note, Some(Note::First));
}

#[test]
fn the_reply_says_when_to_come_back() {
    let texts = [1, 30, 121, 300].map(|left| {
        let settings = Settings { mode: Mode::Enforce, delay: Duration::from_secs(left), ..Settings::default() };
        let (sender, bob) = envelope("a@example.net", "bob@x.test");
        let client = stranger("192.0.2.7");
        let greylist = Greylist::new(settings);
        let attempt = Attempt { client, sender: &sender, recipient: &bob };
        let subject = greylist.subject(&attempt).expect("a subject");
        let never = Answers { seen: Outcome::Done(Seen::Never), passes: 0 };
        let reply: Reply = greylist.judge(&subject, &never, true, NOW).judgement.reply.expect("a reply");
        reply.text().rsplit_once("again ").expect("a time").1.to_owned()
    });
    assert_eq!(texts, ["in a moment", "in 30 seconds", "in 3 minutes", "in 5 minutes"]);
}
