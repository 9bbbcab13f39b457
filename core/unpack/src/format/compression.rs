//! Compressors of one stream, which several formats share.

use lzma_rust2::{LzmaReader, XzReader};
use ruzstd::decoding::StreamingDecoder;
use std::io::{Error, ErrorKind, Read, Result};

/// Largest part of the memory that an unpacker may have, in the unit of lzma-rust2. Unit: KiB.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

/// Undoes Deflate (RFC 1951).
pub(crate) fn deflate(packed: &[u8]) -> impl Read {
    flate2::bufread::DeflateDecoder::new(packed)
}

/// Undoes Deflate64, which has no public text.
pub(crate) fn deflate64(packed: &[u8]) -> impl Read {
    deflate64::Deflate64Decoder::with_buffer(packed)
}

/// Undoes zlib (RFC 1950).
pub(crate) fn zlib(packed: &[u8]) -> impl Read {
    flate2::bufread::ZlibDecoder::new(packed)
}

/// Undoes bzip2, several streams behind each other.
pub(crate) fn bzip2(packed: &[u8]) -> impl Read {
    bzip2::bufread::MultiBzDecoder::new(packed)
}

/// Undoes xz within bounds of memory.
pub(crate) fn xz(packed: &[u8], dictionary_bytes: usize) -> impl Read {
    XzReader::new_mem_limit(packed, true, kib(dictionary_bytes))
}

/// Undoes LZMA whose header is that of a `.lzma` file: properties, dictionary, size.
pub(crate) fn lzma(packed: &[u8], dictionary_bytes: usize) -> Result<impl Read> {
    LzmaReader::new_mem_limit(packed, kib(dictionary_bytes), None)
}

/// Undoes LZMA whose properties stand elsewhere; `size` is `None` if an end mark follows.
pub(crate) fn bare_lzma<'p>(
    packed: &'p [u8],
    properties: &[u8],
    size: Option<u64>,
    dictionary_bytes: usize,
) -> Result<impl Read + use<'p>> {
    let [properties, dictionary @ ..] = properties else { return Err(ErrorKind::InvalidData.into()) };
    let dictionary = crate::bytes::u32_le(dictionary, 0).ok_or(ErrorKind::InvalidData)?;
    within(u64::from(dictionary), dictionary_bytes)?;
    LzmaReader::new_with_props(packed, size.unwrap_or(u64::MAX), *properties, dictionary.max(4096), None)
}

/// Undoes Zstandard (RFC 8878), several frames behind each other.
pub(crate) fn zstd(packed: &[u8], dictionary_bytes: usize) -> impl Read {
    Zstd { rest: packed, frame: None, dictionary_bytes }
}

/// Frames of Zstandard behind each other.
struct Zstd<'p> {
    rest: &'p [u8],
    frame: Option<Box<StreamingDecoder<&'p [u8], ruzstd::decoding::FrameDecoder>>>,
    dictionary_bytes: usize,
}

impl Read for Zstd<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            if let Some(mut frame) = self.frame.take() {
                let read = frame.read(out)?;
                if read > 0 || out.is_empty() {
                    self.frame = Some(frame);
                    return Ok(read);
                }
                self.rest = frame.into_inner();
            }
            self.skip_frames_of_others();
            if self.rest.is_empty() {
                return Ok(0);
            }
            within(zstd_window(self.rest).ok_or(ErrorKind::InvalidData)?, self.dictionary_bytes)?;
            let frame = StreamingDecoder::new(self.rest).map_err(|_| Error::from(ErrorKind::InvalidData))?;
            self.frame = Some(Box::new(frame));
        }
    }
}

impl Zstd<'_> {
    /// Skippable frames (RFC 8878 §3.1.2).
    fn skip_frames_of_others(&mut self) {
        while self.rest.get(1..4) == Some(b"\x2a\x4d\x18") && self.rest[0] & 0xf0 == 0x50 {
            let length = crate::bytes::u32_le(self.rest, 4).map_or(usize::MAX, |length| length as usize);
            self.rest = self.rest.get(length.saturating_add(8)..).unwrap_or_default();
        }
    }
}

/// Memory that a frame wants (RFC 8878 §3.1.1.1).
fn zstd_window(frame: &[u8]) -> Option<u64> {
    let descriptor = *frame.get(4)?;
    if descriptor & 0x20 == 0 {
        let window = u64::from(*frame.get(5)?);
        let base = 1 << (10 + (window >> 3));
        return Some(base + base / 8 * (window & 7));
    }
    let at = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
    match descriptor >> 6 {
        0 => frame.get(at).map(|size| u64::from(*size)),
        1 => crate::bytes::u16_le(frame, at).map(|size| u64::from(size) + 256),
        2 => crate::bytes::u32_le(frame, at).map(u64::from),
        _ => crate::bytes::u64_le(frame, at),
    }
}

/// `OutOfMemory` if an unpacker wants more memory than it may have.
pub(crate) fn within(wanted: u64, bytes: usize) -> Result<()> {
    if wanted > bytes as u64 { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
}
