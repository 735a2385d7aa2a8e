//! Finding what somebody names, by id or by name.

use uuid::Uuid;

use crate::error::{Error, Result};

/// The security group of an id, or else of a name. `of` says both of a group.
///
/// # Errors
///
/// [`Error::NoSuchGroup`]; [`Error::AmbiguousGroup`] with all that it may be.
pub fn group<'a, G>(
    groups: impl IntoIterator<Item = &'a G>,
    of: impl Fn(&'a G) -> (Uuid, &'a str),
    reference: &str,
) -> Result<&'a G> {
    let id = reference.parse::<Uuid>().ok();
    let mut named = Vec::new();
    for group in groups {
        match of(group) {
            (its, _) if Some(its) == id => return Ok(group),
            (_, name) if name == reference => named.push(group),
            _ => {}
        }
    }
    match named.as_slice() {
        [] => Err(Error::NoSuchGroup(reference.into())),
        [group] => Ok(group),
        several => Err(Error::AmbiguousGroup {
            reference: reference.into(),
            candidates: several
                .iter()
                .map(|group| of(group).0.to_string())
                .collect(),
        }),
    }
}
