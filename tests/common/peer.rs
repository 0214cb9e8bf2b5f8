//! A client that makes its APDUs by hand: whoever has the keys can say anything.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dlms::acse::{
    Aarq, AcseRequirements, ApplicationContextName, AuthenticationValue, MechanismName, ReleaseRequest,
};
use dlms::xdlms::{Conformance, InitiateRequest};
use dlms_axdr::Encoder;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CryptoProvider, InvocationCounter, Protection, Protector,
    SecretKey, SecurityControl, SecuritySuite, SystemTitle, hls,
};

use crate::common::{CLIENT_TITLE, Link, Provider, keys, provider};

pub const CTOS: &[u8] = b"client to server";

/// How a protected APDU travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Glo,
    Ded,
    GeneralGlo,
    GeneralDed,
}

impl Form {
    pub const ALL: [Self; 4] = [Self::Glo, Self::Ded, Self::GeneralGlo, Self::GeneralDed];

    pub fn is_dedicated(self) -> bool {
        matches!(self, Self::Ded | Self::GeneralDed)
    }
}

pub struct Peer {
    pub suite: SecuritySuite,
    pub title: SystemTitle,
    pub protection: Protection,
    pub provider: Provider,
    key: <Provider as CryptoProvider>::AeadKey,
    authentication_key: AuthenticationKey,
    pub counter: u32,
    dedicated: <Provider as CryptoProvider>::AeadKey,
    pub dedicated_octets: Vec<u8>,
    pub dedicated_counter: u32,
}

impl Peer {
    pub fn new(suite: SecuritySuite) -> Self {
        let provider = provider();
        let (key, authentication_key) = keys(suite);
        let dedicated_octets = vec![0x77; suite.key_len()];
        Self {
            suite,
            title: CLIENT_TITLE,
            protection: Protection::AUTHENTICATED_ENCRYPTED,
            key: provider.aead_key(suite, &key).unwrap(),
            authentication_key,
            counter: 0,
            dedicated: provider.aead_key(suite, &SecretKey::new(suite, &dedicated_octets).unwrap()).unwrap(),
            dedicated_octets,
            dedicated_counter: 0,
            provider,
        }
    }

    /// A dedicated key for the next association.
    pub fn renew_dedicated(&mut self, octet: u8) {
        self.dedicated_octets = vec![octet; self.suite.key_len()];
        let key = SecretKey::new(self.suite, &self.dedicated_octets).unwrap();
        self.dedicated = self.provider.aead_key(self.suite, &key).unwrap();
        self.dedicated_counter = 0;
    }

