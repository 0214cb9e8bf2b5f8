//! Reading DER with the offset of every fault: a few steps over the reader of `der`.

use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode, Header, Reader as _, SliceReader, Tag};

use super::{CertificateError, CertificateFault};
use crate::{Curve, PublicKey, Signature};

pub(super) type Reader<'a> = SliceReader<'a>;
pub(super) type Result<T, E = CertificateError> = core::result::Result<T, E>;

/// Contents of DER that must end exactly where its one outer element ends, and be no longer than `limit`.
pub(super) fn exactly<'a, T>(
    octets: &'a [u8],
    limit: usize,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T>,
) -> Result<T> {
    if octets.len() > limit {
        return Err(CertificateFault::TooLong { limit, found: octets.len() }.at(0));
    }
    let mut reader = SliceReader::new(octets)?;
    let value = read(&mut reader)?;
    let end = offset(&reader);
    if !reader.is_finished() {
        return Err(CertificateFault::TrailingOctets.at(end));
    }
    Ok(value)
}

pub(super) fn offset(reader: &Reader<'_>) -> usize {
    usize::try_from(reader.position()).unwrap_or(usize::MAX)
}

/// Where a part of `whole`, which must be a part, starts.
pub(super) fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr()).min(whole.len())
}

/// A constructed element with this tag; `read` must read its contents to the end.
pub(super) fn within<'a, T>(
    reader: &mut Reader<'a>,
    tag: Tag,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T>,
) -> Result<T> {
    let header = header(reader, tag)?;
    reader.read_nested(header.length(), read)
}

/// The contents of a primitive element with this tag.
pub(super) fn value<'a>(reader: &mut Reader<'a>, tag: Tag) -> Result<&'a [u8]> {
    let header = header(reader, tag)?;
    Ok(reader.read_slice(header.length())?)
}

fn header(reader: &mut Reader<'_>, tag: Tag) -> Result<Header> {
    let start = offset(reader);
    let header = Header::decode(reader).map_err(|error| at_least(error, start))?;
    if header.tag() != tag {
        return Err(CertificateFault::Malformed.at(start));
    }
    Ok(header)
}

/// Some errors of `der` have no position.
fn at_least(error: der::Error, start: usize) -> CertificateError {
    let error = CertificateError::from(error);
    CertificateError { offset: error.offset.max(start), ..error }
}

/// Whether the next element has this tag.
pub(super) fn is_next(reader: &Reader<'_>, tag: Tag) -> bool {
    Tag::peek(reader).is_ok_and(|next| next == tag)
}

/// One element of any kind, header and all.
pub(super) fn element<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let start = offset(reader);
    reader.tlv_bytes().map_err(|error| at_least(error, start))
}

/// A value that `der` reads, with the given fault where it is none.
pub(super) fn read<'a, T>(reader: &mut Reader<'a>, fault: CertificateFault) -> Result<T>
where
    T: Decode<'a>,
{
    let start = offset(reader);
    T::decode(reader).map_err(|_| fault.at(start))
}

/// A BIT STRING of whole octets.
pub(super) fn octets_of_bits<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let start = offset(reader);
    match value(reader, Tag::BitString)?.split_first() {
        Some((0, octets)) => Ok(octets),
        _ => Err(CertificateFault::Malformed.at(start)),
    }
}

pub(super) const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
pub(super) const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
pub(super) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// AlgorithmIdentifier of a signature: the curve of the key that makes it. There are no parameters.
pub(super) fn signature_algorithm(reader: &mut Reader<'_>) -> Result<Curve> {
    let fault = CertificateFault::SignatureAlgorithm.at(offset(reader));
    within(reader, Tag::Sequence, |reader| {
        match read::<ObjectIdentifier>(reader, CertificateFault::SignatureAlgorithm)? {
            ECDSA_WITH_SHA256 => Ok(Curve::P256),
            ECDSA_WITH_SHA384 => Ok(Curve::P384),
            _ => Err(fault),
        }
    })
}

/// SubjectPublicKeyInfo with a named curve and an uncompressed point.
pub(super) fn public_key(reader: &mut Reader<'_>) -> Result<PublicKey> {
    let fault = CertificateFault::PublicKey;
    let start = offset(reader);
    within(reader, Tag::Sequence, |reader| {
        let curve = within(reader, Tag::Sequence, |reader| {
            let algorithm: ObjectIdentifier = read(reader, fault)?;
            if algorithm != EC_PUBLIC_KEY {
                return Err(fault.at(start));
            }
            match read::<ObjectIdentifier>(reader, fault)? {
                P256 => Ok(Curve::P256),
                P384 => Ok(Curve::P384),
                _ => Err(fault.at(start)),
            }
        })?;
        let at = offset(reader);
        match octets_of_bits(reader)?.split_first() {
            Some((4, point)) => PublicKey::new(curve, point).map_err(|_| fault.at(at)),
            _ => Err(fault.at(at)),
        }
    })
}

/// The BIT STRING of an ECDSA signature, `SEQUENCE { r INTEGER, s INTEGER }`, as `r ‖ s`.
pub(super) fn signature(reader: &mut Reader<'_>, curve: Curve) -> Result<Signature> {
    let start = offset(reader);
    let bits = octets_of_bits(reader)?;
    let base = offset(reader).saturating_sub(bits.len());
    let pair = exactly(bits, bits.len(), |reader| {
        within(reader, Tag::Sequence, |reader| {
            let mut pair = [0; Signature::MAX_LENGTH];
            let (r, s) = pair.split_at_mut(curve.coordinate_len());
            for half in [r, s] {
                let half = half.get_mut(..curve.coordinate_len()).unwrap_or_default();
                let number: UintRef<'_> = read(reader, CertificateFault::Malformed)?;
                let number = number.as_bytes();
                let room = half.len().checked_sub(number.len()).and_then(|from| half.get_mut(from..));
                room.ok_or(CertificateFault::Malformed.at(0))?.copy_from_slice(number);
            }
            Ok(pair)
        })
    })
    .map_err(|error| CertificateError { offset: base.saturating_add(error.offset), ..error })?;
    let octets = pair.get(..curve.pair_len()).unwrap_or_default();
    Signature::new(curve, octets).map_err(|_| CertificateFault::Malformed.at(start))
}
