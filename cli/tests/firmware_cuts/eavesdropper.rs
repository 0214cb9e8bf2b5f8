//! Who listens on the line, through all lives of the meter: no nonce is used for two contents, and what was sent to the
//! meter can be sent again later.

use std::collections::BTreeMap;

use dlms_security::{
    AdditionalData, AuthenticationKey, CryptoProvider as _, NoRandom, RustCrypto, SecretKey, SystemTitle,
};

use crate::line::Recording;
use crate::reader::{CLIENT, Keys, METER};

const AARQ: u8 = 0x60;
const AARE: u8 = 0x61;
const RLRQ: u8 = 0x62;
const RLRE: u8 = 0x63;
const GLO: std::ops::RangeInclusive<u8> = 0xC8..=0xCF;
const AUTHENTICATED_AND_ENCRYPTED: u8 = 0x30;
const AUTHENTICATED: u8 = 0x10;

/// A key, whose title, and the invocation counter.
type Nonce = (Vec<u8>, SystemTitle, u32);

#[derive(Clone, Default)]
pub struct Eavesdropper {
    /// What was sent under each nonce, as far as it was heard.
    nonces: BTreeMap<Nonce, Vec<u8>>,
    /// The requests that a client sent, with the key of each.
    requests: Vec<(Vec<u8>, Vec<u8>)>,
    /// The highest counter of a request that was answered, under each key.
    answered: BTreeMap<Vec<u8>, u32>,
}

impl Eavesdropper {
    /// What was sent on one connection, under these keys.
    pub fn listen(&mut self, recording: &Recording, keys: &Keys) {
        for (octets, title) in [(&recording.to_meter, CLIENT), (&recording.from_meter, METER)] {
            for apdu in apdus(octets) {
                self.hear(&apdu, title, keys);
            }
        }
        let answers = apdus(&recording.from_meter).iter().filter(|apdu| apdu.is_whole).count();
        let answered = apdus(&recording.to_meter).into_iter().take(answers);
        let counter = |apdu: Apdu| {
            let octets = ciphered(&apdu.octets)?.get(1..5)?.try_into().ok()?;
            Some(u32::from_be_bytes(octets))
        };
        if let Some(highest) = answered.filter_map(counter).max() {
            let known = self.answered.entry(keys.encryption.clone()).or_default();
            *known = highest.max(*known);
        }
    }

    /// The highest counter of a request under the key that was answered.
    pub fn answered(&self, keys: &Keys) -> u32 {
        self.answered.get(&keys.encryption).copied().unwrap_or(0)
    }

    /// A request that changed something under the key, as it was on the line, some time ago.
    pub fn old_request(&self, keys: &Keys, random: u64) -> Option<&[u8]> {
        const ACTION: u8 = 0xCB;
        self.pick(keys, random, |apdu| apdu[0] == ACTION)
    }

    /// What opened an association under the key some time ago.
    pub fn old_opening(&self, keys: &Keys, random: u64) -> Option<&[u8]> {
        self.pick(keys, random, |apdu| apdu[0] == AARQ)
    }

    pub fn nonces(&self) -> usize {
        self.nonces.len()
    }

    fn pick(&self, keys: &Keys, random: u64, wanted: fn(&[u8]) -> bool) -> Option<&[u8]> {
        let heard = self.requests.iter().filter(|(key, apdu)| *key == keys.encryption && wanted(apdu));
        let heard: Vec<_> = heard.collect();
        heard.get((random % heard.len().max(1) as u64) as usize).map(|(_, apdu)| &apdu[..])
    }

    fn hear(&mut self, apdu: &Apdu, title: SystemTitle, keys: &Keys) {
        let Some(ciphered) = ciphered(&apdu.octets) else { return };
        let &[control, c0, c1, c2, c3, ref content @ ..] = ciphered else { return };
        assert_eq!(control & 0xF0, AUTHENTICATED_AND_ENCRYPTED);
        let counter = u32::from_be_bytes([c0, c1, c2, c3]);
        self.use_nonce(keys, title, counter, content);
        if !apdu.is_whole {
            return;
        }
        if title == CLIENT {
            self.requests.push((keys.encryption.clone(), apdu.octets.clone()));
        }
        // A proof of HLS 5 has a nonce of its own.
        let plain = decipher(keys, title, counter, control, content);
        let proof = plain.windows(3).position(|window| window == [0x09, 0x11, AUTHENTICATED]);
        if let Some(at) = proof.filter(|_| plain.len() < 48) {
            let (counter, tag) = plain[at + 3..].split_first_chunk().unwrap();
            self.use_nonce(keys, title, u32::from_be_bytes(*counter), tag);
        }
    }

