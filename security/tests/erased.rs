//! No key stays on the heap once nobody has it any more, whichever library computed with it.
//!
//! Octets that are drawn anew become keys; afterwards every writable part of this process's memory is searched for them, as
//! they are and in the orders in which libraries keep words and numbers. Stacks are left out: what a function leaves there
//! when it returns is the compiler's. Systems that do not show a process its own memory are left out, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "common/providers.rs"]
mod providers;

use std::fs::{File, read_to_string};
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom};

use dlms_security::hls::Challenge;
use dlms_security::{
    AdditionalData, AuthenticationKey, AuthenticationMechanism, CryptoProvider, Curve, PrivateKey,
    PublicKeyProvider, Secret, SecretKey, SecuritySuite,
};
use providers::{PROVIDERS, Provider};
use zeroize::Zeroizing;

/// What is searched for, hidden so that the search does not find itself.
struct Needle(Vec<u8>);

const MASK: u8 = 0x5C;
/// Enough of a key to know it by.
const LENGTH: usize = 16;

impl Needle {
    fn new(octets: &[u8]) -> Self {
        Self(octets.iter().take(LENGTH).map(|octet| octet ^ MASK).collect())
    }

    /// As it is; each word of four octets turned round; the whole turned round.
    fn forms(&self, whole: &Self) -> [Vec<u8>; 3] {
        let words = self.0.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
        let reversed = whole.0.iter().rev().take(LENGTH).copied().collect();
        [self.0.clone(), words, reversed]
    }
}

/// The memory of this process.
struct Memory {
    window: Vec<u8>,
}

impl Memory {
    /// Whether the first octets of a key, or its last as a little-endian number, are anywhere.
    fn contains(&mut self, first: &Needle, whole: &Needle) -> bool {
        let forms = first.forms(whole);
        let mut memory = File::open("/proc/self/mem").unwrap();
        let maps = read_to_string("/proc/self/maps").unwrap();
        let mut found = false;
        for map in maps.lines().filter(|map| map.contains(" rw") && !map.contains("[stack]")) {
            let (start, end) = map.split(' ').next().unwrap().split_once('-').unwrap();
            let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
            let own = self.window.as_ptr() as u64..self.window.as_ptr() as u64 + self.window.len() as u64;
            let mut at = start;
            while at < end {
                // The window is not searched for what was read through it.
                if own.contains(&at) {
                    at = own.end;
                    continue;
                }
                let next = if at < own.start { end.min(own.start) } else { end };
                let length = (next - at).min(self.window.len() as u64) as usize;
                memory.seek(SeekFrom::Start(at)).unwrap();
                let Ok(length) = memory.read(&mut self.window[..length]) else { break };
                if length == 0 {
                    break;
                }
                let is_at = |form: &[u8], window: &[u8]| form.iter().zip(window).all(|(a, b)| a ^ MASK == *b);
                let seen = self.window[..length].windows(LENGTH);
                found |= seen.into_iter().any(|window| forms.iter().any(|form| is_at(form, window)));
                // What lies across two windows is seen in the second.
                at += if at + length as u64 == next {
                    length
                } else {
                    length.saturating_sub(LENGTH - 1).max(1)
                } as u64;
            }
        }
        self.window.fill(0);
        black_box(&self.window);
        found
    }
}

/// Octets that no run before had, and that are on no heap.
fn draw<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut octets = Zeroizing::new([0; N]);
    File::open("/dev/urandom").unwrap().read_exact(&mut *octets).unwrap();
    // A scalar of either curve.
    octets[0] &= 0x7F;
    octets
}

struct Search {
    memory: Memory,
    library: &'static str,
}

impl Search {
    fn absent(&mut self, what: &str, octets: &[u8]) {
        let (first, whole) = (Needle::new(octets), Needle(octets.iter().map(|octet| octet ^ MASK).collect()));
        assert!(!self.memory.contains(&first, &whole), "{}: {what} stays behind", self.library);
    }

