//! The clock on the wall.

use jiff::{Timestamp, tz::TimeZone};

/// A moment by the clock of this place; as it is, if it is none.
pub fn local_time(time: &str) -> String {
    time_in(time, TimeZone::system())
}

/// A moment by the clock of a place.
pub fn time_in(time: &str, zone: TimeZone) -> String {
    let Ok(moment) = time.parse::<Timestamp>() else {
        return time.to_owned();
    };
    let moment = moment.to_zoned_datetime(zone);
    moment.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}
