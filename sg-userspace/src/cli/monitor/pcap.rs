//! Events as pcapng, for Wireshark: an interface for each port, and with each packet as its comment what the filter
//! has said of it.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use pcap_file::{
    DataLink, Endianness, PcapError,
    pcapng::{
        PcapNgBlock, PcapNgWriter,
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
            interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption},
            section_header::{SectionHeaderBlock, SectionHeaderOption},
        },
    },
};
use sg_common::layout::events::CAPTURED;

use super::{Line, names::Names};
use crate::{
    error::{Error, Result},
    packet::from_hex,
    plain::plain,
    view::{EventAction, LostView, PacketView},
};

/// Moments are powers of ten of a second: nanoseconds, as the writer counts.
const NANOSECONDS: u8 = 9;

/// `epb_flags`: which way a packet went, seen from the interface.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// A file that is written, and what of it nobody has taken yet.
pub struct Capture {
    writer: PcapNgWriter<Vec<u8>>,
    interfaces: BTreeMap<String, Interface>,
}

/// A port in the file.
#[derive(Clone, Copy)]
struct Interface {
    number: u32,
    lost: u64,
}

impl Capture {
    /// A file that begins.
    pub fn new() -> Result<Self> {
        let program = concat!("sgctl ", env!("CARGO_PKG_VERSION"));
        let section = SectionHeaderBlock {
            // In the other order of bytes the library writes the halves of a moment the wrong way round.
            endianness: Endianness::Big,
            options: vec![SectionHeaderOption::UserApplication(program.into())],
            ..SectionHeaderBlock::default()
        };
        let writer = PcapNgWriter::with_section_header(Vec::new(), section).map_err(failed)?;
        Ok(Self {
            writer,
            interfaces: BTreeMap::new(),
        })
    }

    /// Writes an event.
    pub fn write(&mut self, line: &Line, names: &Names) -> Result<()> {
        match line {
            Line::Packet(packet) => self.packet(packet, names),
            Line::Lost(lost) => self.lost(lost, names),
        }
    }

    /// What was written and not taken yet: whole blocks.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.get_mut())
    }

    fn packet(&mut self, packet: &PacketView, names: &Names) -> Result<()> {
        if packet.action == Some(EventAction::End) {
            // It is no packet.
            return Ok(());
        }
        let interface = self.interface(&packet.port, names)?;
        let Ok(bytes) = from_hex(&packet.frame) else {
            return Ok(());
        };
        let (bytes, length) = with_tag(bytes, packet);
        let way = match packet.direction.as_str() {
            "ingress" => OUTBOUND,
            _ => INBOUND,
        };
        self.block(EnhancedPacketBlock {
            interface_id: interface.number,
            timestamp: moment(&packet.time),
            original_len: length,
            data: Cow::Owned(bytes),
            options: vec![
                EnhancedPacketOption::Comment(comment(packet, names).into()),
                EnhancedPacketOption::Flags(way),
            ],
        })
    }

    /// How many were lost at an interface until now, as its statistics.
    fn lost(&mut self, lost: &LostView, names: &Names) -> Result<()> {
        let mut interface = self.interface(&lost.port, names)?;
        interface.lost += lost.lost;
        self.interfaces.insert(lost.port.clone(), interface);
        let comment = format!("{}: {}", lost.count(), lost.advice());
        self.block(InterfaceStatisticsBlock {
            interface_id: interface.number,
            timestamp: u64::try_from(moment(&lost.time).as_nanos()).unwrap_or(u64::MAX),
            options: vec![
                InterfaceStatisticsOption::Comment(comment.into()),
                InterfaceStatisticsOption::IsbIfDrop(interface.lost),
            ],
        })
    }

    /// The interface of a port, which is described before it is used.
    fn interface(&mut self, port: &str, names: &Names) -> Result<Interface> {
        if let Some(interface) = self.interfaces.get(port) {
            return Ok(*interface);
        }
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let interface = Interface { number, lost: 0 };
        let name = names.interface(port).unwrap_or_else(|| plain(port));
        let description = format!("port {} ({})", names.port(port), plain(port));
        self.block(InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            // With a tag that the kernel keeps beside the frame.
            snaplen: (CAPTURED + TAG) as u32,
            options: vec![
                InterfaceDescriptionOption::IfName(name.into()),
                InterfaceDescriptionOption::IfDescription(description.into()),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        })?;
        self.interfaces.insert(port.to_owned(), interface);
        Ok(interface)
    }

    fn block<'a>(&mut self, block: impl PcapNgBlock<'a>) -> Result<()> {
        let written = self.writer.write_pcapng_block(block);
        written.map(drop).map_err(failed)
    }
}

/// Bytes of a VLAN tag.
const TAG: usize = 4;

/// The frame as it is on a wire: a tag that was kept beside it stands where it belongs.
fn with_tag(mut bytes: Vec<u8>, packet: &PacketView) -> (Vec<u8>, u32) {
    const PLACE: usize = 12;
    let stands = matches!(
        bytes.get(PLACE..PLACE + 2),
        Some([0x81, 0x00] | [0x88, 0xa8])
    );
    match packet.vlan {
        Some(vlan) if !stands && bytes.len() >= PLACE => {
            let [high, low] = vlan.to_be_bytes();
            bytes.splice(PLACE..PLACE, [0x81, 0x00, high, low]);
            (bytes, packet.length + TAG as u32)
        }
        _ => (bytes, packet.length),
    }
}

fn comment(packet: &PacketView, names: &Names) -> String {
    format!(
        "{} {} at {}, {}: {}",
        packet.action.map_or("-", EventAction::as_str),
        plain(&packet.reason),
        names.port(&packet.port),
        plain(&packet.direction),
        packet.sentence()
    )
}

/// A moment since 1970; 1970, if it is none.
fn moment(time: &str) -> Duration {
    let moment = time.parse::<Timestamp>().unwrap_or_default();
    Duration::try_from(moment.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
}

fn failed(error: PcapError) -> Error {
    Error::System {
        action: "writing pcapng",
        source: std::io::Error::other(error),
    }
}
