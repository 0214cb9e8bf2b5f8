//! Keys of the suites 1 and 2 as people have them: raw hexadecimal, or a file with PEM, DER or hexadecimal in it.
//!
//! | | private key | public key |
//! | --- | --- | --- |
//! | hexadecimal | the scalar, 32 or 48 octets | `x ‖ y`, 64 or 96 octets, or with `04` in front |
//! | PEM | `PRIVATE KEY` (PKCS#8), `EC PRIVATE KEY` (SEC 1) | `PUBLIC KEY`, `CERTIFICATE` |
//! | DER | the same | the same |
//!
//! No message quotes what was typed: it may be a key.

use std::path::Path;

use dlms_security::certificate::{Certificate, CertificationRequest, read_public_key};
use dlms_security::{Curve, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure, Result};
use crate::parse::hex;

/// More is no key, certificate or request of ours.
const MAX_FILE: u64 = 64 * 1024;

/// The private key that `text` is or names, of the option `option`.
pub(crate) fn private_key(text: &str, option: &str) -> Result<PrivateKey> {
    if let Some(key) = hex::octets(text).ok().map(Zeroizing::new).and_then(|octets| scalar(&octets)) {
        return Ok(key);
    }
    private_key_file(existing(text, option)?)
}

/// The private key of a file.
pub(crate) fn private_key_file(path: &Path) -> Result<PrivateKey> {
    let fault = || unusable(path, "no private key on P-256 or P-384");
    pieces(path)?.iter().find_map(private_key_of).ok_or_else(fault)
}

/// The octets of a symmetric key in a file, which holds them raw or as hexadecimal digits.
pub(crate) fn secret_octets(path: &Path) -> Result<Vec<u8>> {
    match &pieces(path)?[..] {
        [Piece { label: None, octets }] => Ok(octets.to_vec()),
        _ => Err(unusable(path, "no symmetric key")),
    }
}

/// The public key that `text` is or names, of the option `option`. A certificate is taken for its key: it is not
/// verified.
pub(crate) fn public_key(text: &str, option: &str) -> Result<PublicKey> {
    if let Some(key) = hex::octets(text).ok().and_then(|octets| point(&octets)) {
        return Ok(key);
    }
    let path = existing(text, option)?;
    let fault = || unusable(path, "no public key on P-256 or P-384, and no certificate of one");
    pieces(path)?.iter().find_map(public_key_of).ok_or_else(fault)
}

/// What a file that may be shown holds: the first that is none of the private keys.
pub(crate) enum Document {
    Certificate(Vec<u8>),
    Request(Vec<u8>),
    PublicKey(PublicKey),
}

/// The certificate, certification request or public key of a file.
pub(crate) fn document(path: &Path) -> Result<Document> {
    let pieces = pieces(path)?;
    for piece in &pieces {
        let is = |label: &str| piece.label.as_deref().is_none_or(|own| own == label);
        if is("CERTIFICATE") && Certificate::from_der(&piece.octets).is_ok() {
            return Ok(Document::Certificate(piece.octets.to_vec()));
        }
        let is_request = is("CERTIFICATE REQUEST") || is("NEW CERTIFICATE REQUEST");
        if is_request && CertificationRequest::from_der(&piece.octets).is_ok() {
            return Ok(Document::Request(piece.octets.to_vec()));
        }
        if let Some(key) = public_key_of(piece) {
            return Ok(Document::PublicKey(key));
        }
    }
    // A certificate outside the profile is the likely case: say what is wrong with it.
    let error = pieces
        .iter()
        .find(|piece| piece.label.as_deref().is_none_or(|label| label == "CERTIFICATE"))
        .and_then(|piece| Certificate::from_der(&piece.octets).err());
    Err(match error {
        Some(error) => Failure::new(
            Exit::Malformed,
            "certificate",
            "malformed",
            format!("{}: {}", path.display(), error.fault),
        )
        .at(error.offset),
        None => unusable(path, "no certificate, certification request or public key"),
    })
}

/// The certificate of an authority: in its directory, or in this file.
pub(crate) fn authority(path: &Path) -> Result<Vec<u8>> {
    let path = if path.is_dir() { path.join("root.pem") } else { path.to_owned() };
    match document(&path)? {
        Document::Certificate(der) => Ok(der),
        _ => Err(Failure::usage(format!("{}: no certificate", path.display()))),
    }
}

/// One PEM block of a file, or the whole of it.
struct Piece {
    label: Option<String>,
    octets: Zeroizing<Vec<u8>>,
}

