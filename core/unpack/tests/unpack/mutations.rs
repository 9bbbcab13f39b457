//! Damaged files of every format: nothing panics, and the bounds hold. `MAILWARD_MUTATION_SECONDS` says how long, 5 without it.

use crate::{report_of, samples};
use mailward_unpack::{Bound, Bounds, candidates};
use std::time::{Duration, Instant};

/// Numbers that are the same in every run (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// Small changes of the kinds that break parsers: bits, extreme numbers, pieces gone, doubled or moved.
fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut file = seed.to_vec();
    for _ in 0..=random.below(8) {
        if file.is_empty() {
            break;
        }
        let at = random.below(file.len());
        let end = (at + 1 + random.below(64)).min(file.len());
        match random.below(7) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = random.below(256) as u8,
            2 => file[at..end.min(at + 4)].fill([0, 0xff, 0x7f, 0x80][random.below(4)]),
            3 => file.truncate(at),
            4 => drop(file.drain(at..end)),
            5 => {
                let piece = file[at..end].to_vec();
                let to = random.below(file.len());
                file.splice(to..to, piece);
            }
            _ => file.swap(at, end - 1),
        }
    }
    file
}

#[test]
fn damaged_files_neither_panic_nor_leave_the_bounds() {
    let seconds = std::env::var("MAILWARD_MUTATION_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let bounds = Bounds { depth: 6, files: 300, bytes: 4 << 20, file_bytes: 2 << 20, ratio: 50 };
    let mut seeds: Vec<(&str, Vec<u8>)> =
        samples::built().into_iter().map(|(name, content, _)| (name, content)).collect();
    seeds.extend(samples::fixtures().map(|(name, content)| (name, content.to_vec())));
    // Images as they are, not packed: changes must reach them.
    let bare = |name: &str, content: &[u8]| {
        let mut found = None;
        let wanted = &name[..name.len() - 4];
        mailward_unpack::unpack(std::iter::once((name, content)), &Vec::new, &Bounds::default(), &mut |_, inside| {
            if let mailward_unpack::Found::File(file) = inside
                && file.name == wanted
            {
                found = Some(file.content[..file.content.len().min(900_000)].to_vec());
            }
        });
        found
    };
    let images: Vec<(&str, Vec<u8>)> = samples::fixtures()
        .filter(|(name, _)| name.ends_with(".zst"))
        .filter_map(|(name, content)| Some((name, bare(name, content)?)))
        .collect();
    seeds.extend(images);
    let passwords = candidates("Password: Sommer-23");
    let (started, mut random, mut runs) = (Instant::now(), Random(0x9e37_79b9_7f4a_7c15), 0);
    while started.elapsed() < Duration::from_secs(seconds) {
        for (name, seed) in &seeds {
            let file = mutated(seed, &mut random);
            let report = report_of(name, &file, &passwords[..2], &bounds);
            assert!(!report.cuts.contains(&Bound::Parser), "a parser panicked: {name}, run {runs}");
            assert!(report.bytes <= bounds.bytes && report.paths.len() <= bounds.files, "{name}, run {runs}");
        }
        runs += 1;
    }
    assert!(runs > 0);
}