    fn use_nonce(&mut self, keys: &Keys, title: SystemTitle, counter: u32, content: &[u8]) {
        let nonce = (keys.encryption.clone(), title, counter);
        let heard = self.nonces.entry(nonce).or_insert_with(|| content.to_vec());
        let both = heard.len().min(content.len());
        assert!(heard[..both] == content[..both], "{title:?} uses nonce {counter} twice");
        if content.len() > heard.len() {
            *heard = content.to_vec();
        }
    }
}

struct Apdu {
    octets: Vec<u8>,
    is_whole: bool,
}

/// The APDUs in what one station has sent; the last one may have been cut short.
fn apdus(mut octets: &[u8]) -> Vec<Apdu> {
    const FLAG: u8 = 0x7E;
    const LLC: usize = 3;
    let mut apdus = Vec::new();
    let mut segments = Vec::new();
    let mut last_number = None;
    while let Some(begin) = octets.iter().position(|octet| *octet != FLAG) {
        octets = &octets[begin..];
        let &[high, low, ..] = octets else { break };
        assert_eq!(high & 0xF0, 0xA0, "no frame");
        let length = usize::from(high & 7) << 8 | usize::from(low);
        let is_whole = octets.len() >= length;
        let frame = &octets[..length.min(octets.len())];
        octets = octets.get(length..).unwrap_or_default();
        // Two addresses, the control field, and the checksum of the header before what the frame carries.
        let mut ends =
            frame.iter().enumerate().skip(2).filter(|(_, octet)| **octet & 1 == 1).map(|(at, _)| at);
        let Some(end) = ends.by_ref().nth(1) else { break };
        let Some(&control) = frame.get(end + 1) else { break };
        let Some(information) = frame.get(end + 4..) else { continue };
        if control & 1 == 1 {
            last_number = None;
            continue;
        }
        // A frame that was sent again says nothing new.
        if last_number.replace(control & 0x0E) == Some(control & 0x0E) {
            continue;
        }
        let information = if is_whole { &information[..information.len() - 2] } else { information };
        segments.extend_from_slice(information);
        let has_more = high & 8 != 0;
        if !has_more || !is_whole {
            let whole = std::mem::take(&mut segments);
            let octets = whole.get(LLC..).unwrap_or_default().to_vec();
            apdus.push(Apdu { octets, is_whole });
        }
    }
    apdus
}

/// The ciphered part of an APDU, from the security control octet on, as far as it is there.
fn ciphered(apdu: &[u8]) -> Option<&[u8]> {
    let (&tag, rest) = apdu.split_first()?;
    if GLO.contains(&tag) {
        return Some(content(rest)?.0);
    }
    if !matches!(tag, AARQ | AARE | RLRQ | RLRE) {
        return None;
    }
    let mut fields = content(rest)?.0;
    while let Some((&tag, rest)) = fields.split_first() {
        let (field, after) = content(rest)?;
        if tag == 0xBE {
            // An OCTET STRING with the Initiate APDU in it.
            let (initiate, _) = content(field.get(1..)?)?;
            return Some(content(initiate.get(1..)?)?.0);
        }
        fields = after;
    }
    None
}

/// What follows a length, as far as it is there, and what follows that.
fn content(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = octets.split_first()?;
    let (length, rest) = match first {
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), rest.get(2..)?),
        length => (usize::from(length), rest),
    };
    Some(rest.split_at(length.min(rest.len())))
}

fn decipher(keys: &Keys, title: SystemTitle, counter: u32, control: u8, content: &[u8]) -> Vec<u8> {
    let provider = RustCrypto::new(NoRandom);
    let key = SecretKey::new(keys.suite, &keys.encryption).unwrap();
    let key = provider.aead_key(keys.suite, &key).unwrap();
    let authentication_key = AuthenticationKey::for_suite(keys.suite, &keys.authentication).unwrap();
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(title.octets());
    nonce[8..].copy_from_slice(&counter.to_be_bytes());
    let (text, tag) = content.split_last_chunk().unwrap();
    let mut text = text.to_vec();
    let aad =
        AdditionalData { control: &[control], authentication_key: &authentication_key, rest: [&[], &[]] };
    provider
        .open(&key, &nonce, &aad, &mut text, tag)
        .expect("what is on the line is under the keys of who sent it");
    text
}
