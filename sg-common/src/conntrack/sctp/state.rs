//! States and the two state tables (`nf_conntrack_proto_sctp.c`, `sctp_conntracks`).

use super::chunk;
use crate::layout::flow::Side;

/// The states, `enum sctp_conntrack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are nf_conntrack's")]
pub enum State {
    None = 0,
    Closed = 1,
    CookieWait = 2,
    CookieEchoed = 3,
    Established = 4,
    ShutdownSent = 5,
    ShutdownReceived = 6,
    ShutdownAckSent = 7,
    HeartbeatSent = 8,
}

impl State {
    /// The state of a number, [`State::None`] for one that is none.
    pub const fn from_number(number: u8) -> State {
        match number {
            1 => State::Closed,
            2 => State::CookieWait,
            3 => State::CookieEchoed,
            4 => State::Established,
            5 => State::ShutdownSent,
            6 => State::ShutdownReceived,
            7 => State::ShutdownAckSent,
            8 => State::HeartbeatSent,
            _ => State::None,
        }
    }

    /// The name `conntrack -L` prints.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::None => "NONE",
            State::Closed => "CLOSED",
            State::CookieWait => "COOKIE_WAIT",
            State::CookieEchoed => "COOKIE_ECHOED",
            State::Established => "ESTABLISHED",
            State::ShutdownSent => "SHUTDOWN_SENT",
            State::ShutdownReceived => "SHUTDOWN_RECD",
            State::ShutdownAckSent => "SHUTDOWN_ACK_SENT",
            State::HeartbeatSent => "HEARTBEAT_SENT",
        }
    }
}

/// What the tables answer beside a state.
pub(super) const INVALID: u8 = 15;

/// The state that a chunk leads to from another one; [`INVALID`] if it cannot come there. Chunks that
/// mean nothing to the association change no state.
#[inline(always)]
pub(super) const fn after(side: Side, chunk: u8, old: u8) -> u8 {
    // Masked, so that the kernel's verifier sees that the row is one of the table's.
    let row = ROWS[(side as usize) << 4 | (chunk & 15) as usize];
    (row >> (4 * (old & 15) as u32) & 15) as u8
}

/// One row of a state table: the answer for each of the nine states, four bits each.
const fn row(answers: [u8; 9]) -> u64 {
    let mut packed = 0;
    let mut state = 0;
    while state < answers.len() {
        packed |= (answers[state] as u64) << (4 * state);
        state += 1;
    }
    packed
}

/// `sctp_conntracks[direction][chunk]`, by type of chunk. In memory rather than in code: to the kernel's
/// verifier all rows are then one.
static ROWS: [u64; 32] = {
    const NO: u8 = State::None as u8;
    const CL: u8 = State::Closed as u8;
    const CW: u8 = State::CookieWait as u8;
    const CE: u8 = State::CookieEchoed as u8;
    const ES: u8 = State::Established as u8;
    const SS: u8 = State::ShutdownSent as u8;
    const SR: u8 = State::ShutdownReceived as u8;
    const SA: u8 = State::ShutdownAckSent as u8;
    const HS: u8 = State::HeartbeatSent as u8;
    const IV: u8 = INVALID;
    const SAME: u64 = row([NO, CL, CW, CE, ES, SS, SR, SA, HS]);
    const ORIGINAL: usize = (Side::Original as usize) << 4;
    const REPLY: usize = (Side::Reply as usize) << 4;
    let mut rows = [SAME; 32];
    //                                                   no  cl  cw  ce  es  ss  sr  sa  hs
    rows[ORIGINAL + chunk::INIT as usize] = row([CL, CL, CW, CE, ES, CL, CL, SA, CW]);
    rows[ORIGINAL + chunk::INIT_ACK as usize] = row([CL, CL, CW, CE, ES, SS, SR, SA, CL]);
    rows[ORIGINAL + chunk::ABORT as usize] = row([CL, CL, CL, CL, CL, CL, CL, CL, CL]);
    rows[ORIGINAL + chunk::SHUTDOWN as usize] = row([CL, CL, CW, CE, SS, SS, SR, SA, CL]);
    rows[ORIGINAL + chunk::SHUTDOWN_ACK as usize] = row([SA, CL, CW, CE, ES, SA, SA, SA, SA]);
    rows[ORIGINAL + chunk::ERROR as usize] = row([CL, CL, CW, CE, ES, SS, SR, SA, CL]);
    rows[ORIGINAL + chunk::COOKIE_ECHO as usize] = row([CL, CL, CE, CE, ES, SS, SR, SA, CL]);
    rows[ORIGINAL + chunk::COOKIE_ACK as usize] = row([CL, CL, CW, ES, ES, SS, SR, SA, CL]);
    rows[ORIGINAL + chunk::SHUTDOWN_COMPLETE as usize] = row([CL, CL, CW, CE, ES, SS, SR, CL, CL]);
    rows[ORIGINAL + chunk::HEARTBEAT as usize] = row([HS, CL, CW, CE, ES, SS, SR, SA, HS]);
    rows[ORIGINAL + chunk::HEARTBEAT_ACK as usize] = row([CL, CL, CW, CE, ES, SS, SR, SA, HS]);
    rows[REPLY + chunk::INIT as usize] = row([IV, CL, CW, CE, ES, SS, SR, SA, IV]);
    rows[REPLY + chunk::INIT_ACK as usize] = row([IV, CW, CW, CE, ES, SS, SR, SA, IV]);
    rows[REPLY + chunk::ABORT as usize] = row([IV, CL, CL, CL, CL, CL, CL, CL, IV]);
    rows[REPLY + chunk::SHUTDOWN as usize] = row([IV, CL, CW, CE, SR, SS, SR, SA, IV]);
    rows[REPLY + chunk::SHUTDOWN_ACK as usize] = row([IV, CL, CW, CE, ES, SA, SA, SA, IV]);
    rows[REPLY + chunk::ERROR as usize] = row([IV, CL, CW, CL, ES, SS, SR, SA, IV]);
    rows[REPLY + chunk::COOKIE_ECHO as usize] = row([IV, CL, CE, CE, ES, SS, SR, SA, IV]);
    rows[REPLY + chunk::COOKIE_ACK as usize] = row([IV, CL, CW, ES, ES, SS, SR, SA, IV]);
    rows[REPLY + chunk::SHUTDOWN_COMPLETE as usize] = row([IV, CL, CW, CE, ES, SS, SR, CL, IV]);
    rows[REPLY + chunk::HEARTBEAT as usize] = row([IV, CL, CW, CE, ES, SS, SR, SA, HS]);
    rows[REPLY + chunk::HEARTBEAT_ACK as usize] = row([IV, CL, CW, CE, ES, SS, SR, SA, ES]);
    rows
};
