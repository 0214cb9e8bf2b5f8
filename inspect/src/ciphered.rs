//! Protected APDUs: opened where the keys are there, described where they are not.
//!
//! | `tag` | |
//! | --- | --- |
//! | `ok` | verified |
//! | `absent` | not sent: encryption only |
//! | `unchecked-no-ak` | sent, but the authentication key is not known |
//! | `0x…` | sent, under a key that is agreed on in a way that cannot be followed |

use dlms::xdlms::{self, GeneralCiphering, KeyInfo, KeySetId};
use dlms_axdr::{DecodeErrorKind, Reader};
use dlms_security::{
    CryptoProvider, NoRandom, Protection, Protector, RustCrypto, Secret, SecretKey, SecurityControl,
    SecurityError, SecurityHeader, SystemTitle, hls,
};
use serde_json::{Value, json};

use crate::apdu::{Fields, object};
use crate::association::{Association, Mode, general_header, title, whole};
use crate::iec62056_21;
use crate::message::Direction;
use crate::problem::{Layer, Problem, ciphered_name, hex};

const PROVIDER: RustCrypto<NoRandom> = RustCrypto::new(NoRandom);

/// A protected content, and what its protection depends on.
struct Content<'c> {
    /// The title of the sender.
    title: Option<SystemTitle>,
    /// Whether the dedicated key protects it.
    dedicated: bool,
    /// What the tag covers besides.
    header: &'c [u8],
    octets: &'c [u8],
    /// The length that was declared, if that is another one.
    declared: Option<usize>,
    /// Whether the key is one that only the parties can know.
    agreed_key: bool,
    /// The tag of the plain APDU, if the envelope announces one.
    service: Option<u8>,
}

