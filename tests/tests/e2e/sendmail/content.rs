//! Malware and test strings.

use mailward_tests::clamd::{self, Clamd};
use mailward_tests::scratch::Scratch;

use super::{Site, code};
use crate::site::{message, with_attachment};

#[test]
fn malware_is_refused_by_the_starter_rules_and_by_clamd() {
    let scratch = Scratch::for_sendmail();
    let clamd = Clamd::start(&scratch);
    let config = format!("[malware]\nclamd = \"inet:{}\"\n", clamd.address());
    let site = Site::builder(&scratch, &config).start();
    let eicar = with_attachment("eicar@example.net", "eicar", "report.txt", &clamd::eicar());
    let by_clamd = message("clamd@example.net", "body", &format!("Hello {}, goodbye", clamd::BODY));
    let gtube = ["XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-", "ANTI-UBE-TEST-EMAIL*C.34X"].concat();
    let gtube = message("gtube@example.net", "test", &gtube);
    for (from, sent, finding) in [
        ("eicar@example.net", eicar, "malware.yara.eicar_test_file".to_owned()),
        ("clamd@example.net", by_clamd, format!("malware.clamd.{}", clamd::BODY_NAME)),
        ("gtube@example.net", gtube, "spam.gtube".to_owned()),
    ] {
        let end = site.send_to_alice(from, sent).end.expect("judged by its content");
        assert_eq!(code(&end), "550 5.7.1", "{from}: {end}");
        let line = site.line_about(from);
        assert!(line.found(&finding), "{finding} in {line:?}");
        assert_eq!(line.text("queue_id").len(), 14, "{line:?}");
    }
    assert!(site.send_to_alice("a@example.net", message("a@example.net", "clean", "No virus.")).is_accepted());
    assert_eq!(site.sink.wait_for(1).len(), 1);
}
