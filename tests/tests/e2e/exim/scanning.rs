//! The scanning service, asked by the processes of Exim.

use mailward_tests::clamd;
use mailward_tests::scan::Scan;
use mailward_tests::scratch::Scratch;

use super::{BY_ACL, BY_LOCAL_SCAN, Site, code};
use crate::site::message;

#[test]
fn the_service_scans_for_exim_and_its_lack_defers_mail() {
    for way in [BY_LOCAL_SCAN, BY_ACL] {
        let scratch = Scratch::new();
        let mut scan = Scan::start(&scratch, "", 1);
        let config = format!("[malware]\nscanning = \"{}\"\n", scan.address());
        let site = Site::builder_by(&scratch, way, &config).start();
        let eicar = String::from_utf8(clamd::eicar()).expect("it is text");
        let refused = site.send_to_alice("a@example.net", message("a@example.net", "eicar", &eicar));
        assert_eq!(code(refused.last()), "550 5.7.1", "{refused:?}");
        let reference = refused.last().to_string();
        let (_, reference) = reference.split_once("[ref ").expect("a reference");
        let explained = site.ask(&["explain", reference.trim_end_matches(']')]);
        assert!(explained.contains("malware.yara.eicar_test_file"), "{explained}");
        let good = || message("a@example.net", "good", "Good day.");
        assert!(site.send_to_alice("a@example.net", good()).is_accepted());
        scan.terminate();
        let deferred = site.send_to_alice("a@example.net", good());
        assert_eq!(code(deferred.last()), "451 4.7.1", "{deferred:?}");
        scan.restart();
        assert!(site.send_to_alice("a@example.net", good()).is_accepted());
    }
}
