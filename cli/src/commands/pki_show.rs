//! `dlms pki show`: what a certificate, a certification request or a public key says.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use dlms_security::certificate::{
    Authority, Certificate, CertificateTime, CertificateType, CertificationRequest, Expectation,
};
use dlms_security::{Curve, PublicKey, SecurityError};
use serde::Serialize;

use super::pki::{provider, refused};
use crate::args::PkiShowArgs;
use crate::failure::{Failure, Result};
use crate::key_files::{self, Document};
use crate::output;
use crate::parse::hex;

/// What there is to say; absent is what such a document does not have.
#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    kind: &'static str,
    #[serde(rename = "type")]
    certificate_type: Option<&'static str>,
    subject: Option<String>,
    system_title: Option<String>,
    issuer: Option<String>,
    serial_number: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    curve: &'static str,
    public_key: String,
    signature_algorithm: Option<&'static str>,
    subject_key_identifier: Option<String>,
    authority_key_identifier: Option<String>,
    path_length: Option<u8>,
    /// Whether the signature of a request is by its key, and that of a certificate leads to the authority; absent where
    /// there is nothing to verify with.
    verified: Option<bool>,
}

pub(crate) fn run(args: &PkiShowArgs, json: bool) -> Result<()> {
    let document = key_files::document(&args.file)?;
    if args.authority.is_some() && !matches!(document, Document::Certificate(_)) {
        return Err(Failure::usage("--authority is for certificates"));
    }
    let (mut shown, verified) = match &document {
        Document::Certificate(der) => {
            let certificate = Certificate::from_der(der).map_err(SecurityError::from).map_err(refused)?;
            let verified =
                args.authority.as_deref().map(|authority| verify(&certificate, authority)).transpose()?;
            (certificate_shown(&certificate), verified)
        }
        Document::Request(der) => {
            let request =
                CertificationRequest::from_der(der).map_err(SecurityError::from).map_err(refused)?;
            (request_shown(&request), Some(request.verify(&provider())))
        }
        Document::PublicKey(key) => (key_shown("public-key", key), None),
    };
    shown.verified = verified.as_ref().map(std::result::Result::is_ok);
    match verified {
        Some(Err(error)) if json => return Err(refused(error)),
        _ if json => return output::json(&shown),
        _ => output::text(&text(&shown))?,
    }
    match verified {
        Some(Err(error)) => Err(refused(error)),
        _ => Ok(()),
    }
}

/// Whether the certificate is the authority's and valid now.
fn verify(certificate: &Certificate<'_>, authority: &Path) -> Result<std::result::Result<(), SecurityError>> {
    let der = key_files::authority(authority)?;
    let anchor = Certificate::from_der(&der).map_err(SecurityError::from).map_err(refused)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let expectation =
        Expectation::purpose(certificate.certificate_type()).at(CertificateTime::from_unix_seconds(now));
    let anchors = [Authority { certificate: anchor, is_trust_anchor: true }];
    Ok(certificate.verify(&provider(), &anchors, &expectation))
}

fn certificate_shown(certificate: &Certificate<'_>) -> Shown {
    Shown {
        certificate_type: Some(match certificate.certificate_type() {
            CertificateType::DigitalSignature => "digital-signature",
            CertificateType::KeyAgreement => "key-agreement",
            CertificateType::Tls => "tls",
            CertificateType::Other => "certification-authority",
        }),
        subject: Some(certificate.subject().to_string()),
        system_title: certificate.title().map(|title| title.to_string()),
        issuer: Some(certificate.issuer().to_string()),
        serial_number: Some(hex::text(certificate.serial_number())),
        not_before: Some(certificate.validity().not_before.to_string()),
        not_after: Some(certificate.validity().not_after.to_string()),
        signature_algorithm: Some(match certificate.issuer_curve() {
            Curve::P256 => "ecdsa-with-SHA256",
            Curve::P384 => "ecdsa-with-SHA384",
        }),
        subject_key_identifier: certificate.subject_key_id().map(hex::text),
        authority_key_identifier: certificate.authority_key_id().map(hex::text),
        path_length: certificate.path_length(),
        ..key_shown("certificate", certificate.public_key())
    }
}

fn request_shown(request: &CertificationRequest<'_>) -> Shown {
    Shown {
        subject: Some(request.subject().to_string()),
        system_title: request.title().map(|title| title.to_string()),
        ..key_shown("certification-request", request.public_key())
    }
}

fn key_shown(kind: &'static str, key: &PublicKey) -> Shown {
    let curve = match key.curve() {
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
    };
    Shown { kind, curve, public_key: hex::text(key.octets()), ..Shown::default() }
}

fn text(shown: &Shown) -> String {
    let some = |text: &'static str| Some(text.to_owned());
    let rows = [
        ("kind", some(shown.kind)),
        ("type", shown.certificate_type.and_then(some)),
        (
            "subject",
            shown.subject.clone().map(|subject| if subject.is_empty() { "(empty)".into() } else { subject }),
        ),
        ("system title", shown.system_title.clone()),
        ("issuer", shown.issuer.clone()),
        ("serial number", shown.serial_number.clone()),
        ("not before", shown.not_before.clone()),
        ("not after", shown.not_after.clone()),
        ("path length", shown.path_length.map(|length| length.to_string())),
        ("signed with", shown.signature_algorithm.and_then(some)),
        ("key identifier", shown.subject_key_identifier.clone()),
        ("issuer's key", shown.authority_key_identifier.clone()),
        ("curve", some(shown.curve)),
        ("public key", Some(shown.public_key.clone())),
        ("verified", shown.verified.map(|is_verified| if is_verified { "yes" } else { "no" }.to_owned())),
    ];
    let lines = rows.into_iter().filter_map(|(name, value)| {
        let value = value?;
        let value = match (name, value.as_str()) {
            ("verified", "yes") => output::good().apply_to(value).to_string(),
            ("verified", _) => output::bad().apply_to(value).to_string(),
            _ => value,
        };
        Some(format!("{} {value}\n", output::dim().apply_to(format!("{name:<15}"))))
    });
    lines.collect()
}
