//! What becomes of single packets and of conversations: tables, on the host and in the kernel.

mod conversations;
mod rules;
mod senders;
