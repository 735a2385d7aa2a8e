//! Bytes as hexadecimal digits.

use std::fmt::Write;

/// The digits of bytes.
pub fn to_hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A string takes whatever is written.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The bytes of digits, between which there may be white space and colons.
///
/// # Errors
///
/// A sentence that says what is none.
pub fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::with_capacity(text.len());
    for (place, character) in text.chars().enumerate() {
        match character.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None if character == ':' || character.is_whitespace() => {}
            None => {
                return Err(format!(
                    "{character:?} at place {} is no hexadecimal digit",
                    place + 1
                ));
            }
        }
    }
    let (bytes, rest) = digits.as_chunks::<2>();
    match rest {
        [] => Ok(bytes.iter().map(|[high, low]| high << 4 | low).collect()),
        _ => Err(format!(
            "{} hexadecimal digits are no whole bytes",
            digits.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_back_from_their_digits_as_people_write_them() {
        let bytes = [0, 0x1f, 0xa5, 0xff];
        assert_eq!(to_hex(&bytes), "001fa5ff");
        for text in ["001fa5ff", "00:1F:A5:FF", " 001f\n a5 ff "] {
            assert_eq!(from_hex(text), Ok(bytes.to_vec()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_digit_and_half_a_byte_are_named() {
        assert!(from_hex("00x1").unwrap_err().contains("'x' at place 3"));
        assert!(
            from_hex("001")
                .unwrap_err()
                .contains("3 hexadecimal digits")
        );
    }
}
