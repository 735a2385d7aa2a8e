//! A packet out of a capture, in either form of libpcap.

use pcap_file::{
    DataLink, PcapError,
    pcap::PcapReader,
    pcapng::{Block, PcapNgReader},
};

use super::Captured;

/// With this begins pcapng, whatever its order of bytes.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// The packet of a number, counted from 1 as Wireshark does.
///
/// # Errors
///
/// A sentence: it is no capture of Ethernet frames, or has no such packet.
pub fn packet_of(capture: &[u8], number: usize) -> Result<Captured<Vec<u8>>, String> {
    let mut count = 0;
    let mut is_it = || {
        count += 1;
        count == number
    };
    let found = match capture.starts_with(&SECTION_HEADER) {
        true => in_pcapng(capture, &mut is_it)?,
        false => in_pcap(capture, &mut is_it)?,
    };
    found.ok_or_else(|| format!("it has no packet {number}, but {count} packets"))
}

fn in_pcap(
    capture: &[u8],
    is_it: &mut impl FnMut() -> bool,
) -> Result<Option<Captured<Vec<u8>>>, String> {
    let mut reader = PcapReader::new(capture).map_err(broken)?;
    ethernet(reader.header().datalink)?;
    while let Some(packet) = reader.next_packet() {
        let packet = packet.map_err(broken)?;
        if is_it() {
            return Ok(Some(captured(&packet.data, packet.orig_len)));
        }
    }
    Ok(None)
}

fn in_pcapng(
    capture: &[u8],
    is_it: &mut impl FnMut() -> bool,
) -> Result<Option<Captured<Vec<u8>>>, String> {
    let mut reader = PcapNgReader::new(capture).map_err(broken)?;
    let mut kinds = Vec::new();
    while let Some(block) = reader.next_block() {
        let (interface, data, length) = match block.map_err(broken)? {
            Block::SectionHeader(_) => {
                kinds.clear();
                continue;
            }
            Block::InterfaceDescription(interface) => {
                kinds.push(interface.linktype);
                continue;
            }
            Block::EnhancedPacket(packet) => {
                (packet.interface_id, packet.data, packet.original_len)
            }
            Block::SimplePacket(packet) => (0, packet.data, packet.original_len),
            Block::Packet(packet) => (packet.interface_id.into(), packet.data, packet.original_len),
            _ => continue,
        };
        if is_it() {
            let kind = kinds.get(interface as usize);
            ethernet(*kind.ok_or("its packet is of no interface that it describes")?)?;
            return Ok(Some(captured(&data, length)));
        }
    }
    Ok(None)
}

fn captured(data: &[u8], length: u32) -> Captured<Vec<u8>> {
    let whole = Captured::whole(data.to_vec());
    Captured {
        length: whole.length.max(length),
        ..whole
    }
}

fn ethernet(kind: DataLink) -> Result<(), String> {
    match kind {
        DataLink::ETHERNET => Ok(()),
        other => Err(format!(
            "its packets are {other:?}, not ETHERNET; capture at the tap: tcpdump -i TAP -w FILE"
        )),
    }
}

fn broken(error: PcapError) -> String {
    format!("it is no whole capture in the form of pcap or pcapng: {error}")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::Duration;

    use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
    use pcap_file::pcapng::PcapNgWriter;
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
    use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;

    use super::*;

    fn pcap(datalink: DataLink) -> Vec<u8> {
        let header = PcapHeader {
            datalink,
            ..PcapHeader::default()
        };
        let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
        for number in [1, 2] {
            let bytes = [number; 60];
            let packet = PcapPacket::new(Duration::ZERO, 100, &bytes);
            writer.write_packet(&packet).unwrap();
        }
        writer.into_writer()
    }

    fn pcapng(linktype: DataLink) -> Vec<u8> {
        let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
        let interface = InterfaceDescriptionBlock {
            linktype,
            snaplen: 60,
            options: Vec::new(),
        };
        writer.write_pcapng_block(interface).unwrap();
        for number in [1, 2] {
            let packet = EnhancedPacketBlock {
                interface_id: 0,
                timestamp: Duration::ZERO,
                original_len: 100,
                data: Cow::Owned(vec![number; 60]),
                options: Vec::new(),
            };
            writer.write_pcapng_block(packet).unwrap();
        }
        writer.into_inner()
    }

    #[test]
    fn a_packet_is_found_by_its_number_in_both_forms() {
        for capture in [pcap(DataLink::ETHERNET), pcapng(DataLink::ETHERNET)] {
            let packet = packet_of(&capture, 2).unwrap();
            assert_eq!((packet.bytes, packet.length), (vec![2; 60], 100));
            let error = packet_of(&capture, 3).unwrap_err();
            assert!(error.contains("no packet 3, but 2 packets"), "{error}");
            assert!(packet_of(&capture, 0).is_err());
        }
    }

    #[test]
    fn what_is_no_capture_of_ethernet_is_refused() {
        for capture in [pcap(DataLink::RAW), pcapng(DataLink::RAW)] {
            assert!(packet_of(&capture, 1).unwrap_err().contains("RAW"));
        }
        for bytes in [&b""[..], b"tcp 10.0.0.7", &pcap(DataLink::ETHERNET)[..70]] {
            assert!(
                packet_of(bytes, 1)
                    .unwrap_err()
                    .contains("no whole capture")
            );
        }
    }
}
