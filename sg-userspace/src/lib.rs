//! Userspace half of the security-group filter.
