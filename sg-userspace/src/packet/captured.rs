//! A frame of which perhaps only the first bytes are known.

use bytemuck::AnyBitPattern;
use sg_common::wire::frame::Frame;

/// A frame as it was captured. What lies behind its bytes is absent, although it is as long as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured<B> {
    /// Its first bytes, from the Ethernet header on.
    pub bytes: B,
    /// How many it has, without a tag kept beside it.
    pub length: u32,
    /// The tag (TCI) kept beside it.
    pub tag: Option<u16>,
}

impl<B: AsRef<[u8]>> Captured<B> {
    /// A frame of which all bytes are known.
    pub fn whole(bytes: B) -> Self {
        let length = bytes.as_ref().len();
        Self {
            length: u32::try_from(length).unwrap_or(u32::MAX),
            tag: None,
            bytes,
        }
    }
}

impl<B: AsRef<[u8]>> Frame for Captured<B> {
    fn len(&self) -> u32 {
        self.length
    }

    fn vlan(&self) -> Option<u16> {
        self.tag
    }

    fn read<T: AnyBitPattern>(&self, offset: u32) -> Option<T> {
        self.bytes.as_ref().read(offset)
    }
}
