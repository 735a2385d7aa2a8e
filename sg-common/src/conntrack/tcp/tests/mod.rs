//! The TCP tracker against what nf_conntrack does.

mod dialogue;
mod footnotes;
mod options;
mod property;
mod reset;
mod sequences;
mod table;
mod timeouts;
mod window;
