//! What the milter records in Sendmail are cases of `mailward test`.

use mailward_tests::clamd::Clamd;
use mailward_tests::scratch::Scratch;

use super::{STRANGER, Site};
use crate::doors::golden;

const LISTED: &str = "127.9.0.66";

#[test]
fn sessions_that_the_milter_records_in_sendmail_are_cases() {
    let scratch = Scratch::for_sendmail();
    let (mut scanner, records) = (Clamd::start(&scratch), scratch.dir("records"));
    let mut site = Site::builder(&scratch, &golden::config(&scanner))
        .dns(golden::dns(LISTED))
        .mailward(|mailward| mailward.argument("--record").argument(records.display().to_string()))
        .start();
    golden::send(|listed| site.sendmail.client_from(if listed { LISTED } else { STRANGER }));
    assert!(site.mailward.terminate().success());
    site.dns.kill();
    scanner.kill();
    golden::assert_cases_hold("sendmail", &records);
}
