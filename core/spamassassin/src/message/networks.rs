//! Networks as rule files write them: `192.168/16`, `!10.0.0.1`, `2001:db8::/32`, `127.`.

use std::net::IpAddr;

/// Networks; the first that holds an address decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Networks(Vec<Network>);

#[derive(Debug, Clone, Copy)]
struct Network {
    /// Address bits, IPv4 as mapped into IPv6 (RFC 4291 §2.5.5.2).
    bits: u128,
    /// Length of the prefix. Unit: bits of 128.
    length: u32,
    excluded: bool,
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    }
}

impl Networks {
    /// Adds a network. The error says what is wrong.
    pub(crate) fn add(&mut self, written: &str) -> Result<(), String> {
        let wrong = || format!("{written:?} is no network");
        let (excluded, text) = written.strip_prefix('!').map_or((false, written), |text| (true, text));
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let length = length.map(|length| length.parse::<u32>().map_err(|_| wrong())).transpose()?;
        let (address, offset, known): (IpAddr, u32, u32) = if address.contains(':') {
            (address.parse().map_err(|_| wrong())?, 0, 128)
        } else {
            let given: Vec<&str> = address.trim_end_matches('.').split('.').collect();
            if given.len() > 4 {
                return Err(wrong());
            }
            let mut full = given.join(".");
            (given.len()..4).for_each(|_| full.push_str(".0"));
            (full.parse().map_err(|_| wrong())?, 96, given.len() as u32 * 8)
        };
        let length = length.unwrap_or(known);
        if length + offset > 128 {
            return Err(wrong());
        }
        self.0.push(Network { bits: bits(address), length: length + offset, excluded });
        Ok(())
    }

    /// Whether the address is in them.
    pub(crate) fn hold(&self, address: IpAddr) -> bool {
        let address = bits(address);
        let inside = |network: &&Network| {
            let shift = 128 - network.length;
            network.length == 0 || address >> shift == network.bits >> shift
        };
        // Exclusions may stand behind the network that they cut from.
        let mut found = self.0.iter().filter(inside).peekable();
        found.peek().is_some() && found.all(|network| !network.excluded)
    }
}

/// Whether an address is no address of the internet (RFC 1918, RFC 4193 and others).
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [one, two, ..] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || (one == 100 && (64..128).contains(&two))
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_private(IpAddr::V4(mapped)),
            None => {
                address.is_loopback()
                    || address.segments()[0] & 0xfe00 == 0xfc00
                    || address.segments()[0] & 0xffc0 == 0xfe80
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_may_be_written_short() {
        let mut networks = Networks::default();
        for network in ["192.168/16", "127.", "!192.168.7.1", "2001:db8::/32", "198.51.100.7"] {
            networks.add(network).expect(network);
        }
        for (address, held) in [
            ("192.168.3.4", true),
            ("192.168.7.1", false),
            ("127.0.0.9", true),
            ("2001:db8::9", true),
            ("198.51.100.8", false),
        ] {
            assert_eq!(networks.hold(address.parse().expect(address)), held, "{address}");
        }
        assert!(networks.add("1.2.3.4.5").is_err() && networks.add("10/40").is_err());
        assert!(
            is_private("10.1.1.1".parse().expect("an address")) && !is_private("8.8.8.8".parse().expect("an address"))
        );
    }
}
