//! Small databases in MaxMind's format, as their specification describes it (maxmind.github.io/MaxMind-DB).

use std::net::{IpAddr, Ipv6Addr};

/// Bytes between search tree and data.
const SEPARATOR: usize = 16;

/// Where a branch of the search tree leads.
#[derive(Clone, Copy)]
enum Branch {
    Nowhere,
    Node(usize),
    /// Offset in the data section.
    Data(usize),
}

/// A database of this type whose records hold one number under `field`. Networks are written as `192.0.2.0/24`.
///
/// # Panics
/// If a network is none.
pub fn database(database_type: &str, field: &str, networks: &[(&str, u32)]) -> Vec<u8> {
    file(database_type, networks, |data, number| {
        data.push(0xe1);
        string(data, field);
        data.push(0xc4);
        data.extend(number.to_be_bytes());
    })
}

/// A database of countries by ISO 3166-1.
///
/// # Panics
/// If a network is none.
pub fn countries(networks: &[(&str, &str)]) -> Vec<u8> {
    file("Test-Country", networks, |data, code| {
        data.push(0xe1);
        string(data, "country");
        data.push(0xe1);
        string(data, "iso_code");
        string(data, code);
    })
}

fn file<R>(database_type: &str, networks: &[(&str, R)], record: impl Fn(&mut Vec<u8>, &R)) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nowhere; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let offset = data.len();
        record(&mut data, value);
        insert(&mut nodes, network, offset);
    }
    let mut file = Vec::new();
    for branch in nodes.iter().flatten() {
        let value = match *branch {
            Branch::Nowhere => nodes.len(),
            Branch::Node(node) => node,
            Branch::Data(offset) => nodes.len() + SEPARATOR + offset,
        };
        file.extend(&u32::try_from(value).expect("a small file").to_be_bytes()[1..]);
    }
    file.extend([0; SEPARATOR]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.push(0xe9);
    for (name, value) in [("binary_format_major_version", 2_u16), ("binary_format_minor_version", 0)] {
        string(&mut file, name);
        short(&mut file, value);
    }
    string(&mut file, "build_epoch");
    file.extend([0x08, 0x02]);
    file.extend(1_700_000_000_u64.to_be_bytes());
    string(&mut file, "database_type");
    string(&mut file, database_type);
    string(&mut file, "description");
    file.push(0xe0);
    string(&mut file, "ip_version");
    short(&mut file, 6);
    string(&mut file, "languages");
    file.extend([0x00, 0x04]);
    string(&mut file, "node_count");
    file.push(0xc4);
    file.extend(u32::try_from(nodes.len()).expect("a small file").to_be_bytes());
    string(&mut file, "record_size");
    short(&mut file, 24);
    file
}

fn insert(nodes: &mut Vec<[Branch; 2]>, network: &str, offset: usize) {
    let (address, length) = network.split_once('/').expect("a network has a prefix length");
    let length: usize = length.parse().expect("a prefix length");
    // IPv4 lies in ::/96.
    let (bits, length) = match address.parse().expect("an address") {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), length + 96),
        IpAddr::V6(v6) => (u128::from(Ipv6Addr::from(v6.octets())), length),
    };
    let mut node = 0;
    for depth in 0..length {
        let side = (bits >> (127 - depth) & 1) as usize;
        if depth + 1 == length {
            nodes[node][side] = Branch::Data(offset);
            return;
        }
        node = match nodes[node][side] {
            Branch::Node(next) => next,
            _ => {
                nodes.push([Branch::Nowhere; 2]);
                let next = nodes.len() - 1;
                nodes[node][side] = Branch::Node(next);
                next
            }
        };
    }
}

fn string(bytes: &mut Vec<u8>, text: &str) {
    match u8::try_from(text.len()).expect("a short text") {
        short @ 0..29 => bytes.push(0x40 | short),
        long => bytes.extend([0x40 | 29, long - 29]),
    }
    bytes.extend(text.as_bytes());
}

fn short(bytes: &mut Vec<u8>, value: u16) {
    bytes.push(0xa2);
    bytes.extend(value.to_be_bytes());
}
