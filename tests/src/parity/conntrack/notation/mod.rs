//! How cases are written: `handshake: tcp: >S <SA >A +20 >A(len=100)`.
//!
//! A case is a name, a setup and steps. `>` is a packet from the VM, `<` one from its peer; what
//! follows is the protocol's own word ([`super::frames`]), and in brackets where it is not what a
//! well-behaved sender would send next: `seq=7` is just that, `seq+7` and `seq-7` count from it, and
//! a bare word switches something on. `+20`: so many seconds pass (the expiry of every entry is
//! moved). `~2100`: so many milliseconds pass on the clock.

mod text;

/// What is sent, under which settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it stands for.
    pub name: String,
    /// Under which circumstances.
    pub setup: Setup,
    /// What happens.
    pub steps: Vec<Step>,
}

/// The circumstances of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setup {
    /// What the packets are.
    pub protocol: Protocol,
    /// Over IPv6.
    pub v6: bool,
    /// TCP must fit the windows (`nf_conntrack_tcp_be_liberal` = 0).
    pub strict: bool,
    /// TCP is not picked up in the middle (`nf_conntrack_tcp_loose` = 0).
    pub tight: bool,
    /// Resets out of sequence are not invalid (`nf_conntrack_tcp_ignore_invalid_rst` = 1).
    pub any_reset: bool,
    /// Only the VM may open connections.
    pub closed: bool,
}

/// What the packets of a case are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Protocol {
    Tcp,
    Udp,
    UdpLite,
    Icmp,
    Sctp,
    Gre,
    /// Any other, by number.
    Other(u8),
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A packet is sent.
    Packet(Packet),
    /// So many seconds pass, as far as the expiry of entries goes.
    Age(u32),
    /// So many milliseconds pass.
    Wait(u32),
}

/// A packet in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Who sends it.
    pub from: End,
    /// What it is, in the protocol's own words.
    pub word: String,
    /// What is not as it would be.
    pub fields: Vec<Field>,
}

/// One of the two who talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The virtual machine.
    Vm,
    /// Whoever it talks with.
    Peer,
}

/// A part of a packet that is not as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which.
    pub name: String,
    /// In what way.
    pub value: Value,
}

/// In what way a part of a packet is not as it would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// It is this.
    Is(i64),
    /// It is more, or less, by so much.
    Off(i64),
    /// It is switched on.
    On,
}

impl End {
    /// The other.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Vm => Self::Peer,
            Self::Peer => Self::Vm,
        }
    }
}

impl Packet {
    /// A packet as a well-behaved sender would send it next.
    #[must_use]
    pub fn new(from: End, word: &str) -> Self {
        Self {
            from,
            word: word.to_owned(),
            fields: Vec::new(),
        }
    }

    /// Sets a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.fields.push(Field {
            name: name.to_owned(),
            value,
        });
        self
    }

    /// The value of a field that would be `usual`, modulo 2^32 as all numbers on the wire.
    #[must_use]
    pub fn number(&self, name: &str, usual: u32) -> u32 {
        match self.value(name) {
            None => usual,
            Some(Value::Is(value)) => value as u32,
            Some(Value::Off(by)) => usual.wrapping_add(by as u32),
            Some(Value::On) => 1,
        }
    }

    /// Whether a field is written at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn value(&self, name: &str) -> Option<Value> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(field.value)
    }
}

impl Protocol {
    /// Its number.
    #[must_use]
    pub const fn number(self, v6: bool) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::UdpLite => 136,
            Self::Icmp if v6 => 58,
            Self::Icmp => 1,
            Self::Sctp => 132,
            Self::Gre => 47,
            Self::Other(number) => number,
        }
    }
}

impl Setup {
    /// The defaults of this filter, where both may open connections.
    #[must_use]
    pub const fn new(protocol: Protocol, v6: bool) -> Self {
        Self {
            protocol,
            v6,
            strict: false,
            tight: false,
            any_reset: false,
            closed: false,
        }
    }
}