impl Association<'_> {
    pub(crate) fn service_ciphering(
        &mut self,
        direction: Direction,
        octets: &[u8],
        (service, dedicated): (u8, bool),
        mode: Mode,
    ) -> Result<Fields, Problem> {
        let mut reader = Reader::new(octets);
        reader.u8().map_err(|error| Problem::xdlms(octets, error))?;
        let (octets, declared) = self.content(octets, &mut reader, mode)?;
        let content = Content {
            title: self.sender(direction),
            dedicated,
            header: &[],
            octets,
            declared,
            agreed_key: false,
            service: Some(service),
        };
        let fields = object(json!({ "apdu": ciphered_name(service, dedicated) }));
        self.open(direction, content, fields, mode)
    }

    pub(crate) fn general_ciphering_with_title(
        &mut self,
        direction: Direction,
        octets: &[u8],
        mode: Mode,
    ) -> Result<Fields, Problem> {
        let malformed = |error| Problem::xdlms(octets, error);
        let mut reader = Reader::new(octets);
        let dedicated = reader.u8().map_err(malformed)? == xdlms::GENERAL_DED_CIPHERING;
        let system_title = reader.octet_string().map_err(malformed)?;
        let (octets, declared) = self.content(octets, &mut reader, mode)?;
        let name = if dedicated { "general-ded-ciphering" } else { "general-glo-ciphering" };
        let fields = object(json!({ "apdu": name, "system-title": hex(system_title) }));
        let sender = title(Some(system_title)).or_else(|| self.sender(direction));
        let content = Content {
            title: sender,
            dedicated,
            header: &[],
            octets,
            declared,
            agreed_key: false,
            service: None,
        };
        self.open(direction, content, fields, mode)
    }

    pub(crate) fn general_ciphering(
        &mut self,
        direction: Direction,
        octets: &[u8],
        mode: Mode,
    ) -> Result<Fields, Problem> {
        let apdu = whole(octets, GeneralCiphering::decode).map_err(|error| Problem::xdlms(octets, error))?;
        let mut fields = object(json!({ "apdu": "general-ciphering" }));
        fields.extend(general_header(&apdu.header));
        fields.insert("key-info".into(), apdu.key_info.map_or(Value::Null, key_info));
        let is_known = matches!(apdu.key_info, None | Some(KeyInfo::Identified(_)));
        let content = Content {
            title: title(Some(apdu.header.originator_system_title)),
            dedicated: false,
            header: apdu.header.received,
            octets: apdu.content,
            declared: None,
            agreed_key: !is_known || self.options.encryption_key.is_none(),
            service: None,
        };
        self.open(direction, content, fields, mode)
    }

    /// The content that takes the rest of an APDU, and the declared length if it is another one.
    fn content<'a>(
        &mut self,
        apdu: &[u8],
        reader: &mut Reader<'a>,
        mode: Mode,
    ) -> Result<(&'a [u8], Option<usize>), Problem> {
        let at = reader.offset();
        let declared = reader.length().map_err(|error| Problem::xdlms(apdu, error))?;
        let content = reader.rest();
        if declared == content.len() {
            return Ok((content, None));
        }
        if declared < content.len() {
            let kind = DecodeErrorKind::trailing(content.len() - declared);
            let error = reader.error(kind);
            return Err(Problem::xdlms(apdu, dlms_axdr::DecodeError { offset: at + declared, ..error }));
        }
        let is_without_tag = content.first().is_some_and(|&control| {
            SecurityControl::from_octet(control).protection() == Protection::ENCRYPTED
        });
        if mode.tolerant && is_without_tag && declared == content.len() + SecurityHeader::TAG_LENGTH {
            self.quirk("glo-length-counts-absent-tag");
            return Ok((content, Some(declared)));
        }
        let message =
            format!("{declared} octets of ciphered content are declared, {} are there", content.len());
        Err(Problem::new(Layer::Xdlms, "ciphered-length-overrun", message).at(at))
    }

    fn sender(&self, direction: Direction) -> Option<SystemTitle> {
        match direction {
            Direction::ClientToMeter => self.client.title,
            Direction::MeterToClient | Direction::Push => self.meter.title,
        }
    }

    /// Opens a content and explains what is in it.
    fn open(
        &mut self,
        direction: Direction,
        content: Content<'_>,
        mut fields: Fields,
        mode: Mode,
    ) -> Result<Fields, Problem> {
        let header = match SecurityHeader::parse(content.octets) {
            Err(SecurityError::NoProtection) => {
                return self.unprotected(direction, content.octets, fields, mode);
            }
            header => header.map_err(Problem::security)?,
        };
        fields.insert("security-control".into(), header.control.octet().into());
        fields.insert("invocation-counter".into(), header.counter.value().into());
        if let Some(declared) = content.declared {
            fields.insert("declared-length".into(), declared.into());
            fields.insert("actual-length".into(), content.octets.len().into());
        }
        let protection = header.control.protection();
        let is_authenticated = protection.contains(Protection::AUTHENTICATED);
        let rest = &content.octets[SecurityHeader::LENGTH..];
        let tag_length = if is_authenticated { SecurityHeader::TAG_LENGTH } else { 0 };
        let (text, tag) = rest.split_at(rest.len() - tag_length);

        let key = if content.dedicated { &self.dedicated_key } else { &self.options.encryption_key };
        let key = key.as_ref().filter(|_| !content.agreed_key);
        let (plain, is_verified) = match (key, content.title) {
            (Some(key), Some(title)) => {
                let (plain, tag) = self.unprotect(key, title, &content, header, text)?;
                fields.insert("tag".into(), tag.into());
                (plain, tag == "ok")
            }
            _ if content.agreed_key && protection == Protection::AUTHENTICATED => {
                fields.insert("tag".into(), format!("0x{}", hex(tag)).into());
                (text.to_vec(), true)
            }
            (key, _) => {
                fields.insert("ciphertext-length".into(), text.len().into());
                fields.insert("plaintext".into(), Value::Null);
                if key.is_some() {
                    fields.insert("missing".into(), "system-title".into());
                }
                return Ok(fields);
            }
        };
        let announced = content.service.is_none_or(|service| plain.first() == Some(&service));
        let explained = match self.plaintext(direction, &plain, mode) {
            Ok(explained) if announced => explained,
            Err(problem) if is_verified || (announced && !is_of_another_key(&problem)) => {
                return Err(problem);
            }
            Ok(_) if is_verified => {
                let message = "the protected APDU is not the one that the envelope announces";
                return Err(Problem::new(Layer::Security, "wrong-service", message));
            }
            Ok(_) | Err(_) => {
                let message = "what comes out is no APDU; no tag was checked, but the key is probably wrong";
                return Err(Problem::new(Layer::Security, "wrong-key", message));
            }
        };
        fields.insert("plaintext".into(), explained);
        Ok(fields)
    }

    /// A content with neither authentication nor encryption.
    fn unprotected(
        &mut self,
        direction: Direction,
        octets: &[u8],
        mut fields: Fields,
        mode: Mode,
    ) -> Result<Fields, Problem> {
        let Some((&[control, counter @ ..], text)) = octets.split_first_chunk::<{ SecurityHeader::LENGTH }>()
        else {
            return Err(Problem::new(Layer::Security, "truncated", "the security header is cut"));
        };
        fields.insert("security-control".into(), control.into());
        fields.insert("invocation-counter".into(), u32::from_be_bytes(counter).into());
        fields.insert("tag".into(), "absent".into());
        let plaintext = self.plaintext(direction, text, mode)?;
        fields.insert("plaintext".into(), plaintext);
        Ok(fields)
    }

    fn plaintext(&mut self, direction: Direction, plain: &[u8], mode: Mode) -> Result<Value, Problem> {
        if let Some(telegram) = iec62056_21::p1_inside(plain) {
            self.quirk("p1-inside-glo");
            return Ok(json!({ "p1": telegram, "hex": hex(plain) }));
        }
        self.explain(direction, plain, mode.inside()).map(Value::Object)
    }

    /// The plain text, and what became of the tag.
    fn unprotect(
        &self,
        key: &Secret<32>,
        sender: SystemTitle,
        content: &Content<'_>,
        header: SecurityHeader,
        text: &[u8],
    ) -> Result<(Vec<u8>, &'static str), Problem> {
        let suite = header
            .control
            .suite()
            .ok_or(SecurityError::ReservedSuite(header.control.suite_id()))
            .map_err(Problem::security)?;
        if header.control.compressed() {
            return Err(Problem::security(SecurityError::CompressionNotSupported));
        }
        let key = PROVIDER
            .aead_key(suite, &SecretKey::new(suite, key.expose()).map_err(Problem::security)?)
            .map_err(Problem::security)?;
        let protection = header.control.protection();
        let authentication_key = self.options.authentication_key.as_ref();
        if let (true, Some(authentication_key)) =
            (protection.contains(Protection::AUTHENTICATED), authentication_key)
        {
            let protector = Protector { provider: &PROVIDER, key: &key, authentication_key };
            let mut octets = content.octets.to_vec();
            let plain =
                protector.unprotect(sender, content.header, &mut octets).map_err(Problem::security)?.to_vec();
            return Ok((plain, "ok"));
        }
        let mut plain = text.to_vec();
        if protection.contains(Protection::ENCRYPTED) {
            let mut nonce = [0; 12];
            nonce[..8].copy_from_slice(sender.octets());
            nonce[8..].copy_from_slice(&header.counter.value().to_be_bytes());
            PROVIDER.apply_keystream(&key, &nonce, &mut plain).map_err(Problem::security)?;
        }
        let tag = if protection == Protection::ENCRYPTED { "absent" } else { "unchecked-no-ak" };
        Ok((plain, tag))
    }

    /// Recomputes a proof of HLS with GMAC, if the keys are there.
    pub(crate) fn check_proof(
        &mut self,
        check: &'static str,
        prover: Option<SystemTitle>,
        challenge: &[u8],
        proof: &[u8],
    ) {
        let keys = self.options.encryption_key.as_ref().zip(self.options.authentication_key.as_ref());
        let (Some((key, authentication_key)), Some(prover)) = (keys, prover) else { return };
        let recompute = || {
            let header = SecurityHeader::parse(proof)?;
            let suite = header.control.suite().ok_or(SecurityError::TagMismatch)?;
            let key = PROVIDER.aead_key(suite, &SecretKey::new(suite, key.expose())?)?;
            let protector = Protector { provider: &PROVIDER, key: &key, authentication_key };
            let expected = hls::gmac(&protector, suite, prover, header.counter, challenge)?;
            hls::verify(&expected, proof)
        };
        self.hls_checks.push(json!({ "check": check, "ok": recompute().is_ok() }));
    }
}

/// Whether a plain text that no tag vouches for was opened with a wrong key: random octets fail before they get as far
/// as a value.
fn is_of_another_key(problem: &Problem) -> bool {
    problem.layer == Layer::Xdlms && problem.reason != "date-time-length-9"
}

fn key_info(key_info: KeyInfo<'_>) -> Value {
    match key_info {
        KeyInfo::Identified(KeySetId::GlobalUnicast) => json!({ "identified-key": 0 }),
        KeyInfo::Identified(KeySetId::GlobalBroadcast) => json!({ "identified-key": 1 }),
        KeyInfo::Wrapped { kek_id, key } => {
            json!({ "wrapped-key": { "kek-id": kek_id, "key-ciphered-data": hex(key) } })
        }
        KeyInfo::Agreed { parameters, ciphered_data } => json!({
            "agreed-key": {
                "key-parameters": hex(parameters),
                "key-ciphered-data": hex(ciphered_data),
            }
        }),
    }
}
