//! What the kernel and userspace both know, defined once.
#![cfg_attr(not(any(test, feature = "memory")), no_std)]
