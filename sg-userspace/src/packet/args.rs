//! A packet in words, as typed: `tcp 198.51.100.7:40000 10.0.0.5:80 --flags syn`.

use std::net::{AddrParseError, IpAddr, Ipv6Addr, SocketAddr};

use clap::{Args, Parser, error::ErrorKind};
use sg_common::{
    conntrack::icmp,
    wire::{
        addr::Family,
        icmp::{v4, v6},
    },
};

use super::words::{ArpOperation, FragmentPart, Network, PacketWords, Ports, TcpFlag, Transport};
use crate::model::{Mac, protocol};

/// The source port of a client that did not say which: the first of the dynamic range, RFC 6335.
const EPHEMERAL: u16 = 49152;

/// The words, as typed.
#[derive(Debug, Clone, Args)]
pub struct PacketArgs {
    /// tcp, udp, sctp, dccp, udplite, icmp, arp, or any other protocol by name or number
    #[arg(value_name = "PROTOCOL", requires = "destination")]
    pub protocol: Option<String>,
    /// Source ADDRESS or ADDRESS:PORT; IPv6 with a port as [ADDRESS]:PORT
    #[arg(value_name = "SOURCE")]
    pub source: Option<String>,
    /// Destination ADDRESS or ADDRESS:PORT
    #[arg(value_name = "DESTINATION")]
    pub destination: Option<String>,
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
    /// ICMP error: the packet that it is about, as that was sent (from the destination of the error)
    #[arg(
        long,
        num_args = 3,
        value_names = ["PROTOCOL", "SOURCE", "DESTINATION"]
    )]
    pub about: Option<Vec<String>>,
    /// Not the whole packet but a fragment of it
    #[arg(long, value_name = "WHICH")]
    pub fragment: Option<FragmentPart>,
    /// ARP: a question or an answer
    #[arg(long, default_value = "request")]
    pub operation: ArpOperation,
    /// ARP: the sender's MAC address in the packet (default: the source MAC address of the frame)
    #[arg(long, value_name = "MAC")]
    pub sender_mac: Option<Mac>,
    /// Source MAC address of the frame (default: the port's for --egress, some other for --ingress)
    #[arg(long, visible_alias = "mac", value_name = "MAC")]
    pub src_mac: Option<Mac>,
    /// Destination MAC address of the frame (default: the port's for --ingress, some other for --egress)
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
    #[error(
        "ICMP type {kind} is an error about another packet; say which, as it was sent: \
         --about tcp {example}"
    )]
    AboutWhat { kind: u8, example: String },
    #[error("only an ICMP error is about another packet, and {0} is none")]
    AboutNothing(String),
    #[error("an ICMP error is about a packet of its own family that is no ICMP error itself")]
    AboutOther,
    #[error("only ARP has a sender MAC address beside that of the frame: --src-mac")]
    NoSender,
    #[error("ARP has no fragments")]
    NoFragments,
    #[error("{0}")]
    Line(String),
    #[error(
        "a packet has a protocol, a source and a destination: tcp 198.51.100.7:40000 10.0.0.5:80"
    )]
    Nothing,
}

/// The words alone, without a program before them.
#[derive(Parser)]
#[command(
    no_binary_name = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
struct Line {
    #[command(flatten)]
    args: PacketArgs,
}

impl PacketArgs {
    /// The words of a line, in which there are spaces between them.
    pub fn read(line: &str) -> Result<Self, WordError> {
        let line = Line::try_parse_from(line.split_whitespace());
        line.map(|line| line.args)
            .map_err(|error| match error.kind() {
                ErrorKind::MissingRequiredArgument => WordError::Nothing,
                _ => WordError::Line(in_short(&error)),
            })
    }

    /// What the words mean.
    pub fn parse(&self) -> Result<PacketWords, WordError> {
        let (Some(protocol), Some(source), Some(destination)) =
            (&self.protocol, &self.source, &self.destination)
        else {
            return Err(WordError::Nothing);
        };
        let typed = Typed {
            protocol,
            source,
            destination,
            flags: &self.flags,
            icmp_type: self.icmp_type,
            about: self.about.as_deref(),
            args: self,
        };
        let network = typed.network()?;
        match network {
            Network::Arp { .. } if self.fragment.is_some() => return Err(WordError::NoFragments),
            Network::Arp { .. } => {}
            _ if self.sender_mac.is_some() => return Err(WordError::NoSender),
            _ => {}
        }
        Ok(PacketWords {
            source_mac: self.src_mac,
            destination_mac: self.dst_mac,
            vlan: self.vlan,
            fragment: self.fragment,
            network,
        })
    }
}

/// What is wrong with a command line, without how it is used.
fn in_short(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let paragraph = text.split("\n\nUsage").next().unwrap_or(text);
    let lines = paragraph.lines().map(str::trim);
    let said: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    said.join(" ")
}

