//! The packet as the filter sees it.

use bytemuck::AnyBitPattern;

/// The farthest offset at which anything is read: the kernel's verifier wants a bound below 64 KiB, and
/// what lies behind it is absent everywhere alike.
pub const FARTHEST: u32 = 0x7fff;

/// Bytes of one frame, starting at the Ethernet header. Every read is bounds-checked.
pub trait Frame {
    /// Whether a kernel program over such a packet has so much stack left in its short lane that it can ask the
    /// whole tracker of TCP.
    const LEAVES_STACK: bool = true;

    /// Length in bytes, of the whole super-packet if it is one; without a tag kept beside the frame.
    fn len(&self) -> u32;

    /// The VLAN tag (TCI) that the kernel keeps beside the frame, if there is one.
    fn vlan(&self) -> Option<u16>;

    /// Copies a value out of the frame; `None` if it does not lie wholly within, or beyond [`FARTHEST`].
    fn read<T: AnyBitPattern>(&self, offset: u32) -> Option<T>;

    /// Copies the first bytes of the frame, as many as there is room for and fit into 16 bits, and says how
    /// many; the rest stays as it was.
    #[inline(always)]
    fn capture<const ROOM: usize>(&self, into: &mut [u8; ROOM]) -> u16 {
        let mut captured = 0;
        for (offset, byte) in (0..).zip(into) {
            let Some(read) = self.read(offset) else { break };
            *byte = read;
            captured += 1;
        }
        captured
    }

    /// Whether the frame has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Frame for [u8] {
    fn len(&self) -> u32 {
        <[u8]>::len(self) as u32
    }

    fn vlan(&self) -> Option<u16> {
        None
    }

    fn read<T: AnyBitPattern>(&self, offset: u32) -> Option<T> {
        if offset > FARTHEST {
            return None;
        }
        let start = offset as usize;
        let bytes = self.get(start..start.checked_add(size_of::<T>())?)?;
        Some(bytemuck::pod_read_unaligned(bytes))
    }
}
