//! Byte strings that cross the border, and structs that grow.

use crate::error::Failure;
use std::{
    ffi::{CStr, OsStr, c_char},
    mem::{MaybeUninit, size_of},
    os::unix::ffi::OsStrExt,
    path::Path,
};

/// `mw_text_t`: bytes with their length. Mail is not UTF-8 and may hold NUL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// First byte; may be NULL if `len` is 0.
    pub data: *const c_char,
    /// Number of bytes.
    pub len: usize,
}

impl Text {
    /// No text; `data` points to a NUL all the same, so that it can be printed.
    pub(crate) const EMPTY: Text = Text { data: c"".as_ptr(), len: 0 };

    /// A view of bytes that their owner keeps.
    pub(crate) fn of(text: &str) -> Self {
        Text::of_bytes(text.as_bytes())
    }

    /// The same for what is not text in UTF-8.
    pub(crate) fn of_bytes(text: &[u8]) -> Self {
        if text.is_empty() { Text::EMPTY } else { Text { data: text.as_ptr().cast(), len: text.len() } }
    }

    /// The bytes; empty for a NULL pointer of length 0.
    ///
    /// # Safety
    ///
    /// `data` points to `len` bytes that nobody changes during `'a`, or is NULL.
    pub(crate) unsafe fn bytes<'a>(self, name: &str) -> Result<&'a [u8], Failure> {
        if self.len == 0 {
            return Ok(&[]);
        }
        if self.data.is_null() || isize::try_from(self.len).is_err() {
            return Err(Failure::argument(format!("{name}: data is NULL, or len is too large")));
        }
        // SAFETY: not NULL; the caller of this function promises that `len` bytes stand there.
        Ok(unsafe { std::slice::from_raw_parts(self.data.cast(), self.len) })
    }

    /// Words of the host itself, such as a host name; `None` for none.
    ///
    /// # Safety
    ///
    /// As for [`Text::bytes`].
    pub(crate) unsafe fn word(self, name: &str) -> Result<Option<String>, Failure> {
        // SAFETY: the same promise.
        let bytes = unsafe { self.bytes(name) }?;
        Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned()))
    }
}

/// A file name; `None` for NULL.
///
/// # Safety
///
/// `path` is NULL or ends with a NUL, and nobody changes it during `'a`.
pub(crate) unsafe fn path<'a>(path: *const c_char) -> Option<&'a Path> {
    if path.is_null() {
        return None;
    }
    // SAFETY: not NULL; the caller of this function promises the NUL at its end.
    Some(Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes())))
}

/// A struct of the header whose first member is its size.
///
/// # Safety
///
/// `repr(C)`, the first member is a `usize`, and all bytes zero are a value of it.
pub(crate) unsafe trait Sized1st: Copy {}

/// Reads a struct that may be of an older or a newer header: members that are missing are zero, members that this
/// library does not know must be zero. NULL means all zero.
///
/// # Safety
///
/// `given` is NULL or points to as many bytes as its first member says.
pub(crate) unsafe fn sized<T: Sized1st>(given: *const T, name: &str) -> Result<T, Failure> {
    let mut known = MaybeUninit::<T>::zeroed();
    if !given.is_null() {
        // SAFETY: the caller of this function promises at least the first member, which is a usize.
        let size = unsafe { given.cast::<usize>().read() };
        if size < size_of::<usize>() || size > 1 << 16 {
            return Err(Failure::argument(format!("{name}: struct_size is {size}; begin with the _INIT macro")));
        }
        let common = size.min(size_of::<T>());
        // SAFETY: `size` bytes stand at `given`, and `common` is no more than that and than `T` has.
        unsafe { std::ptr::copy_nonoverlapping(given.cast::<u8>(), known.as_mut_ptr().cast::<u8>(), common) };
        // SAFETY: within the `size` bytes that the caller promises.
        let rest = unsafe { std::slice::from_raw_parts(given.cast::<u8>().add(common), size - common) };
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Failure::argument(format!("{name}: a member is set that this version of the library lacks")));
        }
    }
    // SAFETY: all bytes are zero or those of a `T` of the caller; `Sized1st` promises that zero is a value.
    Ok(unsafe { known.assume_init() })
}
