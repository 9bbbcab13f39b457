//! Sets of networks that are searched in logarithmic time.

use ipnet::IpNet;
use std::net::IpAddr;

/// Networks of both families as sorted ranges that do not touch. IPv4-mapped IPv6 networks count as IPv4.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkSet {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

/// Most faults that are reported of one list. Unit: lines. Source: our own limit, one screen.
const FAULTS: usize = 20;

impl NetworkSet {
    /// Reads a list: one network or address a line; `#` and `;` start a comment.
    ///
    /// # Errors
    ///
    /// `line: what is wrong`, for the first twenty faults.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut set = NetworkSet::default();
        let mut faults = Vec::new();
        let mut more = 0;
        for (index, line) in text.lines().enumerate() {
            let entry = line.split(['#', ';']).next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            match parse_network(entry) {
                Some(network) => set.push(network),
                None if faults.len() < FAULTS => {
                    let shown: String = entry.chars().take(60).collect();
                    faults.push(format!("{}: {shown:?} is not an address or network", index + 1));
                }
                None => more += 1,
            }
        }
        if more > 0 {
            faults.push(format!(" and {more} more lines are no addresses or networks"));
        }
        if faults.is_empty() { Ok(set.merged()) } else { Err(faults) }
    }

    /// Whether an address is in the set.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.find(ip).is_some()
    }

    /// The range that holds an address: its first and last address.
    pub fn find(&self, ip: IpAddr) -> Option<(IpAddr, IpAddr)> {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                find(&self.v4, u32::from(ip)).map(|(first, last)| (IpAddr::V4(first.into()), IpAddr::V4(last.into())))
            }
            IpAddr::V6(ip) => {
                find(&self.v6, u128::from(ip)).map(|(first, last)| (IpAddr::V6(first.into()), IpAddr::V6(last.into())))
            }
        }
    }

    /// Number of ranges.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is no range.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&mut self, network: IpNet) {
        match network {
            IpNet::V4(v4) => self.v4.push((v4.network().into(), v4.broadcast().into())),
            IpNet::V6(v6) => match v6.network().to_ipv4_mapped().zip(v6.broadcast().to_ipv4_mapped()) {
                Some((first, last)) => self.v4.push((first.into(), last.into())),
                None => self.v6.push((v6.network().into(), v6.broadcast().into())),
            },
        }
    }

    fn merged(mut self) -> Self {
        self.v4 = merge(self.v4, |last| last.checked_add(1));
        self.v6 = merge(self.v6, |last| last.checked_add(1));
        self
    }
}

impl FromIterator<IpNet> for NetworkSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        let mut set = NetworkSet::default();
        networks.into_iter().for_each(|network| set.push(network));
        set.merged()
    }
}

/// A network such as `192.0.2.0/24`, or an address alone; bits behind the prefix are ignored.
pub fn parse_network(text: &str) -> Option<IpNet> {
    if text.contains('/') { text.parse().ok() } else { text.parse::<IpAddr>().ok().map(IpNet::from) }
}

fn merge<T: Ord + Copy>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    ranges.dedup_by(|later, kept| {
        let touches = next(kept.1).is_none_or(|after| later.0 <= after);
        if touches {
            kept.1 = kept.1.max(later.1);
        }
        touches
    });
    ranges.shrink_to_fit();
    ranges
}

fn find<T: Ord + Copy>(ranges: &[(T, T)], ip: T) -> Option<(T, T)> {
    let at = ranges.partition_point(|&(first, _)| first <= ip).checked_sub(1)?;
    ranges.get(at).copied().filter(|&(_, last)| ip <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(set: &NetworkSet, ip: &str) -> bool {
        set.contains(ip.parse().expect("an address"))
    }

    #[test]
    fn a_list_knows_its_networks_and_no_neighbour() {
        let set = NetworkSet::parse(
            "# ours\n192.0.2.0/25 ; half\n192.0.2.128/25\n198.51.100.7\n2001:db8::/32\n::ffff:203.0.113.0/120\n\
             0.0.0.0\n255.255.255.255\n192.0.2.9\n",
        )
        .expect("a list");
        for ip in ["192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8:ffff::1", "203.0.113.9", "255.255.255.255"] {
            assert!(has(&set, ip), "{ip}");
        }
        for ip in ["192.0.1.255", "192.0.3.0", "198.51.100.6", "198.51.100.8", "2001:db9::", "203.0.114.0", "0.0.0.1"] {
            assert!(!has(&set, ip), "{ip}");
        }
        assert_eq!(set.len(), 6, "neighbours are one range");
    }

    #[test]
    fn everything_is_one_range() {
        let set = NetworkSet::parse("0.0.0.0/0\n10.0.0.0/8\n::/0\n").expect("a list");
        assert_eq!(set.len(), 2);
        assert!(has(&set, "255.255.255.255") && has(&set, "ffff::1"));
    }

    #[test]
    fn faults_of_a_list_are_named_by_line_and_bounded() {
        let faults = NetworkSet::parse("192.0.2.1\n192.0.2.0/33\nhost.example\n").expect_err("faults");
        assert_eq!(faults.len(), 2);
        assert!(faults[0].starts_with("2: "), "{}", faults[0]);
        let faults = NetworkSet::parse(&"x\n".repeat(1000)).expect_err("faults");
        assert_eq!(faults.len(), FAULTS + 1);
    }

    #[test]
    fn a_million_entries_load_and_are_found() {
        let text: String =
            (0..1_000_000u32).map(|i| format!("{}\n", std::net::Ipv4Addr::from(i.wrapping_mul(4_001)))).collect();
        let start = std::time::Instant::now();
        let set = NetworkSet::parse(&text).expect("a list");
        println!("{} ranges in {:?}", set.len(), start.elapsed());
        assert_eq!(set.len(), 1_000_000);
        assert!(set.contains(IpAddr::V4(4_001u32.into())));
        assert!(!set.contains(IpAddr::V4(4_002u32.into())));
    }
}
