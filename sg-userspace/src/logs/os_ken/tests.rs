//! What os-ken 4.2.2 has printed of the same frames.

use super::text;
use crate::packet::from_hex;

/// Frames, and what is printed of them.
const PRINTED: &[[&str; 2]] = &[
    [
        "fa163e000005fa163e00000708004500003c00000000ff06a7b00a0000070a0000059c4000500000000000000000a002000097610000020405b40402080a000000010000000201030307",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=2048,src='fa:16:3e:00:00:07'), ipv4(csum=42928,dst='10.0.0.5',flags=0,header_length=5,identification=0,offset=0,option=None,proto=6,src='10.0.0.7',tos=0,total_length=60,ttl=255,version=4), tcp(ack=0,bits=2,csum=38753,dst_port=80,offset=10,option=[TCPOptionMaximumSegmentSize(kind=2,length=4,max_seg_size=1460), TCPOptionSACKPermitted(kind=4,length=2), TCPOptionTimestamps(kind=8,length=10,ts_ecr=2,ts_val=1), TCPOptionNoOperation(kind=1,length=1), TCPOptionWindowScale(kind=3,length=3,shift_cnt=7)],seq=0,src_port=40000,urgent=0,window_size=0)"#,
    ],
    [
        "fa163e000005fa163e00000708004500002f00000000ff06a7bd0a0000070a0000059c40005000000000000000005002000014cb000068692700ff0a5c",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=2048,src='fa:16:3e:00:00:07'), ipv4(csum=42941,dst='10.0.0.5',flags=0,header_length=5,identification=0,offset=0,option=None,proto=6,src='10.0.0.7',tos=0,total_length=47,ttl=255,version=4), tcp(ack=0,bits=2,csum=5323,dst_port=80,offset=5,option=None,seq=0,src_port=40000,urgent=0,window_size=0), b"hi'\x00\xff\n\\""#,
    ],
    [
        "fa163e000005fa163e00000708004500001f00000000ff11a7c20a0000070a00000504d20035000b2263616263000000000000000000000000000000",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=2048,src='fa:16:3e:00:00:07'), ipv4(csum=42946,dst='10.0.0.5',flags=0,header_length=5,identification=0,offset=0,option=None,proto=17,src='10.0.0.7',tos=0,total_length=31,ttl=255,version=4), udp(csum=8803,dst_port=53,src_port=1234,total_length=11), b'abc'"#,
    ],
    [
        "fa163e000005fa163e00000708004500001f00000000ff01a7d20a0000070a0000050800339500070001616263000000000000000000000000000000",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=2048,src='fa:16:3e:00:00:07'), ipv4(csum=42962,dst='10.0.0.5',flags=0,header_length=5,identification=0,offset=0,option=None,proto=1,src='10.0.0.7',tos=0,total_length=31,ttl=255,version=4), icmp(code=0,csum=13205,data=echo(data=b'abc',id=7,seq=1),type=8)"#,
    ],
    [
        "fa163e000005fa163e00000708004500002000000000ff01a7d10a0000070a0000050303383600000000616263640000000000000000000000000000",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=2048,src='fa:16:3e:00:00:07'), ipv4(csum=42961,dst='10.0.0.5',flags=0,header_length=5,identification=0,offset=0,option=None,proto=1,src='10.0.0.7',tos=0,total_length=32,ttl=255,version=4), icmp(code=3,csum=14390,data=dest_unreach(data=b'abcd',data_len=0,mtu=0),type=3)"#,
    ],
    [
        "fa163e000005fa163e00000708004500002000000000ff01a7d10a0000070a0000050b00303900000000616263640000000000000000000000000000",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=2048,src='fa:16:3e:00:00:07'), ipv4(csum=42961,dst='10.0.0.5',flags=0,header_length=5,identification=0,offset=0,option=None,proto=1,src='10.0.0.7',tos=0,total_length=32,ttl=255,version=4), icmp(code=0,csum=12345,data=TimeExceeded(data=b'abcd',data_len=0),type=11)"#,
    ],
    [
        "fa163e000005fa163e00000708004500001c00000000ff01a7d50a0000070a0000050500363961626364000000000000000000000000000000000000",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=2048,src='fa:16:3e:00:00:07'), ipv4(csum=42965,dst='10.0.0.5',flags=0,header_length=5,identification=0,offset=0,option=None,proto=1,src='10.0.0.7',tos=0,total_length=28,ttl=255,version=4), icmp(code=0,csum=13881,data=b'abcd',type=5)"#,
    ],
    [
        "fa163e000005fa163e00000786dd60000000000b3aff20010db800000000000000000000000720010db800000000000000000000000580005fd100070001616263",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=34525,src='fa:16:3e:00:00:07'), ipv6(dst='2001:db8::5',ext_hdrs=[],flow_label=0,hop_limit=255,nxt=58,payload_length=11,src='2001:db8::7',traffic_class=0,version=6), icmpv6(code=0,csum=24529,data=echo(data=b'abc',id=7,seq=1),type_=128)"#,
    ],
    [
        "fa163e000005fa163e00000786dd60000000001406ff20010db800000000000000000000000720010db80000000000000000000000059c400050000000000000000050020000b7d40000",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=34525,src='fa:16:3e:00:00:07'), ipv6(dst='2001:db8::5',ext_hdrs=[],flow_label=0,hop_limit=255,nxt=6,payload_length=20,src='2001:db8::7',traffic_class=0,version=6), tcp(ack=0,bits=2,csum=47060,dst_port=80,offset=5,option=None,seq=0,src_port=40000,urgent=0,window_size=0)"#,
    ],
    [
        "fffffffffffffa163e00000708060001080006040001fa163e0000070a000007ffffffffffff0a000005000000000000000000000000000000000000",
        r#"ethernet(dst='ff:ff:ff:ff:ff:ff',ethertype=2054,src='fa:16:3e:00:00:07'), arp(dst_ip='10.0.0.5',dst_mac='ff:ff:ff:ff:ff:ff',hlen=6,hwtype=1,opcode=1,plen=4,proto=2048,src_ip='10.0.0.7',src_mac='fa:16:3e:00:00:07')"#,
    ],
    [
        "fffffffffffffa163e0000078100206408004500001d00000000ff11a7c40a0000070a00000500010002000973cd7800000000000000000000000000",
        r#"ethernet(dst='ff:ff:ff:ff:ff:ff',ethertype=33024,src='fa:16:3e:00:00:07'), vlan(cfi=0,ethertype=2048,pcp=1,vid=100), ipv4(csum=42948,dst='10.0.0.5',flags=0,header_length=5,identification=0,offset=0,option=None,proto=17,src='10.0.0.7',tos=0,total_length=29,ttl=255,version=4), udp(csum=29645,dst_port=2,src_port=1,total_length=9), b'x'"#,
    ],
    [
        "fa163e000005fa163e00000708004500001700000000ff63a7780a0000070a0000056162630000000000000000000000000000000000000000000000",
        r#"ethernet(dst='fa:16:3e:00:00:05',ethertype=2048,src='fa:16:3e:00:00:07'), ipv4(csum=42872,dst='10.0.0.5',flags=0,header_length=5,identification=0,offset=0,option=None,proto=99,src='10.0.0.7',tos=0,total_length=23,ttl=255,version=4), b'abc'"#,
    ],
    [
        "fffffffffffffa163e000007888e61626300000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        r#"ethernet(dst='ff:ff:ff:ff:ff:ff',ethertype=34958,src='fa:16:3e:00:00:07'), b'abc\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'"#,
    ],
];

#[test]
fn a_frame_is_printed_as_os_ken_prints_it() {
    for [digits, printed] in PRINTED {
        assert_eq!(text(&from_hex(digits).unwrap()), *printed);
    }
}

#[test]
fn a_frame_that_was_cut_off_anywhere_is_printed_as_far_as_it_is_there() {
    for [digits, _] in PRINTED {
        let frame = from_hex(digits).unwrap();
        for length in 0..frame.len() {
            let printed = text(&frame[..length]);
            assert!(!printed.contains('\n'), "{printed}");
            assert_eq!(printed.starts_with("ethernet("), length >= 14, "{printed}");
        }
    }
}
