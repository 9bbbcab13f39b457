//! The base model: what Mailward knows before a site has taught it anything. `docs/model-card.md` says what it was trained
//! on and what it is worth; `make base-model` makes it anew.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `MWBASE01` |
//! | 4 + 4 | revision of the features, bits of the slots |
//! | 4 | weight of one step, 32-bit float |
//! | slots | steps, signed |
//! | 8 | XXH3 of all before |

use super::{
    features::{REVISION, SLOT_BITS},
    model::SLOTS,
    samples::Samples,
};
use std::sync::LazyLock;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"MWBASE01";
const HEADER: usize = 8 + 4 + 4 + 4;
const CHECKSUM: usize = 8;

/// How much a message that lies on the wrong side costs: more than where a site learns, as its labels were reviewed.
const COST: f64 = 2.0;

/// The one that is shipped.
pub(super) static BASE: LazyLock<Base> = LazyLock::new(|| Base::read(include_bytes!("base.bin")).unwrap_or_default());

/// Weights of the slots, each in steps of one size.
#[derive(Debug, Default)]
pub(super) struct Base {
    step: f32,
    steps: Vec<i8>,
}

impl Base {
    /// Weight of a slot.
    pub(super) fn weight(&self, slot: usize) -> f32 {
        self.steps.get(slot).map_or(0.0, |steps| f32::from(*steps) * self.step)
    }

    /// Reads the file; `None` if it is damaged or of another revision.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
        let (head, steps) = body.split_first_chunk::<HEADER>()?;
        let word = |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        let fits = head.starts_with(MAGIC) && (word(8), word(12)) == (REVISION, SLOT_BITS) && steps.len() == SLOTS;
        let is_whole = xxh3_64(body) == u64::from_le_bytes(*checksum);
        let steps = || steps.iter().map(|step| i8::from_le_bytes([*step])).collect();
        (fits && is_whole).then(|| Base { step: f32::from_bits(word(16)), steps: steps() })
    }
}

/// The file of a base model that is trained on these samples, without what weighs next to nothing.
pub fn train(samples: &Samples) -> Vec<u8> {
    let (weights, _) = samples.fit(COST, |_| 0.0);
    let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    let step = (largest / 127.0).max(f32::MIN_POSITIVE);
    let mut out = Vec::with_capacity(HEADER + SLOTS + CHECKSUM);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&REVISION.to_le_bytes());
    out.extend_from_slice(&SLOT_BITS.to_le_bytes());
    out.extend_from_slice(&step.to_bits().to_le_bytes());
    out.extend(weights.iter().map(|weight| ((weight / step).round() as i8).to_le_bytes()[0]));
    out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_base_model_can_be_read_and_knows_something() {
        let base = Base::read(include_bytes!("base.bin")).expect("a base model of this revision: `make base-model`");
        assert!(base.steps.iter().filter(|step| **step != 0).count() > 10_000);
    }

    #[test]
    fn a_damaged_base_model_is_none() {
        let mut bytes = include_bytes!("base.bin").to_vec();
        bytes[1_000] ^= 1;
        assert!(Base::read(&bytes).is_none());
        assert!(Base::read(&bytes[..10]).is_none());
    }
}