fn pieces(path: &Path) -> Result<Vec<Piece>> {
    let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_FILE {
        return Err(unusable(path, "too long for a key or a certificate"));
    }
    let octets = Zeroizing::new(std::fs::read(path).map_err(failed)?);
    let Some(text) = std::str::from_utf8(&octets).ok() else {
        return Ok(vec![Piece { label: None, octets }]);
    };
    const BEGIN: &str = "-----BEGIN ";
    if !text.contains(BEGIN) {
        let octets = hex::octets(text).map_or_else(|_| octets.clone(), Zeroizing::new);
        return Ok(vec![Piece { label: None, octets }]);
    }
    let mut pieces = Vec::new();
    for (start, _) in text.match_indices(BEGIN) {
        let block = text.get(start..).unwrap_or_default();
        let end = block
            .find("-----END ")
            .and_then(|at| Some(at + block.get(at..)?.find('\n').unwrap_or(block.len() - at)));
        let block = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
        if let Ok((label, octets)) = pem_rfc7468::decode_vec(block.trim_end().as_bytes()) {
            pieces.push(Piece { label: Some(label.to_owned()), octets: Zeroizing::new(octets) });
        }
    }
    Ok(pieces)
}

fn private_key_of(piece: &Piece) -> Option<PrivateKey> {
    let der = &piece.octets[..];
    let p256 = || p256::SecretKey::try_from_der(der).and_then(|key| PrivateKey::new(Curve::P256, &key).ok());
    let p384 = || p384::SecretKey::try_from_der(der).and_then(|key| PrivateKey::new(Curve::P384, &key).ok());
    match piece.label.as_deref() {
        Some("PRIVATE KEY" | "EC PRIVATE KEY") => p256().or_else(p384),
        Some(_) => None,
        None => scalar(der).or_else(p256).or_else(p384),
    }
}

/// Reads PKCS#8 or SEC 1.
trait TryFromDer: Sized {
    fn try_from_der(der: &[u8]) -> Option<Zeroizing<Vec<u8>>>;
}

macro_rules! try_from_der {
    ($($curve:ident),*) => {$(
        impl TryFromDer for $curve::SecretKey {
            fn try_from_der(der: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
                use $curve::pkcs8::DecodePrivateKey as _;
                let key = Self::from_pkcs8_der(der).ok().or_else(|| Self::from_sec1_der(der).ok())?;
                Some(Zeroizing::new(key.to_bytes().to_vec()))
            }
        }
    )*};
}

try_from_der!(p256, p384);

/// PKCS#8 of a private key, as PEM.
pub(crate) fn private_key_pem(key: &PrivateKey) -> Result<Zeroizing<String>> {
    macro_rules! pkcs8 {
        ($curve:ident) => {{
            use $curve::pkcs8::EncodePrivateKey as _;
            let key = $curve::SecretKey::from_slice(key.expose())
                .map_err(|error| Failure::bug(error.to_string()))?;
            key.to_pkcs8_der().map_err(|error| Failure::bug(error.to_string()))?
        }};
    }
    let der = match key.curve() {
        Curve::P256 => pkcs8!(p256),
        Curve::P384 => pkcs8!(p384),
    };
    pem("PRIVATE KEY", der.as_bytes()).map(Zeroizing::new)
}

/// PEM with lines that end as Unix has them.
pub(crate) fn pem(label: &str, der: &[u8]) -> Result<String> {
    let text = pem_rfc7468::encode_string(label, pem_rfc7468::LineEnding::LF, der);
    text.map_err(|error| Failure::bug(error.to_string()))
}

fn public_key_of(piece: &Piece) -> Option<PublicKey> {
    let der = &piece.octets[..];
    let spki = || read_public_key(der).ok();
    let certificate = || Certificate::from_der(der).ok().map(|certificate| *certificate.public_key());
    match piece.label.as_deref() {
        Some("PUBLIC KEY") => spki(),
        Some("CERTIFICATE") => certificate(),
        Some(_) => None,
        None => point(der).or_else(spki).or_else(certificate),
    }
}

const CURVES: [Curve; 2] = [Curve::P256, Curve::P384];

fn scalar(octets: &[u8]) -> Option<PrivateKey> {
    let curve = CURVES.into_iter().find(|curve| curve.coordinate_len() == octets.len())?;
    PrivateKey::new(curve, octets).ok()
}

fn point(octets: &[u8]) -> Option<PublicKey> {
    let octets = match octets {
        [4, point @ ..] if point.len() % 2 == 0 => point,
        _ => octets,
    };
    let curve = CURVES.into_iter().find(|curve| curve.pair_len() == octets.len())?;
    PublicKey::new(curve, octets).ok()
}

