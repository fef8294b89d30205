//! Numbers in CBOR.

/// The first bytes of an item: its major type and the shortest form of a number.
pub(super) fn header(out: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    let bytes = number.to_be_bytes();
    match number {
        0..24 => out.push(major | bytes[7]),
        24..0x100 => out.extend([major | 24, bytes[7]]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend(&bytes[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend(bytes);
        }
    }
}

/// The shortest float that has exactly this value; there is one NaN.
pub(super) fn float(out: &mut Vec<u8>, value: f64) {
    let single = value as f32;
    if value.is_nan() {
        out.extend([0xf9, 0x7e, 0x00]);
    } else if f64::from(single).to_bits() != value.to_bits() {
        out.push(0xfb);
        out.extend(value.to_be_bytes());
    } else if let Some(half) = to_half(single) {
        out.push(0xf9);
        out.extend(half.to_be_bytes());
    } else {
        out.push(0xfa);
        out.extend(single.to_be_bytes());
    }
}

/// The bits of the half-precision float that has exactly this value, which is no NaN.
fn to_half(value: f32) -> Option<u16> {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let exponent = (bits >> 23) & 0xff;
    let fraction = bits & 0x7f_ffff;
    match exponent {
        0 if fraction == 0 => Some(sign),
        255 if fraction == 0 => Some(sign | 0x7c00),
        // A normal half: 10 bits of fraction are enough.
        113..=142 if fraction & 0x1fff == 0 => {
            Some(sign | ((exponent - 112) << 10) as u16 | (fraction >> 13) as u16)
        }
        // A subnormal half: a multiple of 2^-24.
        103..=112 => {
            let whole = fraction | 0x80_0000;
            let shift = 126 - exponent;
            (whole & ((1 << shift) - 1) == 0).then(|| sign | (whole >> shift) as u16)
        }
        _ => None,
    }
}

/// The value of a half-precision float by its bits.
pub(super) fn from_half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match (bits >> 10) & 0x1f {
        0 => fraction / f64::from(1 << 24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (fraction + 1024.0) * f64::from(1 << exponent) / f64::from(1 << 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}
