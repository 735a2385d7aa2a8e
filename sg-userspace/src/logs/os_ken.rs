//! A frame as os-ken prints it (`os_ken.lib.packet.packet.Packet`), which Neutron's line has: headers with their
//! fields in the order of their names, then what they carry, as Python prints bytes.
//!
//! Of protocols beyond those of nearly every packet the bytes are printed.

use std::net::{Ipv4Addr, Ipv6Addr};

use sg_common::wire::protocol;

/// What a header carries.
enum Next {
    Ether(u16),
    Ip(u8),
    /// Nothing that is read here.
    Bytes,
}

/// A header as text, what it carries, and where that is.
type Header<'a> = (String, Next, &'a [u8]);

/// The frame.
pub fn text(frame: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut header = ethernet(frame);
    let mut rest = frame;
    while let Some((text, next, behind)) = header {
        parts.push(text);
        rest = behind;
        header = match next {
            _ if is_nothing(rest) => None,
            Next::Ether(ethertype) => of_ether(ethertype, rest),
            Next::Ip(protocol) => of_ip(protocol, rest),
            Next::Bytes => None,
        };
    }
    if !is_nothing(rest) {
        parts.push(python_bytes(rest));
    }
    parts.join(", ")
}

/// Padding.
fn is_nothing(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn of_ether(ethertype: u16, bytes: &[u8]) -> Option<Header<'_>> {
    match ethertype {
        0x0800 => ipv4(bytes),
        0x86dd => ipv6(bytes),
        0x0806 => arp(bytes),
        0x8100 => vlan("vlan", bytes),
        0x88a8 => vlan("svlan", bytes),
        _ => None,
    }
}

fn of_ip(number: u8, bytes: &[u8]) -> Option<Header<'_>> {
    match number {
        protocol::TCP => tcp(bytes),
        protocol::UDP => udp(bytes),
        protocol::ICMP => icmp("icmp", "type", bytes),
        protocol::ICMPV6 => icmp("icmpv6", "type_", bytes),
        _ => None,
    }
}

fn ethernet(bytes: &[u8]) -> Option<Header<'_>> {
    let (dst, src, ethertype) = (mac(bytes, 0)?, mac(bytes, 6)?, u16_at(bytes, 12)?);
    let text = format!("ethernet(dst='{dst}',ethertype={ethertype},src='{src}')");
    Some((text, Next::Ether(ethertype), &bytes[14..]))
}

fn vlan<'a>(name: &str, bytes: &'a [u8]) -> Option<Header<'a>> {
    let (tci, ethertype) = (u16_at(bytes, 0)?, u16_at(bytes, 2)?);
    let (cfi, pcp, vid) = (tci >> 12 & 1, tci >> 13, tci & 0xfff);
    let text = format!("{name}(cfi={cfi},ethertype={ethertype},pcp={pcp},vid={vid})");
    Some((text, Next::Ether(ethertype), &bytes[4..]))
}

fn arp(bytes: &[u8]) -> Option<Header<'_>> {
    let text = format!(
        "arp(dst_ip='{}',dst_mac='{}',hlen={},hwtype={},opcode={},plen={},proto={},src_ip='{}',src_mac='{}')",
        v4(bytes, 24)?,
        mac(bytes, 18)?,
        bytes.get(4)?,
        u16_at(bytes, 0)?,
        u16_at(bytes, 6)?,
        bytes.get(5)?,
        u16_at(bytes, 2)?,
        v4(bytes, 14)?,
        mac(bytes, 8)?,
    );
    Some((text, Next::Bytes, &bytes[28..]))
}

fn ipv4(bytes: &[u8]) -> Option<Header<'_>> {
    let (src, dst) = (v4(bytes, 12)?, v4(bytes, 16)?);
    let (version, words) = (bytes[0] >> 4, bytes[0] & 0xf);
    let (length, header) = (u16_at(bytes, 2)?, usize::from(words) * 4);
    let fragment = u16_at(bytes, 6)?;
    let option = match header > 20 {
        true => python_bytes(slice(bytes, 20, header)),
        false => "None".into(),
    };
    let text = format!(
        "ipv4(csum={},dst='{dst}',flags={},header_length={words},identification={},offset={},option={option},\
         proto={},src='{src}',tos={},total_length={length},ttl={},version={version})",
        u16_at(bytes, 10)?,
        fragment >> 13,
        u16_at(bytes, 4)?,
        fragment & 0x1fff,
        bytes[9],
        bytes[1],
        bytes[8],
    );
    let rest = slice(bytes, header, length.into());
    Some((text, Next::Ip(bytes[9]), rest))
}

/// Extension headers are bytes.
fn ipv6(bytes: &[u8]) -> Option<Header<'_>> {
    let (src, dst) = (v6(bytes, 8)?, v6(bytes, 24)?);
    let (first, length) = (u32_at(bytes, 0)?, u16_at(bytes, 4)?);
    let text = format!(
        "ipv6(dst='{dst}',ext_hdrs=[],flow_label={},hop_limit={},nxt={},payload_length={length},src='{src}',\
         traffic_class={},version={})",
        first & 0xf_ffff,
        bytes[7],
        bytes[6],
        first >> 20 & 0xff,
        first >> 28,
    );
    let rest = slice(bytes, 40, 40 + usize::from(length));
    Some((text, Next::Ip(bytes[6]), rest))
}

