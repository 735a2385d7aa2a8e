//! The filter over tables in memory: a sentence for every stage.

mod arp;
mod builtin;
mod connection;
mod counted;
mod ethertype;
mod events;
mod fragment;
mod frame;
mod full;
mod icmp;
mod invalid;
mod ipv6;
mod lent;
mod lookups;
mod policy;
mod property;
mod reload;
mod revocation;
mod source;
mod switches;
mod trunk;
