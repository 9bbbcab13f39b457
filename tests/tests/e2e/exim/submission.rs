//! Users who log in, over TLS.

use mailward_tests::postfix::HOST;
use mailward_tests::scratch::Scratch;
use mailward_tests::tls::Authority;
use serde_json::Value;

use super::{Site, directory};
use crate::site::{ALICE, STRANGER, message};

const USER: &str = "alice";
const PASSWORD: &str = "seven hares";

#[test]
fn user_who_logs_in_over_tls_sends_outbound_mail() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let identity = authority.identity(HOST);
    let site = Site::builder(&scratch, &directory(&scratch, &[ALICE]))
        .exim(|exim| exim.certificate(&identity).user(USER, PASSWORD))
        .start();
    let mut client = site.exim.client_from(STRANGER);
    assert_eq!(client.start_tls(&authority, HOST).code, 220, "{}", site.exim.log());
    client.ehlo("laptop.example");
    assert_eq!(client.auth_plain(USER, PASSWORD).code, 235, "{}", site.exim.log());
    let delivery = client.send("anna@rig.test", &[ALICE], message("anna@rig.test", "from home", "Hello"));
    assert!(delivery.is_accepted(), "{delivery:?} {}", site.exim.log());
    client.quit();
    site.sink.wait_for_subject("from home");
    let log = site.exim.log();
    let reference = log.split("accepted, reference ").nth(1).expect("it was judged").lines().next().expect("a line");
    let explained: Value = serde_json::from_str(&site.ask(&["explain", reference, "--json"])).expect("JSON");
    assert_eq!(explained["direction"], "outbound", "{explained}");
    assert_eq!(explained["client"]["login"], USER, "{explained}");
    assert_eq!(explained["client"]["tls"], "TLSv1.3", "as Postfix names it, so that doors agree: {explained}");
}
