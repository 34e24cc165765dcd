// SPDX-License-Identifier: MPL-2.0

//! Arithmetic on octets (RFC 6330 §5.7): GF(2^8) with x^8 + x^4 + x^3 + x^2 + 1. Its subfield of 0 and 1 is GF(2), so
//! what is solved here serves RFC 5053 as well.

/// The product with α, which is 2.
#[inline(always)]
pub(crate) fn double(octet: u8) -> u8 {
    (octet << 1) ^ if octet & 0x80 == 0 { 0 } else { 0x1D }
}

/// The product.
pub(super) fn product(a: u8, b: u8) -> u8 {
    (0..8).rev().fold(0, |product, bit| double(product) ^ if b >> bit & 1 == 0 { 0 } else { a })
}

/// The inverse of an octet that is not 0: its 254th power.
pub(super) fn inverse(octet: u8) -> u8 {
    let mut power = octet;
    let mut inverse = 1;
    for _ in 1..8 {
        power = product(power, power);
        inverse = product(inverse, power);
    }
    inverse
}

/// Adds `factor * row` to `sum`.
pub(super) fn add_multiple(sum: &mut [u8], factor: u8, row: &[u8]) {
    match factor {
        0 => {}
        1 => sum.iter_mut().zip(row).for_each(|(sum, &octet)| *sum ^= octet),
        _ => {
            let mut products = [0; 256];
            for octet in 1..=255 {
                products[usize::from(octet)] = product(factor, octet);
            }
            sum.iter_mut().zip(row).for_each(|(sum, &octet)| *sum ^= products[usize::from(octet)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field() {
        // OCT_EXP[8] = 29, OCT_EXP[254] = 142 (RFC 6330 §5.7.3).
        let powers: Vec<u8> = std::iter::successors(Some(1), |&power| Some(double(power))).take(256).collect();
        assert_eq!((powers[8], powers[254], powers[255]), (29, 142, 1));
        assert_eq!(product(powers[200], powers[100]), powers[45]);
        for octet in 1..=255 {
            assert_eq!(product(octet, inverse(octet)), 1);
        }
    }

    #[test]
    fn multiples() {
        for factor in [0, 1, 2, 0x8E] {
            let mut sum = [7, 0, 255];
            add_multiple(&mut sum, factor, &[9, 200, 0]);
            assert_eq!(sum, [7 ^ product(9, factor), product(200, factor), 255]);
        }
    }
}
