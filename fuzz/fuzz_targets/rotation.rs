//! A change of a key or a certificate, driven by whatever a driver and a meter may say, and resumed whenever it ended.
#![no_main]

use dlms::client::rotation::{
    Answer, CertificateRenewal, KeyRotation, MeterKeys, NewRotation, Parties, PendingCertificate, PendingKey,
    RenewalEnvironment, RenewalStore, RotationEnvironment, RotationMethod, RotationStore, STEP_BUFFER, Step,
};
use dlms_axdr::Data;
use dlms_obis::LogicalName;
use dlms_security::certificate::Authority;
use dlms_security::{
    AuthenticationKey, Curve, KeyId, KeyUsage, PrivateKey, PublicKeyProvider, RustCrypto, SecretKey,
    SecurityError, SecuritySuite, StorageError, SystemTitle,
};
use libfuzzer_sys::fuzz_target;

const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);
const SUITE: SecuritySuite = SecuritySuite::Suite1;
const METER: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");

struct Store {
    keys: MeterKeys,
    key: Option<PendingKey>,
    certificate: Option<PendingCertificate>,
}

impl RotationStore for Store {
    fn keys(&mut self) -> Result<MeterKeys, StorageError> {
        Ok(self.keys.clone())
    }

    fn pending(&mut self) -> Result<Option<PendingKey>, StorageError> {
        Ok(self.key.clone())
    }

    fn set_pending(&mut self, pending: Option<&PendingKey>) -> Result<(), StorageError> {
        self.key = pending.cloned();
        Ok(())
    }

    fn commit(&mut self, id: KeyId, key: &SecretKey, next: Option<&PendingKey>) -> Result<(), StorageError> {
        assert!(self.key.as_ref().is_some_and(|pending| pending.is_requested), "never given to the meter");
        self.key = next.cloned();
        self.keys.set(SUITE, id, key).map_err(|_| StorageError)
    }
}

impl RenewalStore for Store {
    fn pending(&mut self) -> Result<Option<PendingCertificate>, StorageError> {
        Ok(self.certificate.clone())
    }

    fn set_pending(&mut self, pending: Option<&PendingCertificate>) -> Result<(), StorageError> {
        self.certificate = pending.cloned();
        Ok(())
    }

    fn commit(&mut self, _: KeyUsage, _: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }
}

fn random(out: &mut [u8]) -> Result<(), SecurityError> {
    use core::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(0);
    out.iter_mut().for_each(|octet| *octet = NEXT.fetch_add(167, Ordering::Relaxed));
    Ok(())
}

/// What is said next; `None` at the end, and where the head-end is killed.
fn answer<'i>(input: &mut &'i [u8]) -> Option<Answer<'i>> {
    let (&kind, rest) = input.split_first()?;
    *input = rest;
    Some(match kind % 8 {
        0 | 1 => Answer::Associated,
        2 => Answer::NotAssociated,
        3 => Answer::Returned(None),
        4 => {
            let (octets, rest) = rest.split_at(rest.len().min(usize::from(kind)));
            *input = rest;
            Answer::Returned(Some(Data::from_octets(octets).unwrap_or(Data::OctetString(octets))))
        }
        5 => Answer::Denied(kind),
        6 => {
            if kind & 8 == 0 {
                Answer::Unreached
            } else {
                Answer::Lost
            }
        }
        _ => return None,
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((&kind, mut said)) = input.split_first() else { return };
    let provider = RustCrypto::new(random);
    let key = |octet| SecretKey::new(SUITE, &[octet; 16]).unwrap();
    let keys = MeterKeys {
        unicast: key(1),
        authentication: AuthenticationKey::new(&[2; 16]).unwrap(),
        broadcast: None,
        master: Some(key(3)),
    };
    let mut store = Store { keys, key: None, certificate: None };
    let signing_key = PrivateKey::new(Curve::P256, &[4; 32]).unwrap();
    let server_key = provider.public_key(&signing_key).unwrap();
    let parties = Some(Parties {
        provider: &provider,
        signing_key: &signing_key,
        server_key: &server_key,
        client: SystemTitle::from_octets(*b"HES\0\0\0\0\x02"),
        server: METER,
    });
    let mut buffer = [0; STEP_BUFFER];
    for _ in 0..8 {
        if kind & 0x10 != 0 {
            let authorities: [Authority<'_>; 0] = [];
            let mut env =
                RenewalEnvironment { provider: &provider, store: &mut store, authorities: &authorities };
            let mut renewal = match CertificateRenewal::resume(&mut env, SETUP, METER).unwrap() {
                Some(renewal) => renewal,
                None => {
                    CertificateRenewal::begin(&mut env, SETUP, METER, KeyUsage::DigitalSignature).unwrap()
                }
            };
            loop {
                match renewal.next(&mut buffer) {
                    Ok(Step::Done) | Err(_) => break,
                    Ok(Step::Issue(request)) => {
                        let request = request.to_vec();
                        if renewal.issued(&mut env, &request).is_err() {
                            break;
                        }
                    }
                    Ok(_) => {}
                }
                let Some(said) = answer(&mut said) else { break };
                if renewal.answer(&mut env, said).is_err() {
                    break;
                }
            }
            continue;
        }
        let mut env = RotationEnvironment { provider: &provider, store: &mut store, parties };
        let method = if kind & 4 != 0 { RotationMethod::Agreement } else { RotationMethod::Transfer };
        let (through_other, Some(id)) = (kind & 8 != 0, KeyId::from_id(kind % 4)) else { return };
        let mut rotation = match KeyRotation::resume(&mut env, SETUP, SUITE).unwrap() {
            Some(rotation) => rotation,
            None => {
                let new = NewRotation { through_other, ..NewRotation::new(id, method) };
                KeyRotation::begin(&mut env, SETUP, SUITE, new).unwrap()
            }
        };
        while let Ok(step) = rotation.next(&mut env, &mut buffer) {
            let Some(said) = answer(&mut said).filter(|_| step != Step::Done) else { break };
            if rotation.answer(&mut env, said).is_err() {
                break;
            }
        }
    }
});
