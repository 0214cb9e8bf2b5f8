//! Providers, proofs, keys, counters and certificates.

use dlms::security::certificate::{Authorities, CertificateStore, FlashCertificates, MemoryCertificates};
use dlms::security::{
    Backend, CounterStore, CryptoProvider, FlashCounters, KeyFingerprint, Peer, PeerKeys, PeerWindows,
    Protector, PublicKeyProvider, SecretKey, hls, keys,
};

use crate::outside::{Outside, Provider, Small, Source};
use crate::{Found, compiled};

fn provider<P: CryptoProvider>(found: Found<'_>) {
    compiled![found;
        P::aead_key, P::seal, P::open, P::apply_keystream, P::wrap_key, P::wrap, P::unwrap, P::generate_key, P::fingerprint,
        P::discard, P::md5, P::sha1, P::sha256, P::random,
        Protector::<P>::protect, Protector::<P>::unprotect,
        hls::Challenge::random::<P>, hls::Challenge::random_with_length::<P>,
        hls::md5::<P>, hls::sha1::<P>, hls::sha256::<P>, hls::gmac::<P>, hls::verify_gmac::<P>,
        keys::wrap_key::<P>, keys::unwrap_key::<P>,
        KeyFingerprint::of::<P>, SecretKey::generate::<P>,
    ];
}

const fn public_keys<P: PublicKeyProvider>(provider: &P) -> &dyn PublicKeyProvider {
    provider
}

const fn counters<S: CounterStore>(store: &mut S) -> &mut dyn CounterStore {
    store
}

const fn certificates<S: CertificateStore>(store: &S) -> &dyn CertificateStore {
    store
}

const fn authorities<S: Authorities>(store: &S) -> &dyn Authorities {
    store
}

const fn peers<S: PeerKeys>(store: &S) -> &dyn PeerKeys {
    store
}

type Counters = FlashCounters<Outside, 16>;
type Flash = FlashCertificates<Outside, 8, 1024>;
type Memory = MemoryCertificates<8, 1024>;
type Windows = PeerWindows<[Peer]>;

pub fn all(found: Found<'_>) {
    provider::<Provider>(found);
    provider::<Small>(found);
    provider::<Backend<Source>>(found);
    compiled![found;
        public_keys::<Provider>, public_keys::<Backend<Source>>,
        counters::<Counters>, Counters::open, Counters::format, Counters::forget, Counters::into_flash,
        certificates::<Flash>, authorities::<Flash>, peers::<Flash>, Flash::open, Flash::format, Flash::into_flash,
        certificates::<Memory>, authorities::<Memory>, peers::<Memory>, Memory::new,
        Windows::restore, Windows::window, Windows::look_up, Windows::lowest_acceptable, Windows::accept,
    ];
}
