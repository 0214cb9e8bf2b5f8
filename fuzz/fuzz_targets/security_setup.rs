//! Arbitrary parameters of the methods of Security setup: never a panic, and what fails changes nothing.
#![no_main]

use dlms::server::{KeyManagement, KeyManager, Setup, SetupKeyPairs};
use dlms::{KeyPairs, KeyRing, SecurityContext};
use dlms_axdr::{Data, Encoder};
use dlms_security::certificate::MemoryCertificates;
use dlms_security::{
    AuthenticationKey, CounterId, KeyFingerprint, KeyStore, KeyUsage, KnownPeer, NoRandom, PeerKeys,
    PrivateKey, Protection, PublicKey, RustCrypto, SecretKey, SecuritySuite, SetupChange, StorageError,
    SystemTitle,
};
use libfuzzer_sys::fuzz_target;

const METER: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");
const CLIENT: SystemTitle = SystemTitle::from_octets(*b"HES\0\0\0\0\x02");

/// Counts what is installed.
struct Store(usize);

impl KeyStore for Store {
    fn counter_id(&mut self, _: usize, key: &KeyFingerprint) -> Result<CounterId, StorageError> {
        Ok(CounterId(u32::from(key.octets()[0]) + 1))
    }

    fn install(&mut self, _: usize, _: &SetupChange<'_>) -> Result<(), StorageError> {
        self.0 += 1;
        Ok(())
    }
}

/// Trusts one key for everything.
struct Trusted(PublicKey);

impl PeerKeys for Trusted {
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey> {
        let known = KnownPeer { title: CLIENT, keys: [Some(self.0); 3] };
        [known][..].public_key(owner, usage)
    }
}

fuzz_target!(|input: (u8, i8, u8, &[u8])| {
    let (choice, method, protection, octets) = input;
    let suite = SecuritySuite::ALL[usize::from(choice) % 3];
    let provider = RustCrypto::new(NoRandom);
    let (Ok(parameter), Ok(key)) =
        (Data::from_octets(octets), SecretKey::new(suite, &[0x5A; 32][..suite.key_len()]))
    else {
        return;
    };
    let unused = AuthenticationKey::unused();
    let context = SecurityContext::new(&provider, suite, METER, &key, unused, CounterId(0), 0);
    let Ok(mut context) = context else { return };
    let mut ring = KeyRing::new();
    if ring.set_master_key(&provider, suite, &key).is_err() {
        return;
    }
    let certificates = MemoryCertificates::<4>::new();
    let mut own = KeyPairs::new();
    let mut peers = None;
    if let Some(curve) = suite.curve()
        && let Ok(pair) = PrivateKey::new(curve, &[0x11; 48][..curve.coordinate_len()])
    {
        own.set_in_use(KeyUsage::DigitalSignature, Some(pair));
        peers = PublicKey::new(curve, &[0x22; 96][..curve.pair_len()]).ok().map(Trusted);
    }
    let key_pairs = peers.as_ref().map(|peers| SetupKeyPairs { provider: &provider, own: &mut own, peers });
    let mut setup = Setup {
        number: 0,
        version: choice >> 7,
        provider: &provider,
        context: &mut context,
        key_ring: Some(&mut ring),
        key_pairs,
        certificates: Some(&certificates),
        client: Some(CLIENT),
        protection: Protection::from_bits_truncate(protection),
        room: Some(1000),
    };
    let mut manager = KeyManager::new(Store(0));
    let mut room = [0; 1024];
    let result = manager.invoke(&mut setup, method, parameter, &mut Encoder::new(&mut room));
    if result.is_err() {
        assert_eq!(manager.store().0, 0, "what is refused changes nothing");
        assert!(manager.take_changes().is_none());
    }
});
