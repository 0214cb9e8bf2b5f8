//! What is wrong with octets: the layer, a short reason that programs can compare, and a sentence for people.

use core::fmt;

use dlms::xdlms::apdu_name;
use dlms_axdr::{DecodeError, DecodeErrorKind};
use dlms_hdlc::{FrameError, FrameErrorKind};
use dlms_security::SecurityError;
use dlms_wrapper::WrapperError;
use serde_json::{Value, json};

/// The layer that refuses octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The input itself, or a framing that is not covered.
    Framing,
    /// HDLC frames.
    Hdlc,
    /// The TCP/UDP wrapper.
    Wrapper,
    /// General block transfer.
    Gbt,
    /// AARQ, AARE, RLRQ, RLRE.
    Acse,
    /// The other APDUs.
    Xdlms,
    /// Data.
    Axdr,
    /// Keys and tags.
    Security,
    /// Telegrams of the P1 consumer port.
    P1,
    /// Data messages of IEC 62056-21.
    Iec62056Part21,
}

impl Layer {
    /// The name, `axdr` for instance.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Framing => "framing",
            Self::Hdlc => "hdlc",
            Self::Wrapper => "wrapper",
            Self::Gbt => "gbt",
            Self::Acse => "acse",
            Self::Xdlms => "xdlms",
            Self::Axdr => "axdr",
            Self::Security => "security",
            Self::P1 => "p1",
            Self::Iec62056Part21 => "iec62056-21",
        }
    }
}

/// Why octets are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which layer refuses them.
    pub layer: Layer,
    /// Why, in a short form: `fcs-mismatch` for instance.
    pub reason: String,
    /// Where, counted from the first octet of what the layer was given.
    pub offset: Option<usize>,
    /// Why, in a sentence.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(layer: Layer, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { layer, reason: reason.into(), offset: None, message: message.into() }
    }

    pub(crate) fn at(self, offset: usize) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// `layer` and `reason`, with `offset` and `message`.
    pub(crate) fn json(&self) -> Value {
        json!({
            "layer": self.layer.name(),
            "reason": self.reason,
            "offset": self.offset,
            "message": self.message,
        })
    }

    /// A Data that does not decode.
    pub(crate) fn data(error: DecodeError) -> Self {
        decode(Layer::Axdr, error)
    }

    /// An ACSE APDU that does not decode.
    pub(crate) fn acse(error: DecodeError) -> Self {
        match error.kind {
            DecodeErrorKind::TrailingOctets(_) => {
                Self { reason: "length-mismatch".into(), ..decode(Layer::Acse, error) }
            }
            _ => decode(Layer::Acse, error),
        }
    }

    /// An xDLMS APDU that does not decode. Where the value in it is to blame, the layer is that of Data.
    pub(crate) fn xdlms(apdu: &[u8], error: DecodeError) -> Self {
        let in_data = match error.kind {
            DecodeErrorKind::UnknownTag { expected, .. } => {
                matches!(expected.as_str(), "Data" | "TypeDescription" | "simple type")
            }
            DecodeErrorKind::TooDeep | DecodeErrorKind::TooManyElements => true,
            DecodeErrorKind::InvalidValue(what) => what.as_str() == "utf8-string",
            _ => data_start(apdu).is_some_and(|start| error.offset >= start),
        };
        let is_left_over = matches!(error.kind, DecodeErrorKind::TrailingOctets(_));
        decode(if in_data && !is_left_over { Layer::Axdr } else { Layer::Xdlms }, error)
    }

    pub(crate) fn hdlc(error: FrameError) -> Self {
        let reason = match error.kind {
            FrameErrorKind::FormatType => "format-type",
            FrameErrorKind::Truncated => "truncated",
            FrameErrorKind::Length { .. } => "length-mismatch",
            FrameErrorKind::Address => "invalid-address",
            FrameErrorKind::TooShort => "length-too-short",
            FrameErrorKind::HeaderCheck => "hcs-mismatch",
            FrameErrorKind::FrameCheck => "fcs-mismatch",
        };
        Self::new(Layer::Hdlc, reason, error.kind.to_string()).at(error.offset)
    }

    pub(crate) fn wrapper(error: WrapperError) -> Self {
        let (reason, offset) = match error {
            WrapperError::Version { offset, .. } => ("version", offset),
            WrapperError::NoApdu { offset } => ("no-apdu", offset),
            WrapperError::TooLong { offset, .. } => ("too-long", offset),
            WrapperError::Truncated { offset, .. } => ("truncated", offset),
            WrapperError::Trailing { offset, .. } => ("trailing-octets", offset),
            _ => ("malformed", 0),
        };
        Self::new(Layer::Wrapper, reason, error.to_string()).at(usize::try_from(offset).unwrap_or(usize::MAX))
    }

    pub(crate) fn security(error: SecurityError) -> Self {
        let reason = match error {
            SecurityError::TagMismatch => "tag-mismatch",
            SecurityError::KeyLength { .. } => "key-length",
            SecurityError::ReservedSuite(_) => "reserved-suite",
            SecurityError::CompressionNotSupported => "compression-not-supported",
            SecurityError::Truncated { .. } => "truncated",
            _ => "refused",
        };
        Self::new(Layer::Security, reason, error.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.layer.name())?;
        if let Some(offset) = self.offset {
            write!(f, ", octet {offset}")?;
        }
        write!(f, ": {} ({})", self.message, self.reason)
    }
}

