//! Random bytes of the kernel. AWS-LC's generator measures the jitter of the processor before its first byte, which takes
//! some 60 ms: more than all else that opening an engine takes.

use rustix::rand::{GetRandomFlags, getrandom};
use std::io;

/// Fills all of `bytes` (getrandom(2)).
///
/// # Errors
///
/// If the kernel has no such call.
pub(crate) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(more) => filled += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_are_filled_and_no_two_times_alike() {
        let [mut first, mut second] = [[0; 1_000]; 2];
        fill(&mut first).expect("the kernel answers");
        fill(&mut second).expect("the kernel answers");
        assert_ne!(first, second);
        // A thousand random bytes end with sixteen zeros once in the age of the universe.
        assert_ne!(first[984..], [0; 16]);
    }
}
