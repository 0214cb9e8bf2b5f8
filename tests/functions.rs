//! What a provider does not name is not served: refused as if it were not there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use core::time::Duration;

use common::{Meter, SERVER_TITLE, config, keys, to_hex, unhex};
use cosem_objects::classes::SecuritySetup;
use cosem_objects::{ActionResult, GetError};
use dlms::server::{Host, KeyManagement, Session, Setup};
use dlms::{NewKeys, SecurityContext};
use dlms_axdr::{Data, Encoder};
use dlms_obis::LogicalName;
use dlms_security::certificate::CertificateStore;
use dlms_security::{AuthenticationMechanism, CounterId, Functions, SecurityError, SecuritySuite, SuiteZero};

type Zero<const FUNCTIONS: u8> = SuiteZero<fn(&mut [u8]) -> Result<(), SecurityError>, FUNCTIONS>;

const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);
/// What the other tests propose, and ACCESS.
const AARQ: &str = "601DA109060760857405080101BE10040E01000000065F1F040060FEDFFFFF";
const GET_CLASS_OF_SETUP: &str = "D9 40000001 00 01 01 0040 00002B0000FF 01 01 00";
const RAISE_POLICY: &str = "C3 01 C1 0040 00002B0000FF 01 01 1601";

/// Does everything that it is asked.
struct Obliging;

impl<const FUNCTIONS: u8> KeyManagement<Zero<FUNCTIONS>> for Obliging {
    fn invoke(
        &mut self,
        _: &mut Setup<'_, Zero<FUNCTIONS>>,
        _: i8,
        _: Data<'_>,
        _: &mut Encoder<'_>,
    ) -> Result<(), ActionResult> {
        Ok(())
    }

    fn certificates(&self, _: &dyn CertificateStore, _: &mut Encoder<'_>) -> Result<(), GetError> {
        Ok(())
    }

    fn take_changes(&mut self) -> Option<(usize, NewKeys<Zero<FUNCTIONS>>)> {
        None
    }
}

/// The answer to `request` in an association without security.
fn answer<const FUNCTIONS: u8>(request: &str) -> String {
    let mut meter = Meter::new(vec![config(AuthenticationMechanism::None, None)]);
    meter.device.objects.insert(0, Box::new(SecuritySetup::new(SETUP, 0, 0)));
    let provider: Zero<FUNCTIONS> = SuiteZero::with_functions(|_| Err(SecurityError::RandomUnavailable));
    let (key, authentication_key) = keys(SecuritySuite::Suite0);
    let security = SecurityContext::new(
        &provider,
        SecuritySuite::Suite0,
        SERVER_TITLE,
        &key,
        authentication_key,
        CounterId(0),
        0,
    );
    let mut security = [security.unwrap()];
    let mut session = Session::new(16, vec![0; 256]);
    let mut answer = String::new();
    for apdu in [AARQ, request] {
        let mut host = Host {
            device: &mut meter.device,
            system_title: SERVER_TITLE,
            associations: &mut meter.associations,
            security: &mut security,
            provider: &provider,
            counters: &mut meter.counters,
            key_rings: &mut [],
            public_keys: None,
            certificates: None,
            key_management: Some(&mut Obliging),
            manufacturer: None,
            scratch: &mut meter.scratch,
        };
        let mut out = [0; 512];
        let range = session.handle_apdu(&mut host, Duration::ZERO, &mut unhex(apdu), &mut out).unwrap();
        answer = to_hex(&out[range]);
    }
    answer
}

#[test]
fn access_is_an_unknown_service() {
    let named = answer::<{ Functions::ACCESS.bits() }>(GET_CLASS_OF_SETUP);
    assert!(named.starts_with("DA"), "{named}");
    assert_eq!(answer::<0>(GET_CLASS_OF_SETUP), "D80202");
}

#[test]
fn methods_of_security_setups_are_denied() {
    assert_eq!(answer::<{ Functions::KEY_MANAGEMENT.bits() }>(RAISE_POLICY), "C701C10000");
    assert_eq!(answer::<0>(RAISE_POLICY), "C701C10300");
}
