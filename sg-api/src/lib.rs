//! Neutron's v2.0 API for security groups and what they hang on, in front of a store.
