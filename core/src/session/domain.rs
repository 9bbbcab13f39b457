//! Names of domains.

/// The part of a domain that somebody registered, by the public suffix list: `example.co.uk` of `www.example.co.uk`. The
/// whole name if there is no such part. Lower case is expected.
pub fn registered(domain: &str) -> &str {
    psl::domain_str(domain).unwrap_or(domain)
}