/// A packet as typed: the one that is meant, or the one that it is about.
#[derive(Clone, Copy)]
struct Typed<'a> {
    protocol: &'a str,
    source: &'a str,
    destination: &'a str,
    flags: &'a [TcpFlag],
    icmp_type: Option<u8>,
    about: Option<&'a [String]>,
    /// What holds for both.
    args: &'a PacketArgs,
}

impl Typed<'_> {
    fn network(&self) -> Result<Network, WordError> {
        let source = Endpoint::parse(self.source)?;
        let destination = Endpoint::parse(self.destination)?;
        Ok(match (source.address, destination.address) {
            (IpAddr::V4(from), IpAddr::V4(to)) if self.is_arp() => {
                self.refuse_ports(&source, &destination)?;
                self.refuse_about()?;
                Network::Arp {
                    operation: self.args.operation,
                    sender_mac: self.args.sender_mac,
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
                transport: self.transport(&source, &destination, Family::V4)?,
            },
            (IpAddr::V6(from), IpAddr::V6(to)) => Network::Ipv6 {
                source: from,
                destination: to,
                transport: self.transport(&source, &destination, Family::V6)?,
            },
            (source_address, destination) => {
                return Err(WordError::Families {
                    source_address,
                    destination,
                });
            }
        })
    }

    fn is_arp(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("arp")
    }

    fn transport(
        &self,
        from: &Endpoint,
        to: &Endpoint,
        family: Family,
    ) -> Result<Transport, WordError> {
        let word = match (self.protocol.to_ascii_lowercase().as_str(), family) {
            ("icmpv6" | "ipv6-icmp", _) | ("1", Family::V4) | ("58", Family::V6) => "icmp".into(),
            (word, _) => word.to_owned(),
        };
        if word != "icmp" {
            self.refuse_about()?;
        }
        let transport = match word.as_str() {
            "tcp" | "6" => Transport::Tcp {
                ports: self.ports(from, to)?,
                flags: self.flags.to_vec(),
            },
            "udp" | "17" => Transport::Udp(self.ports(from, to)?),
            "sctp" | "132" => Transport::Sctp(self.ports(from, to)?),
            "dccp" | "33" => Transport::Dccp(self.ports(from, to)?),
            "udplite" | "136" => Transport::Udplite(self.ports(from, to)?),
            "icmp" => {
                self.refuse_ports(from, to)?;
                let echo = match family {
                    Family::V4 => v4::ECHO,
                    Family::V6 => v6::ECHO,
                };
                let kind = self.icmp_type.unwrap_or(echo);
                Transport::Icmp {
                    r#type: kind,
                    code: self.args.icmp_code,
                    id: self.args.icmp_id,
                    target: self.args.target,
                    about: self.about(family, kind, to)?,
                }
            }
            other => {
                self.refuse_ports(from, to)?;
                let number = protocol::number_of(other).filter(|number| *number != 0);
                let number = number.ok_or_else(|| WordError::Protocol(self.protocol.to_owned()))?;
                Transport::Other { number }
            }
        };
        Ok(transport)
    }

    /// The packet that an ICMP error quotes.
    fn about(
        &self,
        family: Family,
        kind: u8,
        to: &Endpoint,
    ) -> Result<Option<Box<Network>>, WordError> {
        let words = match (self.about, icmp::is_error_type(family, kind)) {
            (None, false) => return Ok(None),
            (Some(words), true) => words,
            (Some(_), false) => return Err(WordError::AboutNothing(format!("type {kind}"))),
            (None, true) => {
                let source = SocketAddr::new(to.address, EPHEMERAL);
                let destination = match family {
                    Family::V4 => "198.51.100.7:80",
                    Family::V6 => "[2001:db8::7]:80",
                };
                let example = format!("{source} {destination}");
                return Err(WordError::AboutWhat { kind, example });
            }
        };
        let [protocol, source, destination] = words else {
            return Err(WordError::AboutOther);
        };
        let quoted = Typed {
            protocol,
            source,
            destination,
            flags: &[TcpFlag::Ack],
            icmp_type: None,
            about: None,
            ..*self
        };
        match (quoted.network()?, family) {
            (network @ Network::Ipv4 { .. }, Family::V4)
            | (network @ Network::Ipv6 { .. }, Family::V6) => Ok(Some(Box::new(network))),
            _ => Err(WordError::AboutOther),
        }
    }

    fn refuse_about(&self) -> Result<(), WordError> {
        match self.about {
            Some(_) => Err(WordError::AboutNothing(self.protocol.to_owned())),
            None => Ok(()),
        }
    }

    fn ports(&self, from: &Endpoint, to: &Endpoint) -> Result<Ports, WordError> {
        let missing = || WordError::NoPort(self.protocol.to_owned(), self.destination.to_owned());
        Ok(Ports {
            source_port: from.port.unwrap_or(EPHEMERAL),
            destination_port: to.port.ok_or_else(missing)?,
        })
    }

    fn refuse_ports(&self, from: &Endpoint, to: &Endpoint) -> Result<(), WordError> {
        if from.port.or(to.port).is_some() {
            return Err(WordError::HasNoPorts(self.protocol.to_owned()));
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
