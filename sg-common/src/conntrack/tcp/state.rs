//! States, classes of segments, and the two state tables (`nf_conntrack_proto_tcp.c`, `tcp_conntracks`).

use crate::flow::Side;

/// The states, `enum tcp_conntrack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are nf_conntrack's")]
pub enum State {
    None = 0,
    SynSent = 1,
    SynRecv = 2,
    Established = 3,
    FinWait = 4,
    CloseWait = 5,
    LastAck = 6,
    TimeWait = 7,
    Close = 8,
    SynSent2 = 9,
}

impl State {
    /// The state of a number, [`State::None`] for one that is none.
    pub const fn from_number(number: u8) -> State {
        match number {
            1 => State::SynSent,
            2 => State::SynRecv,
            3 => State::Established,
            4 => State::FinWait,
            5 => State::CloseWait,
            6 => State::LastAck,
            7 => State::TimeWait,
            8 => State::Close,
            9 => State::SynSent2,
            _ => State::None,
        }
    }

    /// The name `conntrack -L` prints.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::None => "NONE",
            State::SynSent => "SYN_SENT",
            State::SynRecv => "SYN_RECV",
            State::Established => "ESTABLISHED",
            State::FinWait => "FIN_WAIT",
            State::CloseWait => "CLOSE_WAIT",
            State::LastAck => "LAST_ACK",
            State::TimeWait => "TIME_WAIT",
            State::Close => "CLOSE",
            State::SynSent2 => "SYN_SENT2",
        }
    }
}

/// The classes of segments, `enum tcp_bit_set`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    Syn = 0,
    SynAck = 1,
    Fin = 2,
    Ack = 3,
    Rst = 4,
}

/// What the tables answer beside a state.
pub(super) const INVALID: u8 = 14;
pub(super) const IGNORE: u8 = 15;

/// One row of a state table: the answer for each of the ten states, four bits each.
const fn row(answers: [u8; 10]) -> u64 {
    let mut packed = 0;
    let mut state = 0;
    while state < answers.len() {
        packed |= (answers[state] as u64) << (4 * state);
        state += 1;
    }
    packed
}

/// `tcp_conntracks[direction][class]`.
#[inline(always)]
pub(super) const fn table(side: Side, class: Class) -> u64 {
    const SS: u8 = State::SynSent as u8;
    const SR: u8 = State::SynRecv as u8;
    const ES: u8 = State::Established as u8;
    const FW: u8 = State::FinWait as u8;
    const CW: u8 = State::CloseWait as u8;
    const LA: u8 = State::LastAck as u8;
    const TW: u8 = State::TimeWait as u8;
    const CL: u8 = State::Close as u8;
    const S2: u8 = State::SynSent2 as u8;
    const IV: u8 = INVALID;
    const IG: u8 = IGNORE;
    match (side, class) {
        //                                       no  ss  sr  es  fw  cw  la  tw  cl  s2
        (Side::Original, Class::Syn) => const { row([SS, SS, IG, IG, IG, IG, IG, SS, SS, S2]) },
        (Side::Original, Class::SynAck) => const { row([IV, IV, SR, IV, IV, IV, IV, IV, IV, SR]) },
        (Side::Original, Class::Fin) => const { row([IV, IV, FW, FW, LA, LA, LA, TW, CL, IV]) },
        (Side::Original, Class::Ack) => const { row([ES, IV, ES, ES, CW, CW, TW, TW, CL, IV]) },
        (Side::Original, Class::Rst) => const { row([IV, CL, CL, CL, CL, CL, CL, CL, CL, CL]) },
        (Side::Reply, Class::Syn) => const { row([IV, S2, IV, IV, IV, IV, IV, SS, IV, S2]) },
        (Side::Reply, Class::SynAck) => const { row([IV, SR, IG, IG, IG, IG, IG, IG, IG, SR]) },
        (Side::Reply, Class::Fin) => const { row([IV, IV, FW, FW, LA, LA, LA, TW, CL, IV]) },
        (Side::Reply, Class::Ack) => const { row([IV, IG, SR, ES, CW, CW, TW, TW, CL, IG]) },
        (Side::Reply, Class::Rst) => const { row([IV, CL, CL, CL, CL, CL, CL, CL, CL, CL]) },
    }
}
