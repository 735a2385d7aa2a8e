//! What is wrong at an interface, in words, with what mends it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// What is wrong at an interface. It is looked for again and again, and is over as soon as it is not found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The kernel refuses our programs.
    Refused {
        /// What it says.
        error: String,
    },
    /// A qdisc of kind `ingress` stands where clsact, which has both hooks, has to be.
    IngressQdisc,
    /// A program of another runs before ours: what it lets pass, ours does not see.
    NotFirst {
        /// Where, and what.
        other: Other,
    },
    /// The filter was put back some times, and each time it was taken off or got before anew.
    Contended,
    /// A filter of another sgd, which drops by its own policy what ours lets pass.
    OtherFilter {
        /// Where, and what.
        other: Other,
    },
    /// What carries the frames of the VM on reads them before the filter.
    Bypassed {
        /// Who.
        reader: String,
    },
    /// Somebody reads frames before the filter, and a bridge carries on what passes it.
    Captured {
        /// Who.
        reader: String,
    },
    /// Another program is at XDP, where what the VM sends was to be judged: it is judged at tc.
    XdpTaken {
        /// Its number.
        program: u32,
        /// Its name, possibly empty.
        name: String,
        /// Whether it runs within the driver, and not in the network stack.
        native: bool,
    },
    /// The kernel refuses our program at XDP, where what the VM sends was to be judged: it is judged at tc.
    XdpRefused {
        /// What it says.
        error: String,
    },
    /// The interface was moved to another network namespace, where it is closed.
    Moved {
        /// The name that it had here; empty if only a former process knew.
        interface: String,
        /// The numbers of the links of tcx that keep it closed.
        links: Vec<u32>,
    },
}

/// A program at a hook that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Other {
    /// Where, in tc's words.
    pub direction: &'static str,
    /// How it hangs there: `tcx` or `clsact`.
    pub way: &'static str,
    /// Its number.
    pub program: u32,
    /// The number of the link of tcx that holds it there; 0 if none does.
    pub link: u32,
    /// Its name, possibly empty.
    pub name: String,
}

impl Trouble {
    /// The name for programs, in snake case.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::IngressQdisc => "ingress_qdisc",
            Self::NotFirst { .. } => "not_first",
            Self::Contended => "contended",
            Self::OtherFilter { .. } => "other_filter",
            Self::Bypassed { .. } => "bypassed",
            Self::Captured { .. } => "captured",
            Self::XdpTaken { .. } => "xdp_taken",
            Self::XdpRefused { .. } => "xdp_refused",
            Self::Moved { .. } => "moved",
        }
    }

    /// Whether frames can pass that the port's rules forbid. A port with such trouble is not enforced.
    pub const fn opens(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::IngressQdisc
            | Self::NotFirst { .. }
            | Self::Contended
            | Self::Bypassed { .. } => true,
            Self::OtherFilter { .. }
            | Self::Captured { .. }
            | Self::XdpTaken { .. }
            | Self::XdpRefused { .. }
            | Self::Moved { .. } => false,
        }
    }

    /// Whether frames go past the filter, whatever is at the hooks.
    pub const fn is_bypass(&self) -> bool {
        matches!(self, Self::Bypassed { .. })
    }

    /// What is wrong, as the rest of a sentence that begins with the interface.
    pub fn problem(&self) -> String {
        match self {
            Self::Refused { error } => format!("is not filtered: {error}"),
            Self::IngressQdisc => {
                "has a qdisc of kind `ingress` in the place of clsact: frames to the VM \
                 are not filtered, and all frames from it are dropped"
                    .into()
            }
            Self::NotFirst { other } => {
                format!("has {other} before our filter, which does not see what that lets pass")
            }
            Self::Contended => {
                "is contended: as often as its filter is put back, somebody takes it off or \
                 puts another program before it, and frames pass in between"
                    .into()
            }
            Self::OtherFilter { other } => {
                format!(
                    "has the filter of another sgd beside ours, {other}, which drops by its own policy"
                )
            }
            Self::Bypassed { reader } => format!(
                "is read by {reader} before the filter, and its frames go on from there: what is forwarded \
                 so, the filter cannot drop"
            ),
            Self::Captured { reader } => format!(
                "is read by {reader} before the filter, which therefore sees frames that are then dropped"
            ),
            Self::XdpTaken { program, name, .. } => format!(
                "has the XDP program {name:?} (id {program}) of another: what its VM sends is filtered at tc"
            ),
            Self::XdpRefused { error } => {
                format!("takes no filter at XDP: what its VM sends is filtered at tc ({error})")
            }
            Self::Moved { .. } => {
                "was moved to another network namespace, where it is kept closed".into()
            }
        }
    }

    /// What mends it, as a sentence.
    pub fn remedy(&self, interface: &str) -> String {
        match self {
            Self::Refused { .. } => "It is tried again.".into(),
            Self::IngressQdisc => format!(
                "`tc qdisc del dev {interface} ingress` removes it; whoever made it, such as libvirt's \
                 <bandwidth> or Open vSwitch's ingress_policing_rate, makes it again until told not to. \
                 With tcx (Linux 6.6, `--attach tcx`) both go together."
            ),
            Self::NotFirst { other } => format!(
                "The filter takes the first place again, but by clsact it cannot get before a program of \
                 tcx: find out who attaches it ({}).",
                other.question(interface)
            ),
            Self::Contended => format!(
                "Find out who that is: `bpftool prog list`, `tc filter show dev {interface} ingress` and \
                 the log of this daemon; it is put back every five seconds until then."
            ),
            Self::OtherFilter { other } => format!(
                "`sgd detach --bpffs DIR` takes it off, with the directory of the other one{}.",
                match other.link {
                    0 => String::new(),
                    link => format!(", in which is the pin that `bpftool -f link show id {link}` names"),
                }
            ),
            Self::Bypassed { .. } => {
                "Let a bridge of the kernel carry its frames, or Open vSwitch with datapath_type=system; a \
                 capture is harmless, and this is over when it ends."
                    .into()
            }
            Self::Captured { .. } => "A capture is harmless; a switch that works so is not.".into(),
            Self::XdpTaken { program, native, .. } => {
                let kind = if *native { "xdpdrv" } else { "xdpgeneric" };
                format!(
                    "There is room for one: `ip link set dev {interface} {kind} off` takes it off, or where \
                     that is busy `bpftool link detach id LINK`, with the link that `bpftool link list` shows \
                     with prog {program}; then ours is put there. Or set from_vm = \"tc\" for this port."
                )
            }
            Self::XdpRefused { .. } => {
                "It is tried again; set from_vm = \"tc\" for this port where XDP cannot be had.".into()
            }
            Self::Moved { links, .. } => {
                let detach = links.iter().map(|link| format!("`bpftool link detach id {link}`"));
                let detach: Vec<_> = detach.collect();
                format!("Moved back it is filtered as before; to open it there: {}.", detach.join(" and "))
            }
        }
    }
}

