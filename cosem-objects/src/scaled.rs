//! Scaler and unit, and the physical values that they make of raw ones: value × 10^scaler in a unit.

use core::fmt;

use dlms_axdr::{BufferFull, Data, Encode, Encoder, Enum, FromData, TypeMismatch};

use crate::{AttributeType, Unit};

/// `scaler_unit`: structure { scaler integer, unit enum }.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScalerUnit {
    /// The power of ten by which the raw value is multiplied.
    pub scaler: i8,
    /// The unit of the result.
    pub unit: Unit,
}

/// A physical value: a number, a power of ten and a unit. Integers stay exact.
///
/// ```
/// use cosem_objects::{Number, ScaledValue, ScalerUnit, Unit};
/// let unit = ScalerUnit::new(-1, Unit::VoltageVolt);
/// let value = ScaledValue { number: Number::Integer(2304), scaler_unit: unit };
/// assert_eq!(value.to_string(), "230.4 V");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaledValue {
    /// The raw value.
    pub number: Number,
    /// What to make of it.
    pub scaler_unit: ScalerUnit,
}

/// A raw numeric value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Of any of the integer types.
    Integer(i128),
    /// Of any of the floating-point types.
    Float(f64),
}

impl ScalerUnit {
    /// No scaling and no unit: scaler 0, unit 255.
    pub const NONE: Self = Self::new(0, Unit::NoUnit);

    /// The scaler and the unit.
    pub const fn new(scaler: i8, unit: Unit) -> Self {
        Self { scaler, unit }
    }

    /// The physical value of `data`, if it is a number.
    pub fn apply(self, data: Data<'_>) -> Option<ScaledValue> {
        Some(ScaledValue { number: Number::from_data(data)?, scaler_unit: self })
    }
}

impl Number {
    /// The number in `data`, if it is one; enumerations, booleans and strings are none.
    pub fn from_data(data: Data<'_>) -> Option<Self> {
        Some(match data {
            Data::Integer(value) | Data::DeltaInteger(value) => Self::Integer(value.into()),
            Data::Long(value) | Data::DeltaLong(value) => Self::Integer(value.into()),
            Data::DoubleLong(value) | Data::DeltaDoubleLong(value) => Self::Integer(value.into()),
            Data::Long64(value) => Self::Integer(value.into()),
            Data::Unsigned(value) | Data::DeltaUnsigned(value) => Self::Integer(value.into()),
            Data::LongUnsigned(value) | Data::DeltaLongUnsigned(value) => Self::Integer(value.into()),
            Data::DoubleLongUnsigned(value) | Data::DeltaDoubleLongUnsigned(value) => {
                Self::Integer(value.into())
            }
            Data::Long64Unsigned(value) => Self::Integer(value.into()),
            Data::Float32(value) => Self::Float(value.into()),
            Data::Float64(value) => Self::Float(value),
            _ => return None,
        })
    }
}

impl ScaledValue {
    /// The value as a floating-point number in its unit.
    pub fn as_f64(&self) -> f64 {
        let number = match self.number {
            Number::Integer(value) => value as f64,
            Number::Float(value) => value,
        };
        let mut power = 1.0;
        for _ in 0..self.scaler_unit.scaler.unsigned_abs() {
            power *= 10.0;
        }
        if self.scaler_unit.scaler < 0 { number / power } else { number * power }
    }

    /// The unit.
    pub const fn unit(&self) -> Unit {
        self.scaler_unit.unit
    }

    /// Writes the value with its decimals, without the unit: what a column of many of them needs.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_number(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self.number {
            Number::Integer(value) => write_decimal(out, value, self.scaler_unit.scaler),
            Number::Float(_) => write!(out, "{}", self.as_f64()),
        }
    }
}

/// The value with its decimals, then the unit's symbol.
impl fmt::Display for ScaledValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_number(f)?;
        match self.scaler_unit.unit.symbol() {
            "" => Ok(()),
            symbol => write!(f, " {symbol}"),
        }
    }
}

/// The most digits of a number.
const DIGITS: usize = 39;

