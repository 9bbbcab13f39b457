use super::*;

/// One client network that talks to a site with harvest protection.
struct Client {
    dha: Dha,
    about: Observation,
    blocks: Vec<Block>,
    disconnects: usize,
}

impl Client {
    fn new(standing: Standing) -> Self {
        let settings = Settings { mode: Mode::Enforce, ..Settings::default() };
        Client {
            dha: Dha::new(settings, Counters::in_memory()),
            about: Observation {
                network: ClientNetwork::of([192, 0, 2, 7].into()),
                standing,
                exempt: false,
                null_sender: false,
                domain: "example.com".to_owned(),
                directory_suspect: false,
                now: 1_000_000,
            },
            blocks: Vec::new(),
            disconnects: 0,
        }
    }

    /// Sends to recipients, of which `true` ones exist, so many a message and a session, with so many milliseconds between
    /// two recipients.
    async fn send(&mut self, recipients: &[bool], a_message: usize, a_session: usize, pause: u64) {
        let mut clock = self.about.now as u64 * 1000;
        for session in recipients.chunks(a_session) {
            let mut tally = Tally::default();
            for message in session.chunks(a_message) {
                tally.begin(self.about.null_sender);
                for &exists in message {
                    clock += pause;
                    self.about.now = (clock / 1000) as i64;
                    if exists {
                        tally.known();
                    } else {
                        let answer = self.dha.unknown_recipient(&self.about, tally.unknown(), soon()).await;
                        self.note(answer);
                    }
                }
                if let Some(ended) = tally.end(true) {
                    let answer = self.dha.transaction_ended(&self.about, ended, soon()).await;
                    self.note(answer);
                }
            }
        }
    }

