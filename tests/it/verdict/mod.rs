//! What becomes of single packets and of conversations: tables, on the host and in the kernel.

mod conversations;
mod ethertypes;
mod random;
mod rules;
mod senders;
mod switches;
mod trunks;