    fn protector(&self, dedicated: bool) -> Protector<'_, Provider> {
        let key = if dedicated { &self.dedicated } else { &self.key };
        Protector { provider: &self.provider, key, authentication_key: &self.authentication_key }
    }

    /// `SC ‖ IC ‖ … ‖ tag`, with the security control and counter as given.
    pub fn content(&self, dedicated: bool, control: SecurityControl, counter: u32, plain: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; plain.len() + 17];
        buffer[5..5 + plain.len()].copy_from_slice(plain);
        let counter = InvocationCounter::new(counter);
        let length = self
            .protector(dedicated)
            .protect(control, self.title, counter, &[], &mut buffer, plain.len())
            .unwrap();
        buffer.truncate(length);
        buffer
    }

    pub fn envelope(&self, form: Form, service: u8, content: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; content.len() + 32];
        let mut encoder = Encoder::new(&mut buffer);
        let distance = match (service, form) {
            (0xC0.., Form::Glo) => 0x08,
            (0xC0.., _) => 0x10,
            (_, Form::Glo) => 0x20,
            _ => 0x40,
        };
        match form {
            Form::Glo | Form::Ded => encoder.u8(service + distance).unwrap(),
            Form::GeneralGlo | Form::GeneralDed => {
                encoder.u8(if form == Form::GeneralGlo { 0xDB } else { 0xDC }).unwrap();
                encoder.octet_string(self.title.octets()).unwrap();
            }
        }
        encoder.octet_string(content).unwrap();
        let length = encoder.len();
        buffer.truncate(length);
        buffer
    }

    pub fn control(&self) -> SecurityControl {
        SecurityControl::new(self.suite, self.protection)
    }

    pub fn next_counter(&mut self, dedicated: bool) -> u32 {
        let counter = if dedicated { &mut self.dedicated_counter } else { &mut self.counter };
        *counter += 1;
        *counter - 1
    }

    /// A request, protected as it should be.
    pub fn seal(&mut self, form: Form, plain: &[u8]) -> Vec<u8> {
        let counter = self.next_counter(form.is_dedicated());
        let content = self.content(form.is_dedicated(), self.control(), counter, plain);
        self.envelope(form, plain[0], &content)
    }

    pub fn initiate(&self, dedicated: bool, size: u16) -> Vec<u8> {
        let mut buffer = [0; 64];
        let mut encoder = Encoder::new(&mut buffer);
        let request = InitiateRequest {
            dedicated_key: dedicated.then_some(&self.dedicated_octets),
            response_allowed: true,
            proposed_quality_of_service: None,
            proposed_dlms_version_number: 6,
            proposed_conformance: Conformance::LOGICAL_NAME,
            client_max_receive_pdu_size: size,
        };
        request.encode(&mut encoder).unwrap();
        encoder.written().to_vec()
    }

    /// An AARQ with the user-information as given.
    pub fn aarq_around(&self, mechanism: AuthenticationMechanism, information: &[u8]) -> Vec<u8> {
        let aarq = Aarq {
            application_context_name: ApplicationContextName::LogicalNameReferencingWithCiphering,
            calling_ap_title: Some(self.title.octets()),
            user_information: Some(information),
            ..Aarq::default()
        };
        let aarq = match mechanism {
            AuthenticationMechanism::None => aarq,
            mechanism => Aarq {
                sender_acse_requirements: Some(AcseRequirements::AUTHENTICATION),
                mechanism: Some(MechanismName::Standard(mechanism)),
                authentication_value: Some(AuthenticationValue::Charstring(CTOS)),
                ..aarq
            },
        };
        let mut buffer = [0; 300];
        let mut encoder = Encoder::new(&mut buffer);
        aarq.encode(&mut encoder).unwrap();
        encoder.written().to_vec()
    }

    pub fn aarq(&mut self, mechanism: AuthenticationMechanism, dedicated: bool, size: u16) -> Vec<u8> {
        let initiate = self.initiate(dedicated, size);
        let counter = self.next_counter(false);
        let control = SecurityControl::new(self.suite, Protection::AUTHENTICATED_ENCRYPTED);
        let content = self.content(false, control, counter, &initiate);
        self.aarq_around(mechanism, &self.envelope(Form::Glo, 0x01, &content))
    }

    pub fn rlrq(&mut self) -> Vec<u8> {
        let initiate = self.initiate(false, 0);
        let counter = self.next_counter(false);
        let control = SecurityControl::new(self.suite, Protection::AUTHENTICATED_ENCRYPTED);
        let content = self.content(false, control, counter, &initiate);
        let information = self.envelope(Form::Glo, 0x01, &content);
        let mut buffer = [0; 100];
        let mut encoder = Encoder::new(&mut buffer);
        ReleaseRequest { reason: None, user_information: Some(&information) }.encode(&mut encoder).unwrap();
        encoder.written().to_vec()
    }

    /// reply_to_HLS_authentication with the GMAC of a challenge under this counter.
    pub fn proof(&self, stoc: &[u8], counter: u32) -> Vec<u8> {
        let counter = InvocationCounter::new(counter);
        let proof = hls::gmac(&self.protector(false), self.suite, self.title, counter, stoc).unwrap();
        [&[0xC3, 0x01, 0xC1, 0x00, 0x0F, 0, 0, 40, 0, 0, 0xFF, 1, 1, 0x09, 0x11][..], &proof].concat()
    }

    /// Opens an association without a handshake (`None`), or with GMAC.
    pub fn associate(&mut self, link: &mut Link) {
        let mechanism = link.meter.associations[0].mechanism;
        let aarq = self.aarq(mechanism, true, 0);
        let aare = link.exchange(&aarq).unwrap();
        if mechanism == AuthenticationMechanism::Gmac {
            let counter = self.next_counter(false);
            let proof = self.proof(&stoc(&aare), counter);
            let sealed = self.seal(Form::Glo, &proof);
            link.exchange(&sealed).unwrap();
        }
        assert!(link.session.association().is_some(), "{:02X?}", aare);
        while link.session.poll_event().is_some() {}
    }
}

/// The server's challenge.
pub fn stoc(aare: &[u8]) -> Vec<u8> {
    let aare = dlms::acse::Aare::from_octets(aare).unwrap();
    aare.authentication_value.and_then(|value| value.charstring()).expect("a challenge").to_vec()
}