impl Other {
    /// The command that shows it.
    fn question(&self, interface: &str) -> String {
        let Self {
            direction, program, ..
        } = self;
        match self.way {
            "clsact" => format!("`tc filter show dev {interface} {direction}`"),
            _ => format!("`bpftool prog show id {program}`"),
        }
    }
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            direction,
            way,
            program,
            name,
            ..
        } = self;
        write!(
            f,
            "the program {name:?} (id {program}, by {way} at {direction})"
        )
    }
}

/// The index under which trouble is told that all interfaces have; no interface has it.
pub const EVERY_INTERFACE: u32 = 0;

/// The troubles of all interfaces, by index.
#[derive(Debug, Default)]
pub struct Troubles(BTreeMap<u32, BTreeSet<Trouble>>);

impl Troubles {
    /// Notes one.
    pub fn insert(&mut self, ifindex: u32, trouble: Trouble) {
        self.0.entry(ifindex).or_default().insert(trouble);
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (u32, &Trouble)> {
        let all = self.0.iter();
        all.flat_map(|(ifindex, troubles)| troubles.iter().map(|trouble| (*ifindex, trouble)))
    }

    /// Those of one interface.
    pub fn of(&self, ifindex: u32) -> impl Iterator<Item = &Trouble> {
        self.0.get(&ifindex).into_iter().flatten()
    }

    /// Those that `older` does not have.
    pub fn since<'a>(&'a self, older: &'a Self) -> impl Iterator<Item = (u32, &'a Trouble)> {
        self.all()
            .filter(|(ifindex, trouble)| older.of(*ifindex).all(|old| old != *trouble))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_and_what_is_over_is_told_apart_from_what_goes_on() {
        let refused = |error: &str| Trouble::Refused {
            error: error.into(),
        };
        let (mut before, mut after) = (Troubles::default(), Troubles::default());
        before.insert(7, refused("no memory"));
        before.insert(7, Trouble::Contended);
        after.insert(7, Trouble::Contended);
        after.insert(8, Trouble::Contended);
        assert_eq!(
            after.since(&before).collect::<Vec<_>>(),
            [(8, &Trouble::Contended)]
        );
        let over: Vec<_> = before.since(&after).collect();
        assert_eq!(over, [(7, &refused("no memory"))]);
    }

    #[test]
    fn an_ingress_qdisc_is_told_with_the_command_that_removes_it() {
        let remedy = Trouble::IngressQdisc.remedy("tap0");
        assert!(
            remedy.contains("`tc qdisc del dev tap0 ingress`"),
            "{remedy}"
        );
        assert!(Trouble::IngressQdisc.opens());
    }
}
