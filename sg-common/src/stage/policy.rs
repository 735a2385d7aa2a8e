//! The asking of the rules: whether a policy's rows permit a new connection.

use crate::layout::hit::{HitKey, way};
use crate::layout::policy::{
    GrantKey, MemberKey, Permits, PortGrant, PrefixKey, ask, port_protocol,
};
use crate::layout::shared::tag_is;
use crate::packet::{Opening, Transport};
use crate::tables::{Note, Tables};

/// Whether a policy permits a new connection, and what of it does, in `hit`: anyone's row, then the rows of the peers that the
/// address stands for. At most `policies` + `members` + two `prefixes` + three `grants` look-ups, and one of
/// `port_sets` and of `port_pairs` for each row that names them.
#[inline(always)]
pub fn permits<T: Tables>(tables: &T, id: u64, opening: &Opening, hit: &mut HitKey) -> bool {
    if id == 0 {
        return false;
    }
    let Some(policy) = tables.policy(&id) else {
        return false;
    };
    let (asks, sources, cidrs) = (policy.ask, policy.sources, policy.cidrs);
    let anyone = allow(tables, &policy.anyone, opening, hit);
    (hit.policy, hit.peer) = (id, 0);
    if !tag_is(&policy.id, &id) {
        return false;
    }
    if anyone {
        tables.note(Note::PermittedToAnyone);
        return true;
    }
    (asks & ask::MEMBERS != 0 && to_member(tables, sources, opening, hit))
        || (asks & ask::SOURCE_PREFIXES != 0 && within(tables, sources, opening, hit))
        || (asks & ask::CIDRS != 0 && within(tables, cidrs, opening, hit))
}

/// A subprogram of its own in the kernel, like [`within`].
#[cfg_attr(target_arch = "bpf", inline(never))]
fn to_member<T: Tables>(tables: &T, index: u64, opening: &Opening, hit: &mut HitKey) -> bool {
    let key = MemberKey {
        index,
        address: opening.key.remote,
    };
    let Some(member) = tables.member(&key) else {
        return false;
    };
    let peer = member.peer;
    let permitted = tag_is(&member.key, &key) && granted(tables, peer, opening, hit);
    if permitted {
        tables.note(Note::PermittedToMember);
    }
    permitted
}

/// A subprogram of its own in the kernel: its keys need their own stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn within<T: Tables>(tables: &T, index: u64, opening: &Opening, hit: &mut HitKey) -> bool {
    let key = PrefixKey {
        index,
        address: opening.key.remote,
    };
    let permitted = match tables.prefix(&key) {
        Some(peer) => granted(tables, peer, opening, hit),
        None => false,
    };
    if permitted {
        tables.note(Note::PermittedToPrefix);
    }
    permitted
}

#[inline(always)]
fn granted<T: Tables>(tables: &T, peer: u64, opening: &Opening, hit: &mut HitKey) -> bool {
    hit.peer = peer;
    let key = GrantKey {
        policy: hit.policy,
        peer,
    };
    let Some(grant) = tables.grant(&key) else {
        return false;
    };
    let allowed = allow(tables, &grant.permits, opening, hit);
    allowed && tag_is(&grant.key, &key)
}

/// Whether a row permits a new connection, and what of it does.
#[inline(always)]
fn allow<T: Tables>(tables: &T, permits: &Permits, opening: &Opening, hit: &mut HitKey) -> bool {
    let protocol = opening.key.protocol() as usize;
    if permits.protocols[(protocol >> 6) & 3] >> (protocol & 63) & 1 != 0 {
        (hit.way, hit.low, hit.high) = (way::PROTOCOL, 0, 0);
        return true;
    }
    match port_protocol(opening.key.protocol()) {
        Some(index) if opening.has_port() => {
            let pairs = permits.pairs;
            holds(
                tables,
                &permits.ports[index],
                opening.transport.destination,
                hit,
            ) || (pairs != 0 && pairs_hold(tables, pairs, opening, hit))
        }
        _ => false,
    }
}

/// A subprogram of its own in the kernel: it is asked at several places, and walks through a row.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn pairs_hold<T: Tables>(tables: &T, pairs: u64, opening: &Opening, hit: &mut HitKey) -> bool {
    let Transport {
        source,
        destination,
        ..
    } = opening.transport;
    (hit.way, hit.low, hit.high) = (way::PAIRS, 0, 0);
    tables.in_port_pairs(&pairs, opening.key.protocol(), source, destination)
}

#[inline(always)]
fn holds<T: Tables>(tables: &T, grant: &PortGrant, port: u16, hit: &mut HitKey) -> bool {
    match grant.set {
        0 => {
            hit.within(grant.low, grant.high, port);
            grant.low <= port && port <= grant.high
        }
        set => {
            let word = tables.port_word(&set, port);
            hit.in_word(word, port);
            word >> (port & 63) & 1 != 0
        }
    }
}
