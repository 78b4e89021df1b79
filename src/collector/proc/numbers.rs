//! Numbers and addresses as the tables print them.
//!
//! An address is printed as 32-bit words, each one a number of the machine that holds network-order bytes: on a
//! little-endian machine the bytes of every word look reversed.
#![warn(clippy::arithmetic_side_effects)]

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::collector::sockets::Address;

/// The byte order of the machine that wrote a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// x86, nearly all of ARM, RISC-V.
    Little,
    /// s390x, some of MIPS and PowerPC.
    Big,
}

impl Endian {
    pub const NATIVE: Self = if cfg!(target_endian = "little") { Self::Little } else { Self::Big };
}

impl fmt::Display for Endian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Little => "little-endian",
            Self::Big => "big-endian",
        })
    }
}

pub trait HexAddress: Address {
    const DIGITS: usize;
    /// The width of the column of an end, `ADDRESS:PORT`.
    const WIDTH: usize = Self::DIGITS + 5;

    /// Parses exactly [`Self::DIGITS`] digits; anything else is `None`.
    fn from_hex(digits: &[u8], endian: Endian) -> Option<Self>;
}

impl HexAddress for Ipv4Addr {
    const DIGITS: usize = 8;

    fn from_hex(digits: &[u8], endian: Endian) -> Option<Self> {
        let word = hex::<8>(digits.try_into().ok()?)?;
        Some(Self::from(match endian {
            Endian::Little => word.to_le_bytes(),
            Endian::Big => word.to_be_bytes(),
        }))
    }
}

impl HexAddress for Ipv6Addr {
    const DIGITS: usize = 32;

    fn from_hex(digits: &[u8], endian: Endian) -> Option<Self> {
        let digits: &[u8; 32] = digits.try_into().ok()?;
        let mut octets = [0; 16];
        for (word, group) in digits.as_chunks::<8>().0.iter().zip(octets.as_chunks_mut::<4>().0) {
            *group = Ipv4Addr::from_hex(word, endian)?.octets();
        }
        Some(Self::from(octets))
    }
}

/// The value of every hexadecimal digit; [`NO_DIGIT`] for other bytes.
#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "an index out of bounds does not compile")]
const DIGITS: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let (mut value, mut digit) = (0, b'0');
    while value < 16 {
        values[digit as usize] = value;
        values[digit.to_ascii_lowercase() as usize] = value;
        (value, digit) = (value + 1, if digit == b'9' { b'A' } else { digit + 1 });
    }
    values
};
const NO_DIGIT: u8 = 0xff;

pub(super) fn hex<const N: usize>(digits: &[u8; N]) -> Option<u32> {
    const { assert!(N <= 8) };
    let mut number = 0_u32;
    let mut all = 0; // validated once after the loop, to keep the hot loop free of branches
    for &digit in digits {
        let value = DIGITS.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
        number = number << 4 | u32::from(value);
        all |= value;
    }
    (all < 16).then_some(number)
}

/// Parses decimal digits: at least one, no sign, no blank, no overflow.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let value = digit.checked_sub(b'0').filter(|&value| value <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(value))
    })
}

/// Parses the decimal digits that `text` begins with, 1 to 19 of them, and returns what follows, too.
pub(super) fn split_decimal(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut rest = text;
    let mut number = 0_u64; // validated once after the loop: no 19 digits overflow
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit & 0x0f));
        rest = after;
    }
    matches!(text.len().wrapping_sub(rest.len()), 1..=19).then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_before_the_first_byte_that_is_not_a_digit() {
        assert_eq!(split_decimal(b"0 "), Some((0, &b" "[..])));
        assert_eq!(split_decimal(b"17:x"), Some((17, &b":x"[..])));
        assert_eq!(split_decimal(b"9999999999999999999"), Some((9_999_999_999_999_999_999, &b""[..])));
        for other in [&b""[..], b" 1", b"-1", b"/1", b":1", b"18446744073709551615", b"00000000000000000001"] {
            assert_eq!(split_decimal(other), None);
        }
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
    }
}
