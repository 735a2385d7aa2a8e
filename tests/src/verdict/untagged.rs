//! A frame as it is at tc of a tap: its outermost tag is beside it.

use bytemuck::AnyBitPattern;
use sg_common::wire::ethernet::is_tag;
use sg_common::wire::frame::Frame;

/// Bytes of both MACs, and of a tag behind them.
const MACS: usize = 12;
const TAG: usize = 4;

/// A frame whose outermost tag the kernel has taken out (`skb_vlan_untag`, `net/core/skbuff.c`).
#[derive(Clone, Debug)]
pub struct Untagged {
    vlan: Option<u16>,
    bytes: Vec<u8>,
}

impl Untagged {
    /// Takes the tag out of a frame, if it has one.
    #[must_use]
    pub fn new(frame: &[u8]) -> Self {
        let mut bytes = frame.to_vec();
        let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
        let tagged = word(MACS).is_some_and(is_tag) && frame.len() >= MACS + TAG + 2;
        let vlan = tagged.then(|| word(MACS + 2)).flatten();
        if vlan.is_some() {
            bytes.drain(MACS..MACS + TAG);
        }
        Self { vlan, bytes }
    }
}

impl Frame for Untagged {
    fn len(&self) -> u32 {
        self.bytes.len() as u32
    }

    fn vlan(&self) -> Option<u16> {
        self.vlan
    }

    fn read<T: AnyBitPattern>(&self, offset: u32) -> Option<T> {
        self.bytes.as_slice().read(offset)
    }
}
