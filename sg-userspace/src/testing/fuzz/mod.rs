//! Every parser that reads what others write, under inputs that are almost right: a file for each.
//!
//! `cargo xtask fuzz` runs them for long. `tests/corpora/TARGET` has what they start from, and what was found;
//! each file of it is also read as it is.

mod api;
mod captures;
mod corpus;
mod ctnetlink;
mod flows;
mod frames;
mod inventory;
mod mutate;
mod pins;
mod settings;
mod store;
mod transactions;

/// The tests of a target: its corpus, and what becomes of that by changes to the bytes or, with `json`, to the
/// values.
macro_rules! target {
    ($name:literal, $check:expr $(, $json:ident)?) => {
        #[test]
        fn what_is_in_the_corpus_is_read() {
            for input in crate::testing::fuzz::corpus::of($name) {
                $check(&input.0);
            }
        }

        proptest::proptest! {
            #[test]
            fn whatever_was_changed_in_it_is_read(
                input in crate::testing::fuzz::mutate::bytes(crate::testing::fuzz::corpus::of($name))
            ) {
                $check(&input.0);
            }

            $(
            #[test]
            fn whatever_other_values_it_has_is_read(
                input in crate::testing::fuzz::mutate::$json(crate::testing::fuzz::corpus::of($name))
            ) {
                $check(&input.0);
            }
            )?
        }
    };
}
use target;
