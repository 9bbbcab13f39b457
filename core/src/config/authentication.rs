//! `[authentication]`.

use super::{diagnostic::Faults, reader::Table};
use crate::authentication::{ResultPoints, Settings};

/// Reads `[authentication]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let defaults = Settings::default();
    let mut table = root.section("authentication", faults);
    let expected = "a domain name such as \"example.com\"";
    let settings = Settings {
        authserv_id: table.parsed("authserv_id", expected, domain, faults),
        dkim_signatures: table.integer("dkim_signatures", 1..=50, defaults.dkim_signatures as u64, faults) as usize,
        trusted_arc_sealers: table.parsed_list("trusted_arc_sealers", expected, domain, faults).unwrap_or_default(),
        mailing_lists: table.parsed_list("mailing_lists", expected, domain, faults).unwrap_or_default(),
        dmarc: table.choice("dmarc", &["enforce", "observe"], defaults.dmarc, faults),
        dns_trouble: table.choice("dns_trouble", &["skip", "defer"], defaults.dns_trouble, faults),
        points: read_points(table.section("points", faults), faults),
    };
    table.finish(faults);
    settings
}

fn read_points(mut table: Table<'_>, faults: &mut Faults<'_>) -> ResultPoints {
    let d = ResultPoints::default();
    let mut points = |key, default| table.points(key, default, faults);
    let read = ResultPoints {
        spf_fail: points("spf_fail", d.spf_fail),
        spf_softfail: points("spf_softfail", d.spf_softfail),
        spf_permerror: points("spf_permerror", d.spf_permerror),
        spf_pass: points("spf_pass", d.spf_pass),
        spf_helo_fail: points("spf_helo_fail", d.spf_helo_fail),
        dkim_fail: points("dkim_fail", d.dkim_fail),
        dkim_pass_aligned: points("dkim_pass_aligned", d.dkim_pass_aligned),
        dkim_too_many: points("dkim_too_many", d.dkim_too_many),
        dmarc_fail: points("dmarc_fail", d.dmarc_fail),
        dmarc_quarantine: points("dmarc_quarantine", d.dmarc_quarantine),
        dmarc_reject: points("dmarc_reject", d.dmarc_reject),
        dmarc_permerror: points("dmarc_permerror", d.dmarc_permerror),
        from_missing: points("from_missing", d.from_missing),
        from_multiple: points("from_multiple", d.from_multiple),
        arc_fail: points("arc_fail", d.arc_fail),
    };
    table.finish(faults);
    read
}

fn domain(text: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii(text.trim().trim_matches('.')).ok()?;
    let fits = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (ascii.len() <= 253 && ascii.split('.').all(fits)).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::read_text, *};
    use crate::{authentication::DmarcMode, lookup::OnTrouble, verdict::Points};

    #[test]
    fn a_good_file_is_read_and_every_fault_of_a_bad_one_named() {
        let text = "[authentication]\nauthserv_id = \"MX.Example.com\"\ndmarc = \"observe\"\ndns_trouble = \"defer\"\n\
                    trusted_arc_sealers = [\"lists.example\"]\n[authentication.points]\nspf_fail = 4\n";
        let (settings, faults) = read_text(text, read);
        assert_eq!(faults, [""; 0]);
        assert_eq!(settings.authserv_id.as_deref(), Some("mx.example.com"));
        assert_eq!((settings.dmarc, settings.dns_trouble), (DmarcMode::Observe, OnTrouble::Defer));
        assert_eq!(settings.points.spf_fail, Points::hundredths(400));
        assert_eq!(settings.points.dkim_fail, ResultPoints::default().dkim_fail);
        let text = "[authentication]\nauthserv_id = \"a b\"\ndmarc = \"enforced\"\ndkim_signatures = 0\n\
                    [authentication.points]\nspf_fial = 4\n";
        let (settings, faults) = read_text(text, read);
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert_eq!(settings, Settings::default());
        assert_eq!(read_text("", read).0, Settings::default());
    }
}
