use super::*;
use hickory_resolver::{
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::{Message, ResponseCode},
        rr::{RData, Record, RecordType, rdata::A},
    },
};
use std::{
    net::UdpSocket,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A name server on loopback: the first label of the question says what it does. It counts questions.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) questions: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback socket");
        let address = socket.local_addr().expect("bound");
        let questions = Arc::new(AtomicUsize::new(0));
        let counter = questions.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                counter.fetch_add(1, Ordering::SeqCst);
                if let Some(reply) = answer(&buffer[..length]) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        Server { address, questions }
    }

    pub(crate) fn settings(&self) -> DnsSettings {
        DnsSettings {
            servers: vec![self.address],
            timeout: Duration::from_millis(300),
            attempts: 1,
            ..DnsSettings::default()
        }
    }
}

fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let request = Message::from_vec(question).ok()?;
    let query = request.queries.first()?.clone();
    let mut reply = Message::response(request.metadata.id, request.metadata.op_code);
    reply.metadata.recursion_available = true;
    let name = query.name().to_ascii();
    match name.split('.').next()? {
        "hang" => return None,
        "garbage" => return Some(vec![0xff; 20]),
        "servfail" => reply.metadata.response_code = ResponseCode::ServFail,
        "refused" => reply.metadata.response_code = ResponseCode::Refused,
        "host" if query.query_type() == RecordType::A => {
            reply.add_answer(Record::from_rdata(query.name().clone(), 60, RData::A(A::new(192, 0, 2, 1))));
        }
        "host" => {}
        _ => reply.metadata.response_code = ResponseCode::NXDomain,
    }
    reply.add_query(query);
    reply.to_vec().ok()
}

fn dns(settings: &DnsSettings) -> Dns {
    let (config, options) = settings.resolver_parts();
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    Dns::sharing(builder.with_options(options).build().expect("a resolver"))
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

#[tokio::test]
async fn no_such_name_and_no_such_record_are_answers_and_failures_are_trouble() {
    let server = Server::start();
    let dns = dns(&server.settings());
    assert_eq!(dns.a("host.test", soon()).await, Outcome::Done(vec![Ipv4Addr::new(192, 0, 2, 1)]));
    assert_eq!(dns.aaaa("host.test", soon()).await, Outcome::Done(vec![]));
    assert_eq!(dns.a("gone.test", soon()).await, Outcome::Done(vec![]));
    assert_eq!(dns.a(&format!("{}.test", "x".repeat(70)), soon()).await, Outcome::Done(vec![]));
    assert!(matches!(dns.a("servfail.test", soon()).await, Outcome::Unavailable { .. }));
    assert!(matches!(dns.a("refused.test", soon()).await, Outcome::Unavailable { .. }));
    assert!(dns.a("garbage.test", soon()).await.done().is_none());
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_deadline() {
    let server = Server::start();
    let dns = dns(&DnsSettings { timeout: Duration::from_secs(10), ..server.settings() });
    let start = std::time::Instant::now();
    assert_eq!(dns.txt("hang.test", Deadline::after(Duration::from_millis(100))).await, Outcome::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn two_hundred_questions_at_a_time_are_all_answered() {
    let server = Server::start();
    let dns = dns(&server.settings());
    let names: Vec<String> = (0..200).map(|i| format!("host.n{i}.test")).collect();
    let answers = crate::lookup::all(names.iter().map(|name| dns.a(name, soon()))).await;
    assert_eq!(answers.iter().filter(|a| a.done().is_some_and(|a| a.len() == 1)).count(), 200);
}

#[tokio::test]
async fn a_scripted_zone_answers_like_the_network() {
    let zone = Zone::parse(
        "# a comment\nx.test A 192.0.2.1\nX.test. MX 20 b.x.test\nx.test MX 10 a.x.test\n\
         x.test TXT \"v=spf1 \" \"-all\"\n192.0.2.1 PTR mail.x.test.\n*.list.test A 127.0.0.2\nbad.test SERVFAIL\n\
         slow.test TIMEOUT\n192.0.2.9 SERVFAIL\n",
    )
    .expect("a zone");
    let dns = Dns::scripted(Arc::new(zone));
    assert_eq!(dns.a("X.TEST.", soon()).await, Outcome::Done(vec![Ipv4Addr::new(192, 0, 2, 1)]));
    assert_eq!(dns.aaaa("x.test", soon()).await, Outcome::Done(vec![]));
    assert_eq!(dns.a("nobody.test", soon()).await, Outcome::Done(vec![]));
    assert_eq!(dns.mx("x.test", soon()).await, Outcome::Done(vec![(10, "a.x.test".into()), (20, "b.x.test".into())]));
    assert_eq!(dns.txt("x.test", soon()).await, Outcome::Done(vec!["v=spf1 -all".into()]));
    assert_eq!(dns.ptr([192, 0, 2, 1].into(), soon()).await, Outcome::Done(vec!["mail.x.test".into()]));
    assert_eq!(dns.a("1.2.3.4.list.test", soon()).await.done().map(Vec::len), Some(1));
    assert!(matches!(dns.a("bad.test", soon()).await, Outcome::Unavailable { .. }));
    assert_eq!(dns.a("slow.test", soon()).await, Outcome::TimedOut);
    assert!(matches!(dns.ptr([192, 0, 2, 9].into(), soon()).await, Outcome::Unavailable { .. }));
}

#[test]
fn every_line_of_a_zone_that_is_not_understood_is_named() {
    let faults = Zone::parse("x.test A 192.0.2.300\n\nx.test\nx.test CNAME y\n* A 1.2.3.4\n").expect_err("faults");
    let lines: Vec<_> = faults.iter().filter_map(|f| f.split(':').next()).collect();
    assert_eq!(lines, ["line 1", "line 3", "line 4", "line 5"]);
}
