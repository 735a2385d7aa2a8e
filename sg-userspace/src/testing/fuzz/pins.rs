//! Names in the directory of pins.

use crate::datapath::named_by;

fn check(name: &[u8]) {
    if let Ok(name) = str::from_utf8(name)
        && !name.contains(['/', '\0'])
        && let Some(names) = named_by(name)
    {
        assert_eq!(names, name, "a pin has one name");
    }
}

super::target!("pins", check);
