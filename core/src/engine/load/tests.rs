use super::*;

fn network(last: u8) -> Option<ClientNetwork> {
    Some(ClientNetwork::of([198, 51, 100, last].into()))
}

/// All turns taken, so that whoever comes waits.
async fn busy(load: &Arc<Load>) -> Vec<Turn> {
    let mut turns = Vec::new();
    for _ in 0..load.processors {
        turns.push(load.turn(None).await.expect("a free turn"));
    }
    turns
}

#[tokio::test]
async fn whoever_asks_for_little_goes_before_those_who_ask_for_much() {
    let load = Load::new();
    let mut turns = busy(&load).await;
    for _ in 0..3 {
        network(1).map(|network| load.admit(network));
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for last in [1, 1, 2] {
        let waiting = load.state().waiting.len();
        let (load_of, order) = (Arc::clone(&load), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let turn = load_of.turn(network(last)).await;
            order.lock().expect("not poisoned").push(last);
            drop(turn);
        }));
        while load.state().waiting.len() == waiting {
            tokio::task::yield_now().await;
        }
    }
    turns.pop();
    for task in tasks {
        task.await.expect("a turn");
    }
    let order = order.lock().expect("not poisoned").clone();
    assert_eq!(order, [2, 1, 1]);
}

#[tokio::test]
async fn a_burst_of_costly_messages_is_no_overload_and_a_long_queue_is() {
    let load = Load::new();
    load.configure(Duration::from_millis(10), &Limits::default());
    load.state().mean = 0.5;
    let stranger = network(1).expect("a network");
    let most = load.processors * (OVERFULL * PATIENCE) as usize;
    for admitted in 0..most {
        assert!(load.admit(stranger), "after {admitted}, though two for each processor would take a second");
    }
    load.state().coming = most + 1;
    assert!(!load.admit(stranger));
    load.configure(Duration::ZERO, &Limits::default());
    assert!(load.admit(stranger), "switched off");
}

#[tokio::test]
async fn who_is_not_admitted_is_answered_at_a_steady_rate() {
    let load = Load::new();
    assert_eq!(load.refuse(), Duration::ZERO);
    let pauses: Vec<f64> = (0..500).map(|_| load.refuse().as_secs_f64()).collect();
    let expected = 500.0 / (REFUSALS * load.processors as f64);
    assert!((pauses[499] - expected).abs() < expected / 2.0, "{} instead of {expected}", pauses[499]);
    let longest = (0..100_000).map(|_| load.refuse()).max();
    assert_eq!(longest, Some(Duration::from_secs_f64(REFUSAL_PAUSE)));
}

#[tokio::test]
async fn a_turn_nobody_waits_for_any_more_goes_to_the_next() {
    let load = Load::new();
    let turns = busy(&load).await;
    assert!(tokio::time::timeout(Duration::from_millis(10), load.turn(network(1))).await.is_err());
    drop(turns);
    assert_eq!(load.state().free, load.processors);
    assert!(load.state().waiting.is_empty());
    assert!(busy(&load).await.len() == load.processors);
}

#[tokio::test]
async fn a_hopeless_queue_gives_up_whoever_asks_for_most() {
    let load = Load::new();
    let turns = busy(&load).await;
    load.state().mean = HOPELESS * load.processors as f64;
    for _ in 0..20 {
        network(1).map(|network| load.admit(network));
    }
    let heavy = {
        let load = Arc::clone(&load);
        tokio::spawn(async move { load.turn(network(1)).await.is_ok() })
    };
    while load.state().waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    let light = {
        let load = Arc::clone(&load);
        tokio::spawn(async move { load.turn(network(2)).await.is_ok() })
    };
    assert!(!heavy.await.expect("no panic"));
    load.state().mean = 0.001;
    drop(turns);
    assert!(light.await.expect("no panic"));
}

#[tokio::test]
async fn lookups_for_strangers_wait_in_a_rush_but_not_for_those_who_are_known() {
    let load = Load::new();
    load.configure(Duration::from_millis(10), &Limits::default());
    let known = ClientNetwork::of([192, 0, 2, 1].into());
    load.taken(known);
    let stranger = |last| network(last).expect("a network");
    let waits: Vec<bool> = (0..100).map(|last| load.begins(stranger(last))).collect();
    assert_eq!(waits.iter().position(|&waits| waits), Some(RUSH * load.processors));
    assert!(!load.begins(known));
    tokio::time::sleep(2 * TICK).await;
    assert!(!load.begins(stranger(1)), "the rush is over");
}

#[tokio::test]
async fn a_flood_gives_way_unless_it_holds_the_only_turn() {
    for (processors, expected) in [(1, false), (2, true)] {
        let mut load = Arc::into_inner(Load::new()).expect("nobody else has it");
        load.processors = processors;
        load.state().heavy_running = 1;
        let load = Arc::new(load);
        let turn = |heavy| Turn { load: Arc::clone(&load), network: None, heavy, since: 0.0 };
        assert_eq!(turn(true).gives_way(), expected, "with {processors}");
        assert!(!turn(false).gives_way());
    }
}
