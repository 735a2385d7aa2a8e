//! The state of a port, out of what is known of it.

use crate::view::PortState;

/// What decides the state of a port, or of an interface whose port has left the inventory.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Its interface is here.
    pub here: bool,
    /// Our programs are at both hooks of the interface, before all others.
    pub attached: bool,
    /// The tables have an entry for it.
    pub written: bool,
    /// The tables hold the newest inventory, and nothing else.
    pub current: bool,
    /// What no rule permits passes, by the operator's order.
    pub audited: bool,
    /// The inventory says that everything is to pass.
    pub unfiltered: bool,
    /// It is left out: its tap is to stay closed.
    pub left_out: bool,
    /// Something else than the kernel's bridge takes its frames, and before the filter.
    pub bypassed: bool,
}

impl Facts {
    /// What the filter does. Programs without an entry in the tables drop everything.
    pub fn state(self) -> PortState {
        match self {
            Self { here: false, .. } => PortState::Elsewhere,
            Self {
                attached: false, ..
            } => PortState::Open,
            Self {
                written: true,
                current: true,
                unfiltered: true,
                ..
            } => PortState::Unfiltered,
            Self { bypassed: true, .. } => PortState::Bypassed,
            Self {
                written: false,
                left_out: true,
                ..
            } => PortState::Closed,
            Self { written: false, .. } => PortState::Pending,
            Self { current: false, .. } => PortState::Outdated,
            Self { audited: true, .. } => PortState::Audit,
            _ => PortState::Enforcing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENFORCING: Facts = Facts {
        here: true,
        attached: true,
        written: true,
        current: true,
        audited: false,
        unfiltered: false,
        left_out: false,
        bypassed: false,
    };

    #[test]
    fn a_port_is_enforcing_only_if_nothing_speaks_against_it() {
        assert_eq!(ENFORCING.state(), PortState::Enforcing);
        let against = [
            (
                Facts {
                    here: false,
                    ..ENFORCING
                },
                PortState::Elsewhere,
            ),
            (
                Facts {
                    attached: false,
                    ..ENFORCING
                },
                PortState::Open,
            ),
            (
                Facts {
                    written: false,
                    ..ENFORCING
                },
                PortState::Pending,
            ),
            (
                Facts {
                    current: false,
                    ..ENFORCING
                },
                PortState::Outdated,
            ),
            (
                Facts {
                    unfiltered: true,
                    ..ENFORCING
                },
                PortState::Unfiltered,
            ),
            (
                Facts {
                    bypassed: true,
                    ..ENFORCING
                },
                PortState::Bypassed,
            ),
        ];
        for (facts, state) in against {
            assert_eq!(facts.state(), state, "{facts:?}");
        }
    }

    #[test]
    fn what_is_open_or_bypassed_is_never_called_closed() {
        let left_out = Facts {
            written: false,
            left_out: true,
            ..ENFORCING
        };
        assert_eq!(left_out.state(), PortState::Closed);
        let open = Facts {
            attached: false,
            bypassed: true,
            ..left_out
        };
        assert_eq!(open.state(), PortState::Open);
        let bypassed = Facts {
            bypassed: true,
            ..left_out
        };
        assert_eq!(bypassed.state(), PortState::Bypassed);
    }

    #[test]
    fn a_port_without_port_security_is_unfiltered_once_the_tables_say_so_and_closed_before() {
        let wanted = Facts {
            unfiltered: true,
            bypassed: true,
            ..ENFORCING
        };
        assert_eq!(wanted.state(), PortState::Unfiltered);
        let before = Facts {
            written: false,
            bypassed: false,
            ..wanted
        };
        assert_eq!(before.state(), PortState::Pending);
        let refused = Facts {
            current: false,
            bypassed: false,
            ..wanted
        };
        assert_eq!(refused.state(), PortState::Outdated);
    }
}
