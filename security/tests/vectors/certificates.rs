//! Certificates and certification requests.

use dlms_security::certificate::{
    Authority, Certificate, CertificateTime, CertificateType, CertificationRequest, Expectation,
    write_request,
};
use dlms_security::{PrivateKey, PublicKey, SecuritySuite};

use crate::{Checked, Vector, is_deterministic, provider};

pub(crate) fn verify(vector: &Vector) -> Checked {
    let der = vector.bytes("certificate");
    let verified = Certificate::from_der(&der).map_err(|error| error.to_string()).and_then(|certificate| {
        let curve = SecuritySuite::from_id(vector.octet("issuer_suite")).and_then(SecuritySuite::curve);
        let issuer =
            PublicKey::new(curve.expect("a curve"), &vector.bytes("issuer_public_key")).expect("a key");
        certificate.verify_signature(&provider(), &issuer).map_err(|error| error.to_string())?;
        let purpose = match vector.optional("purpose").as_deref().map(purpose) {
            Some(purpose) => purpose,
            None => certificate.certificate_type(),
        };
        let mut expectation = Expectation::purpose(purpose);
        if let Some(now) = vector.optional("now") {
            let [high, low, month, day] = now[..] else { panic!("{}: no date", vector.name) };
            let year = u16::from_be_bytes([high, low]);
            expectation = expectation.at(CertificateTime::from_date(year, month, day).expect("a date"));
        }
        certificate.check(&expectation).map_err(|error| error.to_string())?;
        if certificate.is_authority() {
            let anchors = [Authority { certificate, is_trust_anchor: true }];
            certificate.verify(&provider(), &anchors, &expectation).map_err(|error| error.to_string())?;
        }
        Ok(certificate)
    });
    let certificate = match (vector.outcome.as_deref(), verified) {
        (Some("reject"), Ok(_)) => return Err("accepted".into()),
        (Some("reject"), Err(_)) => return Ok(()),
        (_, verified) => verified?,
    };
    vector.equals("tbs_certificate", certificate.signed())?;
    vector.equals("system_title", certificate.title().as_ref().map_or(&[][..], |title| title.octets()))?;
    vector.equals("subject_public_key", certificate.public_key().octets())?;
    vector.equals("serial", certificate.serial_number())?;
    vector.equals("issuer_name", certificate.issuer().der())?;
    vector.equals("subject_name", certificate.subject().der())?;
    match certificate.certificate_type() == purpose(&vector.expected("purpose")) {
        true => Ok(()),
        false => Err(format!("is for {:?}", certificate.certificate_type())),
    }
}

fn purpose(text: &[u8]) -> CertificateType {
    match text {
        b"digital-signature" => CertificateType::DigitalSignature,
        b"key-agreement" => CertificateType::KeyAgreement,
        b"tls" => CertificateType::Tls,
        b"ca" => CertificateType::Other,
        _ => panic!("unknown purpose {}", String::from_utf8_lossy(text)),
    }
}

pub(crate) fn request(vector: &Vector) -> Checked {
    let key = PrivateKey::new(vector.suite().curve().expect("a curve"), &vector.bytes("private_key"))
        .expect("a key");
    let title = vector.title("system_title");
    let mut buffer = [0; 512];
    let written = write_request(&provider(), &key, title, &mut buffer).map_err(|error| error.to_string())?;
    if is_deterministic() {
        vector.equals("csr", written)?;
    }
    let request = CertificationRequest::from_der(written).map_err(|error| error.to_string())?;
    vector.equals("request_info", request.signed())?;
    vector.equals("public_key", request.public_key().octets())?;
    if request.title() != Some(title) {
        return Err(format!("title {:?}", request.title()));
    }
    request.verify(&provider()).map_err(|error| error.to_string())
}
