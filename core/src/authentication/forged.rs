//! Fields that claim to be ours (RFC 8601 §5).

use super::fields::{authserv_id, tokens};

/// Occurrences, counted from 1, of Authentication-Results fields that bear our authserv-id although we did not write
/// them: they are to be removed before ours is added. Headers stand in the order of the message.
pub fn forged<'h>(our_id: &str, headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Vec<u32> {
    let ours = normal(our_id);
    (1..)
        .zip(headers.filter(|(name, _)| name.trim_ascii().eq_ignore_ascii_case(b"Authentication-Results")))
        .filter(|(_, (_, value))| authserv_id(&tokens(value)).is_some_and(|id| normal(id) == ours))
        .map(|(occurrence, _)| occurrence)
        .collect()
}

fn normal(id: &str) -> String {
    let id = id.trim().trim_end_matches('.');
    idna::domain_to_ascii(id).unwrap_or_else(|_| id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forged_of(values: &[&str]) -> Vec<u32> {
        let headers = values.iter().map(|value| (&b"authentication-RESULTS"[..], value.as_bytes()));
        forged("mx.ours.test", [(&b"Subject"[..], &b"mx.ours.test;"[..])].into_iter().chain(headers))
    }

    #[test]
    fn every_way_to_write_our_name_is_a_forgery() {
        let ours = [
            " mx.ours.test; spf=pass",
            "MX.Ours.TEST 1; dkim=pass",
            " (a (nested \\) comment)) mx.ours.test (x); none",
            "\r\n\tmx.ours.test\r\n\t; none",
            " \"mx.ours.test\"; none",
            "mx.ours.test.; none",
            "mx.ours.test",
            "mx.ours.test;;;",
            " \"mx.\\ours.test\" ; none",
        ];
        assert_eq!(forged_of(&ours), (1..=ours.len() as u32).collect::<Vec<_>>());
    }

    #[test]
    fn results_of_others_stay() {
        let others =
            ["mx.other.test; spf=pass", "other (mx.ours.test); none", "", ";", "x=mx.ours.test", "(mx.ours.test"];
        assert_eq!(forged_of(&others), [0; 0]);
        assert_eq!(forged_of(&["mx.other.test; x", "mx.ours.test; x", "a.test; x", "mx.ours.test; y"]), [2, 4]);
    }

    #[test]
    fn hostile_fields_end_in_bounded_time() {
        let deep = "(".repeat(1 << 20);
        let quote = format!("\"{}", "\\".repeat(1 << 20));
        assert_eq!(forged_of(&[&deep, &quote]), [0; 0]);
    }
}
