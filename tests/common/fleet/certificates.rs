//! A certificate is renewed, and the security policy raised.

use dlms::client::rotation::{
    Access, CertificateRenewal, PolicyRaise, RenewalEnvironment, STEP_BUFFER, Step,
};
use dlms_security::certificate::{
    Authority, Certificate, CertificateEntity, CertificateStore, CertificateTime, CertificationRequest,
    NewCertificate, StoredCertificate, Subject, Validity,
};
use dlms_security::{PrivateKey, PublicKey, PublicKeyProvider};

use super::world::{End, Reply, World};
use super::{METER, OWN, SETUP, SIGN};
use crate::common::PROVIDER;

impl World {
    /// Makes an authority that the meter trusts, and gives the meter a certificate for the key pair that it has.
    pub fn certify(&mut self) {
        let curve = self.suite.curve().unwrap();
        let key = PrivateKey::new(curve, &[0x5A; 48][..curve.coordinate_len()]).unwrap();
        let subject =
            Subject::Authority { organization: "Utility", common_name: "Meters", path_length: None };
        let public_key = PROVIDER.public_key(&key).unwrap();
        let der = issue(&key, None, 1, subject, public_key);
        self.authority = Some((key, der.clone(), 1));
        let anchor = StoredCertificate {
            entity: CertificateEntity::CertificationAuthority,
            is_trust_anchor: true,
            certificate: Certificate::from_der(&der).unwrap(),
        };
        self.meter.certificates.insert(&anchor).unwrap();
        let first = self.issue(self.first_server_key().unwrap());
        let own = StoredCertificate {
            entity: CertificateEntity::Server,
            is_trust_anchor: false,
            certificate: Certificate::from_der(&first).unwrap(),
        };
        self.meter.certificates.insert(&own).unwrap();
        self.store.certificate = Some(first);
    }

    fn issue(&mut self, public_key: PublicKey) -> Vec<u8> {
        let (key, der, serial) = self.authority.as_mut().unwrap();
        *serial += 1;
        issue(key, Some(der), *serial, Subject::Party(METER, SIGN), public_key)
    }

    fn run_renewal(&mut self) -> Result<(), End> {
        self.runs += 1;
        self.cut();
        self.open = None;
        let anchor = self.authority.as_ref().unwrap().1.clone();
        let authorities =
            [Authority { certificate: Certificate::from_der(&anchor).unwrap(), is_trust_anchor: true }];
        macro_rules! env {
            () => {
                &mut RenewalEnvironment {
                    provider: &*PROVIDER,
                    store: &mut self.store,
                    authorities: &authorities,
                }
            };
        }
        let mut renewal = match CertificateRenewal::resume(env!(), SETUP, METER)? {
            Some(renewal) => renewal,
            None => CertificateRenewal::begin(env!(), SETUP, METER, SIGN)?,
        };
        let mut buffer = [0; STEP_BUFFER];
        loop {
            let known =
                *Certificate::from_der(self.store.certificate.as_ref().unwrap()).unwrap().public_key();
            let (pending, current) =
                (renewal.public_key(Access::Pending), renewal.public_key(Access::Current));
            let reply = match renewal.next(&mut buffer)? {
                Step::Done => return Ok(()),
                Step::Issue(request) => {
                    let key = *CertificationRequest::from_der(request).unwrap().public_key();
                    let der = self.issue(key);
                    renewal.issued(env!(), &der)?;
                    continue;
                }
                Step::Associate(access) => {
                    let key = if access == Access::Pending { pending } else { current.or(Some(known)) };
                    let keys = self.store.setup_keys();
                    self.associate(OWN, &keys, key)?
                }
                step => self.perform(&step)?,
            };
            renewal.answer(env!(), reply.answer())?;
        }
    }

    pub fn renew(&mut self) {
        let commits = self.store.commits;
        for _ in 0..12 {
            match self.run_renewal() {
                Ok(()) => return,
                Err(_) if self.store.commits > commits => return,
                Err(_) => {}
            }
        }
        panic!("no end is in sight")
    }

    /// The certificates of the meter for its signature key.
    pub fn meter_certificates(&self) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        self.meter.certificates.visit(&mut |stored| {
            if stored.entity == CertificateEntity::Server {
                found.push(stored.certificate.der().to_vec());
            }
            core::ops::ControlFlow::Continue(())
        });
        found
    }

    /// Whether the meter proves itself with this certificate's key.
    pub fn proves_with(&mut self, certificate: &[u8]) -> bool {
        let key = *Certificate::from_der(certificate).unwrap().public_key();
        let keys = self.store.setup_keys();
        matches!(self.associate(OWN, &keys, Some(key)), Ok(Reply::Associated))
    }

    pub fn raise(&mut self, policy: u8) -> Result<(), End> {
        let server = self.first_server_key();
        for _ in 0..12 {
            let mut raise = PolicyRaise::new(SETUP, policy);
            let mut buffer = [0; STEP_BUFFER];
            let ended = loop {
                let reply = match raise.next(&mut buffer)? {
                    Step::Done => return Ok(()),
                    Step::Associate(_) => {
                        let keys = self.store.setup_keys();
                        self.associate(OWN, &keys, server)
                    }
                    step => self.perform(&step),
                };
                let reply = match reply {
                    Ok(reply) => reply,
                    Err(end) => break end,
                };
                raise.answer(reply.answer())?;
            };
            assert_eq!(ended, End::Killed);
        }
        panic!("no end is in sight")
    }
}

fn issue(
    key: &PrivateKey,
    issuer: Option<&[u8]>,
    serial: u8,
    subject: Subject<'_>,
    public_key: PublicKey,
) -> Vec<u8> {
    let validity = Validity {
        not_before: CertificateTime::from_date(2026, 1, 1).unwrap(),
        not_after: CertificateTime::from_date(2046, 1, 1).unwrap(),
    };
    let new = NewCertificate { serial_number: &[serial], validity, subject, public_key };
    let issuer = issuer.map(|der| Certificate::from_der(der).unwrap());
    new.issue(&*PROVIDER, issuer.as_ref(), key, &mut [0; 1024]).unwrap().to_vec()
}
