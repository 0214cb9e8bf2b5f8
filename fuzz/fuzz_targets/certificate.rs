//! Arbitrary certificates and certification requests: errors point inside, and nobody is trusted who is not known.
#![no_main]

use std::ops::ControlFlow;

use dlms_security::certificate::{
    Authority, Certificate, CertificateEntity, CertificateId, CertificateStore, CertificateType,
    CertificationRequest, Expectation, MemoryCertificates, StoredCertificate,
};
use dlms_security::{
    Curve, KeyUsage, PeerKeys, PrivateKey, PublicKey, PublicKeyProvider, SecretKey, SecurityError, Signature,
};
use libfuzzer_sys::fuzz_target;

/// Believes every signature: what is left to refuse are names, purposes and paths.
struct Credulous;

impl PublicKeyProvider for Credulous {
    fn generate(&self, _: Curve) -> Result<PrivateKey, SecurityError> {
        Err(SecurityError::Provider)
    }

    fn public_key(&self, _: &PrivateKey) -> Result<PublicKey, SecurityError> {
        Err(SecurityError::Provider)
    }

    fn sign(&self, _: &PrivateKey, _: &[&[u8]]) -> Result<Signature, SecurityError> {
        Err(SecurityError::Provider)
    }

    fn verify(&self, _: &PublicKey, _: &[&[u8]], _: &Signature) -> Result<(), SecurityError> {
        Ok(())
    }

    fn agree(&self, _: &PrivateKey, _: &PublicKey, _: &[&[u8]]) -> Result<SecretKey, SecurityError> {
        Err(SecurityError::Provider)
    }
}

fn is_part(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty()
        || whole.as_ptr_range().contains(&part.as_ptr())
            && part.as_ptr_range().end <= whole.as_ptr_range().end
}

fuzz_target!(|der: &[u8]| {
    match CertificationRequest::from_der(der) {
        Ok(request) => assert!(is_part(der, request.signed())),
        Err(error) => assert!(error.offset <= der.len()),
    }
    let certificate = match Certificate::from_der(der) {
        Ok(certificate) => certificate,
        Err(error) => return assert!(error.offset <= der.len()),
    };
    let (issuer, subject) = (certificate.issuer(), certificate.subject());
    for part in [certificate.signed(), certificate.serial_number(), issuer.der(), subject.der()] {
        assert!(is_part(der, part));
    }
    let _ = (issuer.to_string(), subject.common_name(), issuer.matches_text(&String::from_utf8_lossy(der)));

    let expectation = Expectation::purpose(certificate.certificate_type());
    let nobody: [Authority<'_>; 0] = [];
    assert!(certificate.verify(&Credulous, &nobody, &expectation).is_err());
    for certificate_type in
        CertificateType::ALL.into_iter().filter(|kind| *kind != certificate.certificate_type())
    {
        assert!(certificate.check(&Expectation::purpose(certificate_type)).is_err());
    }
    // An authority that vouches for itself, and is not trusted, ends somewhere.
    let itself = [Authority { certificate, is_trust_anchor: false }; 3];
    assert!(certificate.verify(&Credulous, &itself, &expectation).is_err());

    let store = MemoryCertificates::<2, 2048>::new();
    let stored = StoredCertificate { entity: CertificateEntity::Client, is_trust_anchor: false, certificate };
    assert_eq!(store.insert(&stored), Ok(()));
    assert_eq!(store.insert(&stored), Ok(()));
    let mut count = 0;
    store.visit(&mut |stored| {
        assert_eq!(stored.certificate.der(), der);
        count += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(count, 1);
    if let Some(title) = certificate.title() {
        for usage in KeyUsage::ALL {
            let is_for = certificate.certificate_type() == usage.into();
            assert_eq!(store.public_key(title, usage).is_some(), is_for);
        }
    }
    let id =
        CertificateId::BySerialNumber { serial_number: certificate.serial_number(), issuer: issuer.der() };
    let store: &dyn CertificateStore = &store;
    assert_eq!(store.find(&id, |stored| stored.certificate.der() == der), Ok(true));
    assert!(store.remove_certificate(&id).is_ok() && store.remove_certificate(&id).is_err());
});
