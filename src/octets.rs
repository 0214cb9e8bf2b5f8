//! Octets that are moved within a buffer.

use core::ops::Range;

use dlms_axdr::BufferFull;

/// Copies the octets of `range` to where `to` is.
///
/// # Errors
/// They are not in the buffer, before or after.
#[inline(never)]
pub(crate) fn shift(buffer: &mut [u8], range: Range<usize>, to: usize) -> Result<(), BufferFull> {
    let length = buffer.get(range.clone()).ok_or(BufferFull)?.len();
    if buffer.len().checked_sub(length).is_none_or(|last| last < to) {
        return Err(BufferFull);
    }
    buffer.copy_within(range, to);
    Ok(())
}