/// `value` × 10^`scaler` in decimal notation, exact. A profile has many of them: the digits are made here, which is several
/// times faster than by way of the formatting machinery.
fn write_decimal(f: &mut impl fmt::Write, value: i128, scaler: i8) -> fmt::Result {
    let mut buffer = [b'0'; DIGITS];
    let digits = digits(value.unsigned_abs(), &mut buffer);
    if value < 0 {
        f.write_str("-")?;
    }
    let decimals = usize::from(scaler.unsigned_abs());
    match scaler {
        _ if value == 0 => f.write_str(digits),
        0.. => {
            f.write_str(digits)?;
            (0..decimals).try_for_each(|_| f.write_str("0"))
        }
        _ if decimals >= DIGITS => write!(f, "{digits}e{scaler}"),
        _ => {
            let whole = digits.len().saturating_sub(decimals);
            let (whole, fraction) = digits.split_at_checked(whole).ok_or(fmt::Error)?;
            f.write_str(if whole.is_empty() { "0" } else { whole })?;
            f.write_str(".")?;
            (fraction.len()..decimals).try_for_each(|_| f.write_str("0"))?;
            f.write_str(fraction)
        }
    }
}

/// The decimal digits of a number, at the end of the buffer.
fn digits(mut number: u128, buffer: &mut [u8; DIGITS]) -> &str {
    let mut at = DIGITS;
    let mut put = |digit: u8| {
        at = at.saturating_sub(1);
        if let Some(place) = buffer.get_mut(at) {
            *place = b'0' + digit;
        }
        at
    };
    // Divisions of 128 bits are slow, and nearly every number has 64.
    let mut number = loop {
        match u64::try_from(number) {
            Ok(number) => break number,
            Err(_) => {
                put((number % 10) as u8);
                number /= 10;
            }
        }
    };
    let start = loop {
        let start = put((number % 10) as u8);
        number /= 10;
        if number == 0 {
            break start;
        }
    };
    buffer.get(start..).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or_default()
}

impl Encode for ScalerUnit {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), BufferFull> {
        encoder.octets(&[2, 2, 15, self.scaler as u8, 22, self.unit.code()])
    }
}

impl FromData<'_> for ScalerUnit {
    fn from_data(data: Data<'_>) -> Result<Self, TypeMismatch> {
        let (scaler, Enum(unit)) = FromData::from_data(data)?;
        Ok(Self { scaler, unit: Unit::from_code(unit) })
    }
}

impl AttributeType for ScalerUnit {
    type Value<'a> = Self;

    fn decode(data: Data<'_>) -> Result<Self, TypeMismatch> {
        Self::from_data(data)
    }
}

#[cfg(all(test, feature = "std"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn show(number: i128, scaler: i8) -> std::string::String {
        ScaledValue {
            number: Number::Integer(number),
            scaler_unit: ScalerUnit::new(scaler, Unit::from_code(30)),
        }
        .to_string()
    }

    #[test]
    fn decimal_notation_is_exact() {
        assert_eq!(show(5009, 0), "5009 Wh");
        assert_eq!(show(5009, 3), "5009000 Wh");
        assert_eq!(show(-5, -3), "-0.005 Wh");
        assert_eq!(show(123_456, -3), "123.456 Wh");
        assert_eq!(show(0, -2), "0 Wh");
        assert_eq!(show(1, -128), "1e-128 Wh");
        assert_eq!(show(-1, -38), "-0.00000000000000000000000000000000000001 Wh");
        assert_eq!(show(i128::MIN, 0), "-170141183460469231731687303715884105728 Wh");
        assert_eq!(show(i128::MAX, -39), "170141183460469231731687303715884105727e-39 Wh");
        assert_eq!(show(u64::MAX.into(), -19), "1.8446744073709551615 Wh");
        assert_eq!(show(i128::from(u64::MAX) + 1, -1), "1844674407370955161.6 Wh");
        assert_eq!(show(12, -2), "0.12 Wh");
    }

    #[test]
    fn wire_form() {
        let mut buffer = [0; 6];
        ScalerUnit::new(-1, Unit::VoltageVolt).encode(&mut Encoder::new(&mut buffer)).unwrap();
        assert_eq!(buffer, [0x02, 0x02, 0x0F, 0xFF, 0x16, 0x23]);
        assert_eq!(
            ScalerUnit::from_data(Data::from_octets(&buffer).unwrap()).unwrap().unit,
            Unit::VoltageVolt
        );
    }
}