fn tcp(bytes: &[u8]) -> Option<Header<'_>> {
    let urgent = u16_at(bytes, 18)?;
    let words = bytes[12] >> 4;
    let header = usize::from(words) * 4;
    let option = match header > 20 {
        true => tcp_options(slice(bytes, 20, header)),
        false => "None".into(),
    };
    let text = format!(
        "tcp(ack={},bits={},csum={},dst_port={},offset={words},option={option},seq={},src_port={},urgent={urgent},\
         window_size={})",
        u32_at(bytes, 8)?,
        bytes[13] & 0x3f,
        u16_at(bytes, 16)?,
        u16_at(bytes, 2)?,
        u32_at(bytes, 4)?,
        u16_at(bytes, 0)?,
        u16_at(bytes, 14)?,
    );
    Some((text, Next::Bytes, slice(bytes, header, bytes.len())))
}

/// A list; the bytes, if one of them cannot be read.
fn tcp_options(bytes: &[u8]) -> String {
    let (mut rest, mut options) = (bytes, Vec::new());
    while !rest.is_empty() {
        let Some((option, length)) = tcp_option(rest) else {
            return python_bytes(bytes);
        };
        options.push(option);
        rest = slice(rest, length, rest.len());
    }
    format!("[{}]", options.join(", "))
}

/// An option, and how many bytes it takes.
fn tcp_option(bytes: &[u8]) -> Option<(String, usize)> {
    let fixed = |name: &str, fields: String, length| {
        let kind = bytes[0];
        let text = format!("TCPOption{name}(kind={kind},length={length}{fields})");
        Some((text, length))
    };
    match bytes[0] {
        0 => fixed("EndOfOptionList", String::new(), 1),
        1 => fixed("NoOperation", String::new(), 1),
        2 => fixed(
            "MaximumSegmentSize",
            format!(",max_seg_size={}", u16_at(bytes, 2)?),
            4,
        ),
        3 => fixed("WindowScale", format!(",shift_cnt={}", bytes.get(2)?), 3),
        4 => fixed("SACKPermitted", String::new(), 2),
        8 => {
            let (value, echo) = (u32_at(bytes, 2)?, u32_at(bytes, 6)?);
            fixed("Timestamps", format!(",ts_ecr={echo},ts_val={value}"), 10)
        }
        kind => {
            // One of no length would never end.
            let length = usize::from(*bytes.get(1)?);
            let value = python_bytes(slice(bytes, 2, length));
            let text = format!("TCPOptionUnknown(kind={kind},length={length},value={value})");
            (length >= 2).then_some((text, length))
        }
    }
}

fn udp(bytes: &[u8]) -> Option<Header<'_>> {
    let (csum, length) = (u16_at(bytes, 6)?, u16_at(bytes, 4)?);
    let (from, to) = (u16_at(bytes, 0)?, u16_at(bytes, 2)?);
    let text = format!("udp(csum={csum},dst_port={to},src_port={from},total_length={length})");
    Some((text, Next::Bytes, slice(bytes, 8, length.into())))
}

/// ICMP of either family: all of it is in the header.
fn icmp<'a>(name: &str, kind_name: &str, bytes: &'a [u8]) -> Option<Header<'a>> {
    let csum = u16_at(bytes, 2)?;
    let (kind, code, body) = (bytes[0], bytes[1], &bytes[4..]);
    let data = match (name, kind) {
        _ if body.is_empty() => python_bytes(body),
        ("icmp", 0 | 8) | ("icmpv6", 128 | 129) => {
            let (id, seq) = (u16_at(body, 0)?, u16_at(body, 2)?);
            format!("echo(data={},id={id},seq={seq})", rest_or_none(body))
        }
        ("icmp", 3) => {
            let (length, mtu) = (body.get(1)?, u16_at(body, 2)?);
            let data = rest_or_none(body);
            format!("dest_unreach(data={data},data_len={length},mtu={mtu})")
        }
        ("icmp", 11) => {
            let (length, _) = (body.get(1)?, u16_at(body, 2)?);
            format!(
                "TimeExceeded(data={},data_len={length})",
                rest_or_none(body)
            )
        }
        _ => python_bytes(body),
    };
    let text = format!("{name}(code={code},csum={csum},data={data},{kind_name}={kind})");
    Some((text, Next::Bytes, &[]))
}

/// What is behind the first four bytes.
fn rest_or_none(body: &[u8]) -> String {
    match &body[4..] {
        [] => "None".into(),
        rest => python_bytes(rest),
    }
}

/// Bytes as Python prints them.
fn python_bytes(bytes: &[u8]) -> String {
    let has = |quote: u8| bytes.contains(&quote);
    let quote = if has(b'\'') && !has(b'"') { '"' } else { '\'' };
    let mut text = format!("b{quote}");
    for byte in bytes {
        match byte {
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' if char::from(*byte) == quote => text.extend(['\\', quote]),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push(quote);
    text
}

/// A slice as Python takes it: as much of it as there is.
fn slice(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    let to = to.min(bytes.len());
    bytes.get(from..to).unwrap_or_default()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

fn v4(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    array::<4>(bytes, at).map(Ipv4Addr::from)
}

fn v6(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    array::<16>(bytes, at).map(Ipv6Addr::from)
}

fn mac(bytes: &[u8], at: usize) -> Option<String> {
    let bytes = array::<6>(bytes, at)?;
    Some(bytes.map(|byte| format!("{byte:02x}")).join(":"))
}

#[cfg(test)]
mod tests;
