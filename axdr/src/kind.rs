//! The types of COSEM data: their tags, ASN.1 names and sizes (IEC 62056-5-3, `Data`). Tags 7, 8, 11, 14 and 34 to 254
//! are not defined.

/// The types of COSEM data, by their tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names of the standard")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DataKind {
    NullData = 0,
    Array = 1,
    Structure = 2,
    Boolean = 3,
    BitString = 4,
    DoubleLong = 5,
    DoubleLongUnsigned = 6,
    OctetString = 9,
    VisibleString = 10,
    Utf8String = 12,
    Bcd = 13,
    Integer = 15,
    Long = 16,
    Unsigned = 17,
    LongUnsigned = 18,
    CompactArray = 19,
    Long64 = 20,
    Long64Unsigned = 21,
    Enum = 22,
    Float32 = 23,
    Float64 = 24,
    DateTime = 25,
    Date = 26,
    Time = 27,
    DeltaInteger = 28,
    DeltaLong = 29,
    DeltaDoubleLong = 30,
    DeltaUnsigned = 31,
    DeltaLongUnsigned = 32,
    DeltaDoubleLongUnsigned = 33,
    DontCare = 255,
}

impl DataKind {
    /// The type with this tag.
    pub const fn from_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            0 => Self::NullData,
            1 => Self::Array,
            2 => Self::Structure,
            3 => Self::Boolean,
            4 => Self::BitString,
            5 => Self::DoubleLong,
            6 => Self::DoubleLongUnsigned,
            9 => Self::OctetString,
            10 => Self::VisibleString,
            12 => Self::Utf8String,
            13 => Self::Bcd,
            15 => Self::Integer,
            16 => Self::Long,
            17 => Self::Unsigned,
            18 => Self::LongUnsigned,
            19 => Self::CompactArray,
            20 => Self::Long64,
            21 => Self::Long64Unsigned,
            22 => Self::Enum,
            23 => Self::Float32,
            24 => Self::Float64,
            25 => Self::DateTime,
            26 => Self::Date,
            27 => Self::Time,
            28 => Self::DeltaInteger,
            29 => Self::DeltaLong,
            30 => Self::DeltaDoubleLong,
            31 => Self::DeltaUnsigned,
            32 => Self::DeltaLongUnsigned,
            33 => Self::DeltaDoubleLongUnsigned,
            255 => Self::DontCare,
            _ => return None,
        })
    }

    /// The tag on the wire.
    pub const fn tag(self) -> u8 {
        self as u8
    }

    /// The name in the standard's ASN.1, `double-long-unsigned` for instance.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NullData => "null-data",
            Self::Array => "array",
            Self::Structure => "structure",
            Self::Boolean => "boolean",
            Self::BitString => "bit-string",
            Self::DoubleLong => "double-long",
            Self::DoubleLongUnsigned => "double-long-unsigned",
            Self::OctetString => "octet-string",
            Self::VisibleString => "visible-string",
            Self::Utf8String => "utf8-string",
            Self::Bcd => "bcd",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::Unsigned => "unsigned",
            Self::LongUnsigned => "long-unsigned",
            Self::CompactArray => "compact-array",
            Self::Long64 => "long64",
            Self::Long64Unsigned => "long64-unsigned",
            Self::Enum => "enum",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::DateTime => "date-time",
            Self::Date => "date",
            Self::Time => "time",
            Self::DeltaInteger => "delta-integer",
            Self::DeltaLong => "delta-long",
            Self::DeltaDoubleLong => "delta-double-long",
            Self::DeltaUnsigned => "delta-unsigned",
            Self::DeltaLongUnsigned => "delta-long-unsigned",
            Self::DeltaDoubleLongUnsigned => "delta-double-long-unsigned",
            Self::DontCare => "dont-care",
        }
    }

    /// How many octets a value takes, without its tag; `None` if that varies.
    pub const fn size(self) -> Option<usize> {
        Some(match self {
            Self::NullData | Self::DontCare => 0,
            Self::Boolean
            | Self::Bcd
            | Self::Integer
            | Self::Unsigned
            | Self::Enum
            | Self::DeltaInteger
            | Self::DeltaUnsigned => 1,
            Self::Long | Self::LongUnsigned | Self::DeltaLong | Self::DeltaLongUnsigned => 2,
            Self::DoubleLong
            | Self::DoubleLongUnsigned
            | Self::Float32
            | Self::Time
            | Self::DeltaDoubleLong
            | Self::DeltaDoubleLongUnsigned => 4,
            Self::Date => 5,
            Self::Long64 | Self::Long64Unsigned | Self::Float64 => 8,
            Self::DateTime => 12,
            Self::Array
            | Self::Structure
            | Self::BitString
            | Self::OctetString
            | Self::VisibleString
            | Self::Utf8String
            | Self::CompactArray => return None,
        })
    }
}
