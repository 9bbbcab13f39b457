//! The scanning service: does it run, does it scan by the same settings, does it find the test file?

use super::{CHECK, QUICK, report::Check};
use mailward_core::{
    config::Config,
    lookup::{
        Deadline, Outcome,
        scan::{SERVICE, ScanService},
    },
    malware::{self, ScanAnswer, Scanning},
};
use std::{path::Path, sync::Arc};

const AREA: &str = "scan";

pub(super) async fn check(config: Arc<Config>) -> Vec<Check> {
    let (path, must) = match &config.malware.scanning {
        Scanning::InProcess => {
            return vec![Check::skipped(AREA, "rules for malware run in this process, as configured")];
        }
        Scanning::Auto => (Path::new(SERVICE), false),
        Scanning::Service(path) => (path.as_path(), true),
    };
    let name = path.display();
    let mut service = match Deadline::after(QUICK).bound(ScanService::reach(path)).await {
        Outcome::Done(Ok(service)) => service,
        Outcome::Done(Err(_)) if !must && !path.exists() => {
            let says = format!("no service at {name}: rules for malware run in Mailward's own process");
            return vec![Check::skipped(AREA, says)];
        }
        trouble => {
            let why = match trouble {
                Outcome::Done(Err(error)) => error.to_string(),
                _ => "no greeting in time".to_owned(),
            };
            let advice = "start mailward-scan, and see that this user is in the group of its socket";
            let says = format!("{name} does not answer: {why}");
            return vec![if must { Check::problem(AREA, says, advice) } else { Check::warning(AREA, says, advice) }];
        }
    };
    if service.rules != malware::rules(&config.malware) {
        let says = format!("{name} (version {}) scans by other settings", service.version);
        let advice = "start it with this configuration, or reload it; the versions must be the same";
        return vec![if must { Check::problem(AREA, says, advice) } else { Check::warning(AREA, says, advice) }];
    }
    let mail = format!("Subject: test\r\n\r\n{}\r\n", malware::test_file());
    let answer = Deadline::after(CHECK).bound(service.scan::<ScanAnswer>(mail.as_bytes())).await;
    vec![match answer {
        Outcome::Done(Ok(Ok(report))) if !report.hits.is_empty() => {
            Check::ok(AREA, format!("{name} answers and finds the EICAR test file"))
        }
        Outcome::Done(Ok(Ok(_))) => {
            Check::problem(AREA, format!("{name} does not find the EICAR test file"), "report this as a bug")
        }
        other => {
            let why = match other {
                Outcome::Done(Ok(Err(why))) => why,
                Outcome::Done(Err(error)) => error.to_string(),
                _ => "no answer in time".to_owned(),
            };
            Check::problem(AREA, format!("{name} did not scan: {why}"), "see the log of mailward-scan")
        }
    }]
}
