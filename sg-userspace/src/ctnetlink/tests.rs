//! Messages as Linux 6.18 sends them (`IPCTNL_MSG_CT_NEW` of a dump, behind the netlink header).

use sg_common::wire::protocol;

use super::*;
use crate::flows::kernel::{Progress, Tuple};

/// TCP in zone 4097, assured.
const TCP: &str = "\
    02000000340001801400018008000100c6336407080002000a0000051c0002800500010006000000060002009c4000000600\
    0300001600003400028014000180080001000a00000508000200c63364071c00028005000100060000000600020000160000\
    060003009c4000000600120010010000080003000000000e080008000000000008000c001cd4b59e08000b00000000010800\
    070000000063300004802c000180050001000300000005000200000000000500030000000000060004000a00000006000500\
    0a0000001c001880080001000000000008000200000000000800030000000000";
/// A ping of IPv6 that was not answered, in zone 4097.
const ICMPV6: &str = "\
    0a000000540001802c0001801400030020010db80000000000000000000000051400040020010db800000000000000000000\
    000924000280050001003a00000006000700004d000005000800800000000500090000000000540002802c00018014000300\
    20010db80000000000000000000000091400040020010db800000000000000000000000524000280050001003a0000000600\
    0700004d00000500080081000000050009000000000006001200100100000800030000000008080008000000000008000c00\
    4befc33008000b000000000108000700000000131c001880080001000000000008000200000000000800030000000000";
/// SCTP in zone 4097.
const SCTP: &str = "\
    020000003400018014000180080001000a000005080002000a0000011c0002800500010084000000060002000bb800000600\
    03000bb900003400028014000180080001000a000001080002000a0000051c0002800500010084000000060002000bb90000\
    060003000bb800000600120010010000080003000000000e080008000000000008000c0049cfb60708000b00000000010800\
    0700000000c7200004801c0003800500010004000000080002000403020108000300080706051c0018800800010000000000\
    08000200000000000800030000000000";
/// A call of PPTP in zone 4097.
const GRE: &str = "\
    020000003400018014000180080001000a000005080002000a0000011c000280050001002f00000006000200000000000600\
    0300000700003400028014000180080001000a000001080002000a0000051c000280050001002f0000000600020000070000\
    060003000000000006001200100100000800030000000008080008000000000008000c0030c2abf608000b00000000010800\
    07000000003b1c001880080001000000000008000200000000000800030000000000";
/// UDP over IPv6 in no zone.
const UDP: &str = "\
    0a0000004c0001802c0001801400030020010db80000000000000000000000051400040020010db800000000000000000000\
    00091c0002800500010011000000060002001388000006000300003500004c0002802c0001801400030020010db800000000\
    00000000000000091400040020010db80000000000000000000000051c000280050001001100000006000200003500000600\
    030013880000080003000000000a080008000000000008000c002f3c276108000b0000000001080007000000001d1c001880\
    080001000000000008000200000000000800030000000000";
/// A ping in zone 4097.
const ICMP: &str = "\
    020000003c00018014000180080001000a000005080002000a0000012400028005000100010000000600040004d200000500\
    05000800000005000600000000003c00028014000180080001000a000001080002000a000005240002800500010001000000\
    0600040004d20000050005000000000005000600000000000600120010010000080003000000000a08000800000000000800\
    0c00513d32ac08000b000000000108000700000000131c001880080001000000000008000200000000000800030000000000";
/// TCP whose destination was translated, in no zone.
const TRANSLATED: &str = "\
    02000000340001801400018008000100c633640708000200cb0071051c0002800500010006000000060002009c4100000600\
    030008ae00003400028014000180080001000a00000508000200c63364071c00028005000100060000000600020000160000\
    060003009c410000080003000000000e080008000000000008000c005313c58808000b000000000108000700000000633000\
    04802c000180050001000300000005000200000000000500030000000000060004000a000000060005000a0000001c001880\
    080001000000000008000200000000000800030000000000";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter_map(|digit| (digit as char).to_digit(16).map(|d| d as u8))
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn flow(hex: &str) -> KernelFlow {
    decode::flow(&bytes(hex)).expect("it can be read")
}

