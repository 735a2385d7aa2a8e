//! A packet in words, as typed: `tcp 198.51.100.7:40000 10.0.0.5:80 --flags syn`.

use std::net::{AddrParseError, IpAddr, Ipv6Addr, SocketAddr};

use clap::Args;

use super::words::{ArpOperation, Network, PacketWords, Ports, TcpFlag, Transport};
use crate::model::{Mac, protocol};

/// The source port of a client that did not say which: the first of the dynamic range, RFC 6335.
const EPHEMERAL: u16 = 49152;
const ICMP_ECHO: u8 = 8;
const ICMPV6_ECHO: u8 = 128;

/// The words, as typed.
#[derive(Debug, Clone, Args)]
pub struct PacketArgs {
    /// tcp, udp, sctp, dccp, udplite, icmp, arp, or any other protocol by name or number
    #[arg(value_name = "PROTOCOL")]
    pub protocol: String,
    /// Source ADDRESS or ADDRESS:PORT; IPv6 with a port as [ADDRESS]:PORT
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// Destination ADDRESS or ADDRESS:PORT
    #[arg(value_name = "DESTINATION")]
    pub destination: String,
    /// TCP flags that are set, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "syn",
        value_name = "FLAG,…"
    )]
    pub flags: Vec<TcpFlag>,
    /// ICMP type (default: echo request)
    #[arg(long = "type", value_name = "NUMBER")]
    pub icmp_type: Option<u8>,
    /// ICMP code
    #[arg(long = "code", default_value_t = 0, value_name = "NUMBER")]
    pub icmp_code: u8,
    /// ICMP identifier of an echo
    #[arg(long = "id", default_value_t = 1, value_name = "NUMBER")]
    pub icmp_id: u16,
    /// Neighbor discovery: the address in question (default: the destination of a
    /// solicitation, the source of an advertisement)
    #[arg(long, value_name = "ADDRESS")]
    pub target: Option<Ipv6Addr>,
    /// ARP: a question or an answer
    #[arg(long, default_value = "request")]
    pub operation: ArpOperation,
    /// Source MAC address (default: the port's for --egress, some other for --ingress)
    #[arg(long, value_name = "MAC")]
    pub src_mac: Option<Mac>,
    /// Destination MAC address (default: the port's for --ingress, some other for --egress)
    #[arg(long, value_name = "MAC")]
    pub dst_mac: Option<Mac>,
    /// 802.1Q tag (default: the VLAN of a subport)
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(1..=4094))]
    pub vlan: Option<u16>,
}

/// The words do not make a packet.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says itself what it is")]
pub enum WordError {
    #[error(
        "{word:?} is not an address, like 10.0.0.5, 10.0.0.5:80, 2001:db8::1 or [2001:db8::1]:80"
    )]
    Address {
        word: String,
        source: AddrParseError,
    },
    #[error("{source_address} and {destination} are of different families")]
    Families {
        source_address: IpAddr,
        destination: IpAddr,
    },
    #[error("ARP is for IPv4; IPv6 asks by ICMPv6: icmp {0} {1} --type 135")]
    ArpForIpv6(Ipv6Addr, Ipv6Addr),
    #[error("{0} needs a destination port, like {1}:80")]
    NoPort(String, String),
    #[error("{0} has no ports")]
    HasNoPorts(String),
    #[error("{0:?} is not a protocol; name it, or give its number from 1 to 255")]
    Protocol(String),
}

impl PacketArgs {
    /// What the words mean.
    pub fn parse(&self) -> Result<PacketWords, WordError> {
        let source = Endpoint::parse(&self.source)?;
        let destination = Endpoint::parse(&self.destination)?;
        let network = match (source.address, destination.address) {
            (IpAddr::V4(from), IpAddr::V4(to)) if self.is_arp() => {
                self.refuse_ports(&source, &destination)?;
                Network::Arp {
                    operation: self.operation,
                    source: from,
                    destination: to,
                }
            }
            (IpAddr::V6(from), IpAddr::V6(to)) if self.is_arp() => {
                return Err(WordError::ArpForIpv6(from, to));
            }
            (IpAddr::V4(from), IpAddr::V4(to)) => Network::Ipv4 {
                source: from,
                destination: to,
                transport: self.transport(&source, &destination, ICMP_ECHO)?,
            },
            (IpAddr::V6(from), IpAddr::V6(to)) => Network::Ipv6 {
                source: from,
                destination: to,
                transport: self.transport(&source, &destination, ICMPV6_ECHO)?,
            },
            (source_address, destination) => {
                return Err(WordError::Families {
                    source_address,
                    destination,
                });
            }
        };
        Ok(PacketWords {
            source_mac: self.src_mac,
            destination_mac: self.dst_mac,
            vlan: self.vlan,
            network,
        })
    }

    fn is_arp(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("arp")
    }

    fn transport(&self, from: &Endpoint, to: &Endpoint, echo: u8) -> Result<Transport, WordError> {
        let word = self.protocol.to_ascii_lowercase();
        let transport = match word.as_str() {
            "tcp" | "6" => Transport::Tcp {
                ports: self.ports(from, to)?,
                flags: self.flags.clone(),
            },
            "udp" | "17" => Transport::Udp(self.ports(from, to)?),
            "sctp" | "132" => Transport::Sctp(self.ports(from, to)?),
            "dccp" | "33" => Transport::Dccp(self.ports(from, to)?),
            "udplite" | "136" => Transport::Udplite(self.ports(from, to)?),
            "icmp" | "icmpv6" | "ipv6-icmp" => {
                self.refuse_ports(from, to)?;
                let r#type = self.icmp_type.unwrap_or(echo);
                let (code, id, target) = (self.icmp_code, self.icmp_id, self.target);
                Transport::Icmp {
                    r#type,
                    code,
                    id,
                    target,
                }
            }
            other => {
                self.refuse_ports(from, to)?;
                let number = protocol::number_of(other).filter(|number| *number != 0);
                let number = number.ok_or_else(|| WordError::Protocol(self.protocol.clone()))?;
                Transport::Other { number }
            }
        };
        Ok(transport)
    }

    fn ports(&self, from: &Endpoint, to: &Endpoint) -> Result<Ports, WordError> {
        let missing = || WordError::NoPort(self.protocol.clone(), self.destination.clone());
        Ok(Ports {
            source_port: from.port.unwrap_or(EPHEMERAL),
            destination_port: to.port.ok_or_else(missing)?,
        })
    }

    fn refuse_ports(&self, from: &Endpoint, to: &Endpoint) -> Result<(), WordError> {
        if from.port.or(to.port).is_some() {
            return Err(WordError::HasNoPorts(self.protocol.clone()));
        }
        Ok(())
    }
}

/// An address with or without a port.
struct Endpoint {
    address: IpAddr,
    port: Option<u16>,
}

impl Endpoint {
    fn parse(word: &str) -> Result<Self, WordError> {
        if let Ok(socket) = word.parse::<SocketAddr>() {
            return Ok(Self {
                address: socket.ip(),
                port: Some(socket.port()),
            });
        }
        let bare = word
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(word);
        match bare.parse() {
            Ok(address) => Ok(Self {
                address,
                port: None,
            }),
            Err(source) => Err(WordError::Address {
                word: word.into(),
                source,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