    fn note(&mut self, answer: DhaAnswer) {
        assert!(!answer.findings.iter().any(|f| f.id == "dha.not-counted"), "{answer:?}");
        self.disconnects += usize::from(answer.reply.is_some());
        self.blocks.extend(answer.block_set);
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

/// 1,000 recipients, 100 of them stale, in an order given by `seed`.
fn shuffled(seed: u64) -> Vec<bool> {
    let mut list: Vec<bool> = (0..1000).map(|i| i >= 100).collect();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for i in (1..list.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        list.swap(i, (state >> 33) as usize % (i + 1));
    }
    list
}

#[tokio::test]
async fn a_list_of_1000_with_100_stale_in_any_order_trips_nothing_in_one_session_or_in_many() {
    for seed in 0..8 {
        for (a_message, a_session) in [(1000, 1000), (20, 1000), (20, 20), (1, 1), (1, 50)] {
            for pause in [1, 200, 3_000] {
                let mut client = Client::new(Standing::Neutral);
                client.send(&shuffled(seed), a_message, a_session, pause).await;
                let case = format!("seed {seed}, {a_message} a message, {a_session} a session, {pause} ms");
                assert_eq!((client.blocks.len(), client.disconnects), (0, 0), "{case}: {:?}", client.blocks);
            }
        }
    }
}

#[tokio::test]
async fn a_known_address_named_again_and_again_without_a_message_hides_no_harvest() {
    let mut client = Client::new(Standing::Neutral);
    let mut tally = Tally::default();
    for _ in 0..60 {
        client.about.now += 20;
        for exists in [true, true, true, false] {
            tally.begin(false);
            match exists {
                true => tally.known(),
                false => {
                    let answer = client.dha.unknown_recipient(&client.about, tally.unknown(), soon()).await;
                    client.note(answer);
                }
            }
            if let Some(ended) = tally.end(false) {
                let answer = client.dha.transaction_ended(&client.about, ended, soon()).await;
                client.note(answer);
            }
        }
    }
    assert!(!client.blocks.is_empty());
}

#[tokio::test]
async fn stale_addresses_that_stand_together_in_a_list_trip_nothing() {
    let mut run_in_the_middle = vec![true; 960];
    run_in_the_middle.splice(500..500, vec![false; 40]);
    let mut dense_beginning: Vec<bool> = (0..250).map(|i| i % 5 != 0).collect();
    dense_beginning.extend((0..750).map(|i| i % 15 != 0));
    let mut short_run_first = vec![false; 8];
    short_run_first.extend((0..992).map(|i| i % 11 != 10));
    for list in [run_in_the_middle, dense_beginning, short_run_first] {
        for (a_message, a_session) in [(20, 1000), (20, 20), (1, 1)] {
            let mut client = Client::new(Standing::Neutral);
            client.send(&list, a_message, a_session, 200).await;
            assert_eq!(client.blocks, [], "{a_message} a message, {a_session} a session");
        }
    }
}

#[tokio::test]
async fn a_trusted_sender_may_have_all_stale_addresses_at_the_start_of_its_list() {
    let list: Vec<bool> = (0..1000).map(|i| i >= 100).collect();
    for (a_message, a_session) in [(1000, 1000), (20, 1000), (20, 20), (1, 1)] {
        let mut client = Client::new(Standing::Trusted);
        client.send(&list, a_message, a_session, 50).await;
        assert_eq!((client.blocks.len(), client.disconnects), (0, 0), "{a_message} a message, {a_session} a session");
    }
}

#[tokio::test]
async fn an_unknown_sender_with_all_stale_addresses_first_is_delayed_and_then_served() {
    let mut client = Client::new(Standing::Neutral);
    client.send(&[false; 100], 20, 20, 50).await;
    assert_eq!(client.blocks.len(), 1, "it cannot be told from a harvest");
    let state = client.dha.blocked(client.about.network, client.about.now, soon()).await;
    assert!(state.reply_at_mail().is_some_and(|reply| reply.is_temporary()));
    client.about.now += 3 * 3600 + 60;
    let state = client.dha.blocked(client.about.network, client.about.now, soon()).await;
    assert_eq!(state.blocked_until(), None);
    client.send(&[true; 900], 20, 20, 50).await;
    assert_eq!(client.blocks.len(), 1, "the stale ones were refused for good and do not come again");
}

#[tokio::test]
async fn a_harvest_of_200_over_50_sessions_is_blocked_whatever_its_pace_and_padding() {
    for pause in [10, 1_000, 10_000] {
        let mut client = Client::new(Standing::Neutral);
        client.send(&[false; 200], 1, 4, pause).await;
        assert_eq!(client.blocks.len(), 1, "{pause} ms");
        let padded: Vec<bool> = (0..400).map(|i| i % 2 == 0).collect();
        let mut client = Client::new(Standing::Neutral);
        client.send(&padded, 4, 8, pause).await;
        assert_eq!(client.blocks.len(), 1, "{pause} ms, every second exists");
        let mut client = Client::new(Standing::Neutral);
        client.about.null_sender = true;
        client.send(&[false; 200], 1, 4, pause).await;
        assert_eq!(client.blocks.len(), 1, "{pause} ms, null sender");
    }
}

#[tokio::test]
async fn a_harvest_under_way_is_stopped_and_the_answers_tell_nothing() {
    let mut client = Client::new(Standing::Neutral);
    client.send(&[false; 10], 1, 1, 1_000).await;
    let block = client.blocks.first().expect("ten at once").clone();
    assert_eq!((block.reason, block.until - block.since, block.enforced), (Reason::Burst, 3 * 3600, true));
    let state = client.dha.blocked(client.about.network, client.about.now, soon()).await;
    assert_eq!(state.reply_at_mail().map(|r| (r.code(), r.enhanced())), Some((450, "4.7.1".to_owned())));
    assert_eq!(state.reply_in_session().map(|r| (r.code(), r.enhanced())), Some((421, "4.7.0".to_owned())));
}

#[tokio::test]
async fn repeated_harvests_are_blocked_longer() {
    let mut client = Client::new(Standing::Neutral);
    for hours in [3, 6, 12, 24, 24] {
        client.send(&[false; 10], 1, 1, 1_000).await;
        let block = client.blocks.pop().expect("blocked");
        assert_eq!((block.until - block.since) / 3600, hours);
        client.about.now = block.until + 1;
    }
}

#[tokio::test]
async fn in_the_first_week_a_harvest_is_only_noted() {
    let mut client = Client::new(Standing::Neutral);
    client.dha = Dha::new(Settings::default(), Counters::in_memory());
    client.send(&[false; 60], 1, 30, 100).await;
    assert_eq!(client.blocks.len(), 1);
    assert!(!client.blocks[0].enforced);
    assert_eq!(client.disconnects, 0);
    let state = client.dha.blocked(client.about.network, client.about.now, soon()).await;
    assert_eq!(state, BlockState::default());
    client.about.now += 7 * 86_400;
    client.send(&[false; 60], 1, 30, 100).await;
    assert!(client.blocks.last().is_some_and(|block| block.enforced && block.strikes == 1));
}

#[tokio::test]
async fn exempt_networks_and_a_suspect_directory_count_nothing() {
    for (exempt, directory_suspect) in [(true, false), (false, true)] {
        let mut client = Client::new(Standing::Neutral);
        (client.about.exempt, client.about.directory_suspect) = (exempt, directory_suspect);
        client.send(&[false; 300], 1, 10, 10).await;
        assert_eq!((client.blocks.len(), client.disconnects), (0, 0));
    }
}

#[tokio::test]
async fn many_networks_together_have_less_allowance_each() {
    let mut client = Client::new(Standing::Neutral);
    let mut blocked_at = Vec::new();
    for network in 0..40u8 {
        client.about.network = ClientNetwork::of([198, 51, 100, network].into());
        client.about.now = 1_000_000 + i64::from(network);
        for count in 1..=25 {
            client.about.now += 60;
            let before = client.blocks.len();
            client.send(&[false], 1, 1, 0).await;
            if client.blocks.len() > before {
                blocked_at.push(count);
                break;
            }
        }
    }
    assert_eq!(blocked_at.first(), Some(&25), "one network alone");
    assert_eq!(blocked_at.last(), Some(&10), "one of many");
}

#[tokio::test]
async fn a_released_network_starts_afresh() {
    let mut client = Client::new(Standing::Neutral);
    client.send(&[false; 30], 1, 1, 100).await;
    let (network, now) = (client.about.network, client.about.now);
    assert_eq!(client.dha.list(now, soon()).await.map(|l| l.len()), Outcome::Done(1));
    assert_eq!(network_named("192.0.2.7/32"), Some(network));
    assert_eq!(client.dha.release(network, now, soon()).await, Outcome::Done(true));
    assert_eq!(client.dha.release(network, now, soon()).await, Outcome::Done(false));
    assert_eq!(client.dha.blocked(network, now, soon()).await, BlockState::default());
    client.blocks.clear();
    client.send(&[false; 5], 1, 1, 100).await;
    assert_eq!(client.blocks, []);
}

#[tokio::test]
async fn a_block_set_by_one_process_holds_in_another() {
    let mut client = Client::new(Standing::Neutral);
    client.send(&[false; 30], 1, 1, 100).await;
    let other = Dha::new(client.dha.settings.clone(), client.dha.counters.clone());
    assert!(other.blocked(client.about.network, client.about.now, soon()).await.blocked_until().is_some());
}

#[tokio::test]
async fn without_counters_nobody_is_blocked_and_a_finding_says_so() {
    let mut client = Client::new(Standing::Neutral);
    let nowhere = std::path::Path::new("/nonexistent/state");
    client.dha = Dha::new(client.dha.settings.clone(), Counters::open(nowhere));
    let mut tally = Tally::default();
    let answer = client.dha.unknown_recipient(&client.about, tally.unknown(), soon()).await;
    assert_eq!(answer.findings.first().map(|f| f.id.as_ref()), Some("dha.not-counted"));
    assert_eq!((answer.reply, answer.block_set), (None, None));
    assert!(client.dha.blocked(client.about.network, client.about.now, soon()).await.trouble.is_some());
}
