//! Where a program runs, and which way a packet goes.

/// The two places where a frame meets the filter on a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Hook {
    /// The tap receives what the VM sends: tc ingress of the tap, security-group **egress**.
    FromVm,
    /// The tap transmits what the VM will receive: tc egress of the tap, security-group **ingress**.
    ToVm,
}

impl Hook {
    /// Both hooks.
    pub const ALL: [Hook; 2] = [Hook::FromVm, Hook::ToVm];

    /// The direction in Neutron's words.
    #[inline(always)]
    pub const fn direction(self) -> Direction {
        match self {
            Hook::FromVm => Direction::Egress,
            Hook::ToVm => Direction::Ingress,
        }
    }

    /// The other hook: where the answer passes.
    #[inline(always)]
    pub const fn opposite(self) -> Hook {
        match self {
            Hook::FromVm => Hook::ToVm,
            Hook::ToVm => Hook::FromVm,
        }
    }

    /// The name used in logs and in the object file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Hook::FromVm => "from_vm",
            Hook::ToVm => "to_vm",
        }
    }
}

/// The direction of a security group rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// Towards the VM.
    Ingress = 0,
    /// From the VM.
    Egress = 1,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Direction; 2] = [Direction::Ingress, Direction::Egress];

    /// Neutron's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
    }
}