impl std::error::Error for Problem {}

fn decode(layer: Layer, error: DecodeError) -> Problem {
    let reason = match error.kind {
        DecodeErrorKind::Truncated { .. } => "truncated".into(),
        DecodeErrorKind::UnknownTag { found, .. } => format!("unknown-tag-0x{found:02x}"),
        DecodeErrorKind::InvalidLength(octet) => format!("invalid-length-0x{octet:02x}"),
        DecodeErrorKind::InvalidValue(what) => format!("invalid-{}", what.as_str().replace(' ', "-")),
        DecodeErrorKind::TrailingOctets(_) => "trailing-octets".into(),
        DecodeErrorKind::TooDeep => "nested-too-deep".into(),
        DecodeErrorKind::TooManyElements => "too-many-elements".into(),
        _ => "malformed".into(),
    };
    Problem::new(layer, reason, error.kind.to_string()).at(error.offset)
}

/// Where the one value of an APDU begins, in the APDUs that end with one.
fn data_start(apdu: &[u8]) -> Option<usize> {
    match apdu {
        [0x0F, _, _, _, _, date_time, ..] => Some(6 + usize::from(*date_time)),
        [0xC4, 0x01, _, 0x00, ..] => Some(4),
        [0xC1, 0x01, ..] | [0xC3, 0x01, ..] => Some(13),
        _ => None,
    }
}

/// What an APDU is called that does not decode.
pub(crate) fn name_of(apdu: &[u8]) -> String {
    let tag = apdu.first().copied().unwrap_or(0);
    match dlms::xdlms::ServiceCiphering::service_of(tag) {
        Some((service, dedicated)) => ciphered_name(service, dedicated),
        None => match tag {
            dlms::acse::AARQ => "aarq".into(),
            dlms::acse::AARE => "aare".into(),
            dlms::acse::RLRQ => "rlrq".into(),
            dlms::acse::RLRE => "rlre".into(),
            tag => apdu_name(tag).map_or_else(|| format!("apdu-0x{tag:02x}"), Into::into),
        },
    }
}

/// `glo-get-request` for instance.
pub(crate) fn ciphered_name(service: u8, dedicated: bool) -> String {
    let prefix = if dedicated { "ded" } else { "glo" };
    format!("{prefix}-{}", apdu_name(service).unwrap_or("apdu"))
}

/// Octets as hexadecimal digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The octets of hexadecimal digits. White space and `0x` do not count. The error is the place of a wrong character, or
/// `None` for half an octet.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>, Option<usize>> {
    let mut octets = Vec::with_capacity(text.len() / 2);
    let mut half = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character.is_whitespace() {
            continue;
        }
        if half.is_none() && character == '0' && matches!(characters.peek(), Some((_, 'x' | 'X'))) {
            characters.next();
            continue;
        }
        let digit = character.to_digit(16).ok_or(Some(at))? as u8;
        half = match half {
            None => Some(digit),
            Some(high) => {
                octets.push(high << 4 | digit);
                None
            }
        };
    }
    if half.is_some() { Err(None) } else { Ok(octets) }
}
