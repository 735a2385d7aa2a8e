//! Small programs of the kernel, made instruction by instruction: what lets frames in, counts them and
//! takes them off at the end (`Documentation/bpf/standardization/instruction-set.rst`).

/// `XDP_DROP` and `XDP_PASS` (`enum xdp_action`).
const XDP_DROP: i32 = 1;
const XDP_PASS: i32 = 2;

/// An odd number without the factor 5: multiples of it visit every peer of a power of 2 or 10, each far from
/// the one before.
pub const STRIDE: i32 = 1_640_531_527;

/// Where IPv4 without options has its checksum and addresses in a frame.
const IP_CHECKSUM: usize = 24;
const SOURCE: usize = 26;
const DESTINATION: usize = 30;

/// Where TCP and UDP have their checksum.
const TCP_CHECKSUM: usize = 50;
const UDP_CHECKSUM: usize = 40;
const TCP: u8 = 6;

/// A program that ends with this code.
#[must_use]
pub fn verdict(code: i32) -> Vec<u64> {
    vec![set(0, code), EXIT]
}

/// A program that adds one to the number in the map behind `counter`, and ends with this code.
#[must_use]
pub fn counting(counter: i32, code: i32) -> Vec<u64> {
    let mut program = address_of(1, counter).to_vec();
    program.extend([set(2, 1), insn(0xdb, 1, 2, 0, 0), set(0, code), EXIT]);
    program
}

/// Which end of a frame is the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// It has sent it.
    Sends,
    /// It is to receive it.
    Receives,
}

/// An XDP program that makes each frame that of another peer, by its address, and lets it in. The peers are
/// so many addresses from that in `frame` on, visited in strides; the map behind `counter` has the number of the
/// next. Checksums stay right.
///
/// `frame` is TCP or UDP over IPv4 without options.
#[must_use]
pub fn varying(counter: i32, frame: &[u8], peer: Peer, (peers, stride): (u32, i32)) -> Vec<u64> {
    let address = match peer {
        Peer::Sends => SOURCE,
        Peer::Receives => DESTINATION,
    };
    let checksum = if frame[23] == TCP {
        TCP_CHECKSUM
    } else {
        UDP_CHECKSUM
    };
    let word = |at: usize| u16::from_le_bytes([frame[at], frame[at + 1]]);
    let first = u32::from_be_bytes([0, 1, 2, 3].map(|i| frame[address + i]));
    // r6: the context, r7: which peer.
    let mut program = vec![insn(0xbf, 6, 1, 0, 0)];
    program.extend(address_of(1, counter));
    program.extend([
        insn(0x79, 7, 1, 0, 0),
        insn(0xbf, 2, 7, 0, 0),
        insn(0x07, 2, 0, 0, 1),
        insn(0x7b, 1, 2, 0, 0),
        insn(0x27, 7, 0, 0, stride),
        insn(0x97, 7, 0, 0, peers.cast_signed()),
    ]);
    // r2: the frame, which has to be as long as the template.
    program.extend([
        insn(0x61, 2, 6, 0, 0),
        insn(0x61, 3, 6, 4, 0),
        insn(0xbf, 4, 2, 0, 0),
        insn(0x07, 4, 0, 0, frame.len() as i32),
        insn(0xbd, 4, 3, 2, 0),
        set(0, XDP_DROP),
        EXIT,
    ]);
    // r7: its address, in the order of the network.
    program.extend([
        insn(0x07, 7, 0, 0, first.cast_signed()),
        insn(0xdc, 7, 0, 0, 32),
        insn(0x63, 2, 7, address as i16, 0),
    ]);
    // r7: what the address adds to the sums.
    program.extend([
        insn(0xbf, 4, 7, 0, 0),
        insn(0x57, 4, 0, 0, 0xffff),
        insn(0x77, 7, 0, 0, 16),
        insn(0x0f, 7, 4, 0, 0),
    ]);
    for place in [IP_CHECKSUM, checksum] {
        let rest = without(word(place), [word(address), word(address + 2)]);
        program.extend([insn(0xbf, 5, 7, 0, 0), insn(0x07, 5, 0, 0, rest.into())]);
        for _ in 0..2 {
            program.extend([
                insn(0xbf, 4, 5, 0, 0),
                insn(0x77, 4, 0, 0, 16),
                insn(0x57, 5, 0, 0, 0xffff),
                insn(0x0f, 5, 4, 0, 0),
            ]);
        }
        program.extend([
            insn(0xa7, 5, 0, 0, 0xffff),
            insn(0x6b, 2, 5, place as i16, 0),
        ]);
    }
    program.extend([set(0, XDP_PASS), EXIT]);
    program
}

/// What a checksum sums up but for two words (RFC 1071, RFC 1624), in the order that the words have in memory.
fn without(checksum: u16, words: [u16; 2]) -> u16 {
    let sum = u32::from(!checksum) + u32::from(!words[0]) + u32::from(!words[1]);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

const EXIT: u64 = 0x95;

const fn insn(code: u8, to: u8, from: u8, offset: i16, number: i32) -> u64 {
    code as u64
        | (to as u64) << 8
        | (from as u64) << 12
        | (offset.cast_unsigned() as u64) << 16
        | (number.cast_unsigned() as u64) << 32
}

/// `rN = number`.
const fn set(register: u8, number: i32) -> u64 {
    insn(0xb7, register, 0, 0, number)
}

/// `rN = &value`, of the only element of an array (`BPF_PSEUDO_MAP_VALUE`).
const fn address_of(register: u8, map: i32) -> [u64; 2] {
    const MAP_VALUE: u8 = 2;
    [insn(0x18, register, MAP_VALUE, 0, map), insn(0, 0, 0, 0, 0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_two_instructions() {
        assert_eq!(verdict(-1), [0xffff_ffff_0000_00b7, 0x95]);
        assert_eq!(verdict(2), [0x0000_0002_0000_00b7, 0x95]);
    }

    #[test]
    fn the_sum_without_two_words_and_the_words_make_the_checksum() {
        let (words, others) = ([0x1234, 0xfedc], [0xabcd, 0x0101, 0xffff]);
        let fold = |sum: u32| ((sum & 0xffff) + (sum >> 16)) as u16;
        let sum = |words: &[u16]| {
            words
                .iter()
                .fold(0, |a, b| fold(u32::from(a) + u32::from(*b)))
        };
        let checksum = !fold(u32::from(sum(&words)) + u32::from(sum(&others)));
        let rest = without(checksum, words);
        let again = !fold(u32::from(rest) + u32::from(sum(&words)));
        assert_eq!(again, checksum);
    }
}
