//! Which rule is said to have permitted what.

use super::*;