    fn present(&mut self, what: &str, octets: &[u8]) {
        let (first, whole) = (Needle::new(octets), Needle(octets.iter().map(|octet| octet ^ MASK).collect()));
        assert!(self.memory.contains(&first, &whole), "{}: {what} is not found at all", self.library);
    }
}

fn containers(search: &mut Search) {
    let octets = draw::<32>();
    let suite = SecuritySuite::Suite2;
    let kept = Box::new((
        SecretKey::new(suite, &*octets).unwrap(),
        AuthenticationKey::new(&*octets).unwrap(),
        Secret::<64>::new(&*octets).unwrap(),
        PrivateKey::new(Curve::P256, &*octets).unwrap(),
        Challenge::received(AuthenticationMechanism::Ecdsa, &*octets).unwrap(),
    ));
    search.present("a key in its container", &*octets);
    drop(kept);
    search.absent("a key in its container", &*octets);
}

fn symmetric(search: &mut Search, provider: &Provider) {
    for suite in SecuritySuite::ALL {
        let [encryption, authentication, master] = [(); 3].map(|()| draw::<32>());
        let of_suite = |octets: &[u8; 32]| SecretKey::new(suite, &octets[..suite.key_len()]).unwrap();
        // Not in a box: what is moved there takes along what happens to lie between its fields.
        let key = provider.aead_key(suite, &of_suite(&encryption)).unwrap();
        let authentication_key =
            Box::new(AuthenticationKey::for_suite(suite, &authentication[..suite.key_len()]).unwrap());
        let aad =
            AdditionalData { control: &[0x30], authentication_key: &authentication_key, rest: [&[], &[]] };
        for length in [0, 13, 1000, 100_000] {
            let mut text = vec![0x5A; length];
            let tag = provider.seal(&key, &[7; 12], &aad, &mut text).unwrap();
            provider.open(&key, &[7; 12], &aad, &mut text, &tag).unwrap();
        }
        drop((key, authentication_key));
        search.absent("an encryption key", &*encryption);
        search.absent("an authentication key", &*authentication);

        let kek = provider.wrap_key(suite, &of_suite(&master)).unwrap();
        let mut wrapped = [0; 40];
        let wrapped = provider.wrap(&kek, &of_suite(&encryption), &mut wrapped).unwrap();
        let unwrapped = Box::new(provider.unwrap(suite, &kek, wrapped).unwrap());
        black_box(&unwrapped);
        drop((kek, unwrapped));
        search.absent("a master key", &*master);
        search.absent("an unwrapped key", &*encryption);
    }
}

fn asymmetric<const N: usize>(search: &mut Search, provider: &Provider, curve: Curve) {
    let (own, peer) = (draw::<N>(), draw::<N>());
    let key = |octets: &[u8; N]| Box::new(PrivateKey::new(curve, octets).unwrap());
    let (own_key, peer_key) = (key(&own), key(&peer));
    let peer_public = provider.public_key(&peer_key).unwrap();
    provider.sign(&own_key, &[b"message"]).unwrap();
    let agreed = Box::new(provider.agree(&own_key, &peer_public, &[b"info"]).unwrap());
    let mut derived = Zeroizing::new([0; 32]);
    derived[..agreed.expose().len()].copy_from_slice(agreed.expose());
    let length = agreed.expose().len();
    search.present("an agreed key", &derived[..length]);
    drop((own_key, peer_key, agreed));
    search.absent("a private key that signed and agreed", &*own);
    search.absent("a private key whose public key was computed", &*peer);
    search.absent("an agreed key", &derived[..length]);
}

fn main() {
    if !std::path::Path::new("/proc/self/mem").exists() {
        return;
    }
    for (library, provider) in PROVIDERS {
        let mut search = Search { memory: Memory { window: vec![0; 1 << 20] }, library };
        containers(&mut search);
        symmetric(&mut search, provider);
        asymmetric::<32>(&mut search, provider, Curve::P256);
        asymmetric::<48>(&mut search, provider, Curve::P384);
        println!("{library}: no key stays behind");
    }
}