fn tuple(source: &str, destination: &str, numbers: [u16; 2]) -> Tuple {
    Tuple {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        numbers,
    }
}

#[test]
fn a_connection_is_read_with_all_that_is_told_of_it() {
    assert_eq!(
        flow(TCP),
        KernelFlow {
            zone: 4097,
            protocol: protocol::TCP,
            tuples: [
                tuple("198.51.100.7", "10.0.0.5", [40000, 22]),
                tuple("10.0.0.5", "198.51.100.7", [22, 40000]),
            ],
            seen_reply: true,
            assured: true,
            dying: false,
            lifetime: 99,
            progress: Progress::Tcp {
                state: 3,
                scales: [0, 0],
                flags: [10, 10],
            },
        }
    );
}

#[test]
fn every_protocol_has_its_numbers() {
    let udp = flow(UDP);
    assert_eq!(
        (udp.zone, udp.protocol, udp.seen_reply, udp.assured),
        (0, protocol::UDP, true, false)
    );
    assert_eq!(
        udp.tuples[0],
        tuple("2001:db8::5", "2001:db8::9", [5000, 53])
    );
    let icmp = flow(ICMP);
    assert_eq!(icmp.tuples[0].numbers, [1234, 8 << 8]);
    assert_eq!(icmp.tuples[1].numbers, [1234, 0]);
    let icmpv6 = flow(ICMPV6);
    assert_eq!(
        (icmpv6.tuples[0].numbers, icmpv6.seen_reply),
        ([77, 128 << 8], false)
    );
    let sctp = flow(SCTP);
    assert_eq!(sctp.tuples[0].numbers, [3000, 3001]);
    // The tags in the order of the wire.
    let tags = [0x0403_0201, 0x0807_0605];
    assert_eq!(sctp.progress, Progress::Sctp { state: 4, tags });
    assert_eq!(
        flow(GRE).tuples.map(|tuple| tuple.numbers),
        [[0, 7], [7, 0]]
    );
    let translated = flow(TRANSLATED).tuples;
    assert_eq!(
        translated[0],
        tuple("198.51.100.7", "203.0.113.5", [40001, 2222])
    );
    assert_eq!(
        translated[1],
        tuple("10.0.0.5", "198.51.100.7", [22, 40001])
    );
}

#[test]
fn a_message_that_is_cut_short_is_no_connection_and_no_panic() {
    let whole = bytes(SCTP);
    let tuples = 4 + 52 + 52;
    for length in 0..whole.len() {
        let read = decode::flow(&whole[..length]);
        assert!(length >= tuples || read.is_none(), "{length}");
    }
}

/// A message with its netlink header.
fn framed(kind: u16, payload: &[u8]) -> Vec<u8> {
    message(kind, payload)
}

#[test]
fn an_answer_is_read_to_its_end() {
    let mut dump = Dump::default();
    let mut answer = framed(0x100, &bytes(TCP));
    answer.extend(framed(0x100, &bytes(UDP)));
    answer.extend(framed(0x100, &[0; 8]));
    assert!(!read(&answer, &mut dump).unwrap(), "there is more to come");
    assert_eq!((dump.flows.len(), dump.unreadable), (2, 1));
    assert!(read(&framed(NLMSG_DONE, &0_i32.to_ne_bytes()), &mut dump).unwrap());
}

#[test]
fn what_the_kernel_refuses_is_told_with_what_helps() {
    let refused = |error: i32| {
        let answer = framed(NLMSG_ERROR, &(-error).to_ne_bytes());
        read(&answer, &mut Dump::default()).unwrap_err()
    };
    assert!(advice(&refused(libc::EPERM)).contains("CAP_NET_ADMIN"));
    assert!(advice(&refused(libc::EINVAL)).contains("modprobe"));
    assert_eq!(refused(libc::EBUSY).raw_os_error(), Some(libc::EBUSY));
}