fn existing<'t>(text: &'t str, option: &str) -> Result<&'t Path> {
    let path = Path::new(text);
    if path.is_file() {
        return Ok(path);
    }
    let message =
        format!("{option}: neither a key of P-256 or P-384 in hexadecimal nor a file that is there");
    Err(Failure::usage(message))
}

fn unusable(path: &Path, what: &str) -> Failure {
    Failure::new(Exit::Malformed, "key", "malformed", format!("{}: {what}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Made with `openssl ecparam -name prime256v1 -genkey`.
    const SEC1: &str = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
        -----BEGIN EC PRIVATE KEY-----\n\
        MHcCAQEEIMr6+vkbrz7p2S889vQGC8IaGb4fPTAIZI/0xEYhbV+0oAoGCCqGSM49\n\
        AwEHoUQDQgAEUlI0uBOxIJWK8hnm5IHgJSuUGe5pXbqvgLTUFFRiEUyfSFL9B2LW\n\
        OBSZwaqxRppylyFSKd17ZLSiKzuMETlnTA==\n-----END EC PRIVATE KEY-----\n";
    const SCALAR: &str = "cafafaf91baf3ee9d92f3cf6f4060bc21a19be1f3d3008648ff4c446216d5fb4";
    const POINT: &str = "525234b813b120958af219e6e481e0252b9419ee695dbaaf80b4d4145462114c\
        9f4852fd0762d6381499c1aab1469a7297215229dd7b64b4a22b3b8c1139674c";

    struct File(std::path::PathBuf);

    impl File {
        fn new(name: &str, octets: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("dlms-key-{}-{name}", std::process::id()));
            std::fs::write(&path, octets).unwrap();
            Self(path)
        }

        fn name(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn private_keys_in_every_form() {
        let key = private_key(SCALAR, "--signing-key").unwrap();
        assert_eq!((key.curve(), hex::text(key.expose())), (Curve::P256, SCALAR.to_owned()));
        let pkcs8 = private_key_pem(&key).unwrap();
        let (_, der) = pem_rfc7468::decode_vec(pkcs8.as_bytes()).unwrap();
        let raw = hex::octets(SCALAR).unwrap();
        let windows = SEC1.replace('\n', "\r\n");
        let forms: [&[u8]; 6] =
            [SEC1.as_bytes(), windows.as_bytes(), pkcs8.as_bytes(), &der, SCALAR.as_bytes(), &raw];
        for (index, octets) in forms.into_iter().enumerate() {
            let file = File::new(&format!("private-{index}"), octets);
            let read = private_key(file.name(), "--signing-key").unwrap();
            assert_eq!((read.curve(), read.expose()), (Curve::P256, key.expose()), "{index}");
            assert_eq!(private_key_file(&file.0).unwrap().expose(), key.expose());
            assert!(document(&file.0).is_err(), "{index}: a private key is never shown");
        }
        let large = PrivateKey::new(Curve::P384, &[7; 48]).unwrap();
        let file = File::new("large", private_key_pem(&large).unwrap().as_bytes());
        assert_eq!(private_key(file.name(), "--signing-key").unwrap().expose(), large.expose());
    }

    #[test]
    fn public_keys_in_every_form() {
        let key = public_key(POINT, "--peer-public-key").unwrap();
        assert_eq!(public_key(&format!("04 {POINT}"), "--peer-public-key").unwrap(), key);
        let spki = dlms_security::certificate::write_public_key(&key, &mut [0; 128]).unwrap().to_vec();
        let pem = pem("PUBLIC KEY", &spki).unwrap();
        for (index, octets) in [pem.as_bytes(), &spki, POINT.as_bytes()].into_iter().enumerate() {
            let file = File::new(&format!("public-{index}"), octets);
            assert_eq!(public_key(file.name(), "--peer-public-key").unwrap(), key, "{index}");
        }
    }

    #[test]
    fn messages_quote_no_key() {
        let wrong = &SCALAR[..62];
        for failure in [
            private_key(wrong, "--signing-key").unwrap_err(),
            public_key(wrong, "--peer-public-key").unwrap_err(),
        ] {
            assert!(!failure.to_string().contains(wrong) && failure.exit == Exit::Usage);
        }
        let file = File::new("no-key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        assert_eq!(private_key(file.name(), "--signing-key").unwrap_err().exit, Exit::Malformed);
    }
}
