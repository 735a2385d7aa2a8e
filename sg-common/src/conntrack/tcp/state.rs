//! States, classes of segments, and the two state tables (`nf_conntrack_proto_tcp.c`, `tcp_conntracks`).

use crate::layout::flow::Side;

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

/// What the tables answer for a segment in a state: another state, [`INVALID`] or [`IGNORE`].
#[inline(always)]
pub(super) const fn answer(side: Side, class: u8, old: u8) -> u8 {
    // Masked, so that the kernel's verifier sees that the row is one of the table's.
    let row = ROWS[(side as usize) << 3 | (class & 7) as usize];
    (row >> (4 * (old & 15) as u32) & 15) as u8
}

/// `tcp_conntracks[direction][class]`. In memory rather than in code: to the kernel's verifier all rows
/// are then one.
static ROWS: [u64; 16] = {
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
    const NONE: u64 = row([IV; 10]);
    [
        // original
        //   no  ss  sr  es  fw  cw  la  tw  cl  s2
        row([SS, SS, IG, IG, IG, IG, IG, SS, SS, S2]), // syn
        row([IV, IV, SR, IV, IV, IV, IV, IV, IV, SR]), // synack
        row([IV, IV, FW, FW, LA, LA, LA, TW, CL, IV]), // fin
        row([ES, IV, ES, ES, CW, CW, TW, TW, CL, IV]), // ack
        row([IV, CL, CL, CL, CL, CL, CL, CL, CL, CL]), // rst
        NONE,
        NONE,
        NONE,
        // reply
        row([IV, S2, IV, IV, IV, IV, IV, SS, IV, S2]), // syn
        row([IV, SR, IG, IG, IG, IG, IG, IG, IG, SR]), // synack
        row([IV, IV, FW, FW, LA, LA, LA, TW, CL, IV]), // fin
        row([IV, IG, SR, ES, CW, CW, TW, TW, CL, IG]), // ack
        row([IV, CL, CL, CL, CL, CL, CL, CL, CL, CL]), // rst
        NONE,
        NONE,
        NONE,
    ]
};
