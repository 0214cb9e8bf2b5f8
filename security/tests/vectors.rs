//! The published and generated test vectors.
//!
//! Runs `tests/data/security.json` of the workspace and every `*security*.json` in the folder that the environment
//! variable `DLMS_EXTRA_VECTORS` names. A file is a list of objects with `name`, `algorithm`, `inputs`, `expected` and
//! where useful `outcome`; values are hexadecimal. Prints one line for each vector that fails and one for each
//! algorithm that is not built, and then `N of M, K not covered`; all that for each cryptographic library that is built.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "vectors/asymmetric.rs"]
mod asymmetric;
#[path = "vectors/certificates.rs"]
mod certificates;
#[path = "common/providers.rs"]
mod providers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use dlms_security::{
    AdditionalData, AesEcb, AuthenticationKey, AuthenticationMechanism, CounterId, CounterStore,
    CryptoProvider, InvocationCounter, KeySet, Protection, Protector, ReplayWindow, RequiredProtection,
    Requirement, SecretKey, SecurityControl, SecurityHeader, SecuritySuite, SendCounter, StorageError,
    SystemTitle, hls, keys, required_protection,
};
use providers::{PROVIDERS, Provider};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Vector {
    name: String,
    algorithm: String,
    inputs: BTreeMap<String, Value>,
    expected: BTreeMap<String, Value>,
    outcome: Option<String>,
}

enum Outcome {
    Passed,
    Failed(String),
    NotCovered,
}

fn main() -> ExitCode {
    // The harness of a name filter or a listing: there is one test here and it is this program.
    if std::env::args().any(|argument| argument == "--list") {
        println!("vectors: test");
        return ExitCode::SUCCESS;
    }
    let vectors: Vec<Vector> = files()
        .iter()
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).expect("readable");
            serde_json::from_str::<Vec<Vector>>(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        })
        .collect();
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (index, (name, _)) in PROVIDERS.iter().enumerate() {
        IN_USE.store(index, Ordering::Relaxed);
        let counts = run_all(name, &vectors);
        passed += counts[0];
        failed += counts[1];
        ignored += counts[2];
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {result}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many passed, failed, and are not covered.
fn run_all(provider: &str, vectors: &[Vector]) -> [usize; 3] {
    let (mut passed, mut failed) = (0, 0);
    let mut not_covered = BTreeMap::<&str, usize>::new();
    for vector in vectors {
        match run(vector) {
            Outcome::Passed => passed += 1,
            Outcome::Failed(why) => {
                failed += 1;
                println!("FAILED {} ({provider}): {why}", vector.name);
            }
            Outcome::NotCovered => *not_covered.entry(&vector.algorithm).or_default() += 1,
        }
    }
    for (algorithm, count) in &not_covered {
        println!("not covered: {algorithm} ({count})");
    }
    let ignored = not_covered.values().sum::<usize>();
    println!("{passed} of {}, {ignored} not covered ({provider})", passed + failed);
    [passed, failed, ignored]
}

fn files() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/security.json");
    let mut files = Vec::new();
    if own.is_file() {
        files.push(own);
    }
    if let Some(folder) = std::env::var_os("DLMS_EXTRA_VECTORS") {
        let entries = std::fs::read_dir(&folder).expect("DLMS_EXTRA_VECTORS names a folder");
        let mut extra: Vec<_> = entries
            .map(|entry| entry.expect("readable folder").path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.contains("security") && name.ends_with(".json")
            })
            .collect();
        extra.sort();
        files.extend(extra);
    }
    files
}

fn run(vector: &Vector) -> Outcome {
    let result = match vector.algorithm.as_str() {
        "aes-gcm" => aes_gcm(vector),
        "aes-key-wrap" => aes_key_wrap(vector),
        "aes-key-unwrap" => aes_key_unwrap(vector),
        "protect-service-specific" => protect(vector, vector.bytes("apdu_tag"), &[]),
        "protect-general-glo" => protect_general(vector, 0xDB),
        "protect-general-ded" => protect_general(vector, 0xDC),
        "protect-general-ciphering" => protect_general_ciphering(vector),
        "gcm-content-general-ciphering" => gcm_content(vector),
        "hls-md5" => hls_digest(vector, |p, c, s| hls::md5(p, c, s).unwrap().to_vec()),
        "hls-sha1" => hls_digest(vector, |p, c, s| hls::sha1(p, c, s).unwrap().to_vec()),
        "hls-sha256" => hls_sha256(vector),
        "hls-gmac" => hls_gmac(vector),
        "hls-gmac-verify" => hls_gmac_verify(vector),
        "hls2-aes-ecb" => hls2_aes_ecb(vector),
        "hls-client-check" => hls_client_check(vector),
        "hls-challenge-check" => {
            let mechanism = AuthenticationMechanism::from_id(vector.octet("mechanism")).expect("mechanism");
            vector.outcome_is(hls::check_challenge(mechanism, &vector.bytes("challenge")))
        }
        "invocation-counter-receive" => counter_receive(vector),
        "invocation-counter-send" => counter_send(vector),
        "required-protection" => required(vector),
        "ecdsa-sign-rfc6979" => asymmetric::sign(vector),
        "ecdsa-verify" => asymmetric::verify(vector),
        "ecdh" => asymmetric::ecdh(vector),
        "kdf" => asymmetric::kdf(vector),
        "key-agreement-2e0s" => asymmetric::key_agreement(vector),
        "key-agreement-1e1s" => asymmetric::one_pass(vector),
        "key-agreement-0e2s" => asymmetric::static_unified(vector),
        "hls-ecdsa" => asymmetric::hls(vector),
        "hls-ecdsa-verify" => asymmetric::hls_verify(vector),
        "hls7-signer-guard" => asymmetric::signer_guard(vector),
        "x509-verify" => certificates::verify(vector),
        "pkcs10" => certificates::request(vector),
        _ => return Outcome::NotCovered,
    };
    match result {
        Ok(()) => Outcome::Passed,
        Err(why) => Outcome::Failed(why),
    }
}

type Checked = Result<(), String>;

impl Vector {
    fn bytes(&self, field: &str) -> Vec<u8> {
        self.optional(field).unwrap_or_else(|| panic!("{}: no input {field}", self.name))
    }

    fn optional(&self, field: &str) -> Option<Vec<u8>> {
        self.inputs.get(field).map(hex)
    }

    fn octet(&self, field: &str) -> u8 {
        self.bytes(field)[0]
    }

    fn counter(&self, field: &str) -> InvocationCounter {
        InvocationCounter::new(number(&self.bytes(field)))
    }

    fn title(&self, field: &str) -> SystemTitle {
        SystemTitle::try_from(&self.bytes(field)[..]).expect("8 octets")
    }

    fn suite(&self) -> SecuritySuite {
        match self.optional("suite") {
            Some(suite) => SecuritySuite::from_id(suite[0]),
            None => SecurityControl::from_octet(self.octet("security_control")).suite(),
        }
        .expect("a suite")
    }

    fn expected(&self, field: &str) -> Vec<u8> {
        hex(self.expected.get(field).unwrap_or_else(|| panic!("{}: expects no {field}", self.name)))
    }

    fn equals(&self, field: &str, found: &[u8]) -> Checked {
        let expected = self.expected(field);
        if expected == found { Ok(()) } else { Err(format!("{field}: {found:02X?}, not {expected:02X?}")) }
    }

    fn outcome_is<T, E: std::fmt::Debug>(&self, result: Result<T, E>) -> Checked {
        match (self.outcome.as_deref(), result) {
            (Some("reject"), Ok(_)) => Err("accepted".into()),
            (Some("reject"), Err(_)) => Ok(()),
            (_, Ok(_)) => Ok(()),
            (_, Err(error)) => Err(format!("refused: {error:?}")),
        }
    }
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("text");
    assert!(text.len().is_multiple_of(2), "odd hex");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

fn number(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet))
}

static IN_USE: AtomicUsize = AtomicUsize::new(0);

fn provider() -> Provider {
    PROVIDERS[IN_USE.load(Ordering::Relaxed)].1
}

/// Whether signatures have no random numbers in them, so that they are those of the vectors.
fn is_deterministic() -> bool {
    PROVIDERS[IN_USE.load(Ordering::Relaxed)].0 == "RustCrypto"
}

fn suite_of_key(key: &[u8]) -> SecuritySuite {
    if key.len() == 32 { SecuritySuite::Suite2 } else { SecuritySuite::Suite0 }
}

fn secret_key(octets: &[u8]) -> SecretKey {
    SecretKey::new(suite_of_key(octets), octets).expect("a key of 16 or 32 octets")
}

fn with_protector<T>(
    vector: &Vector,
    suite: SecuritySuite,
    with: impl FnOnce(&Protector<'_, Provider>) -> T,
) -> T {
    let provider = provider();
    let key = provider.aead_key(suite, &secret_key(&vector.bytes("ek"))).expect("a key of the suite");
    let authentication_key = AuthenticationKey::for_suite(suite, &vector.bytes("ak")).expect("an AK");
    with(&Protector { provider: &provider, key: &key, authentication_key: &authentication_key })
}

fn aes_gcm(vector: &Vector) -> Checked {
    let key = vector.bytes("key");
    let provider = provider();
    let key = provider.aead_key(suite_of_key(&key), &secret_key(&key)).map_err(|e| e.to_string())?;
    let nonce: [u8; 12] = vector.bytes("iv").try_into().expect("12 octets");
    let aad = vector.bytes("aad");
    let authentication_key = AuthenticationKey::unused();
    let aad = AdditionalData { control: &aad, authentication_key: &authentication_key, rest: [&[], &[]] };
    let mut text = vector.bytes("plaintext");
    let tag = provider.seal(&key, &nonce, &aad, &mut text).map_err(|e| e.to_string())?;
    vector.equals("ciphertext", &text)?;
    vector.equals("tag12", &tag)?;
    provider.open(&key, &nonce, &aad, &mut text, &tag).map_err(|e| e.to_string())?;
    if text != vector.bytes("plaintext") {
        return Err("does not open to the plaintext".into());
    }
    Ok(())
}

fn aes_key_wrap(vector: &Vector) -> Checked {
    let provider = provider();
    let (kek, key) = (vector.bytes("kek"), vector.bytes("key"));
    let kek = provider.wrap_key(suite_of_key(&kek), &secret_key(&kek)).map_err(|e| e.to_string())?;
    let mut wrapped = [0; keys::MAX_WRAPPED_KEY];
    let wrapped = provider.wrap(&kek, &secret_key(&key), &mut wrapped).map_err(|e| e.to_string())?;
    vector.equals("wrapped", wrapped)?;
    let unwrapped = provider.unwrap(suite_of_key(&key), &kek, wrapped).map_err(|e| e.to_string())?;
    if unwrapped.octets() != Ok(&key) {
        return Err("does not unwrap to the key".into());
    }
    Ok(())
}

fn aes_key_unwrap(vector: &Vector) -> Checked {
    let provider = provider();
    let (kek, wrapped) = (vector.bytes("kek"), vector.bytes("wrapped"));
    let suite = match vector.optional("suite") {
        Some(suite) => SecuritySuite::from_id(suite[0]).expect("a suite"),
        None => suite_of_key(&kek),
    };
    let kek = provider.wrap_key(suite, &secret_key(&kek)).map_err(|e| e.to_string())?;
    vector.outcome_is(keys::unwrap_key(&provider, suite, &kek, &wrapped))
}

/// Builds and receives an APDU whose carrier is `before`, the length, and the content.
fn protect(vector: &Vector, before: Vec<u8>, header: &[u8]) -> Checked {
    let title_field =
        if vector.inputs.contains_key("system_title") { "system_title" } else { "originator_system_title" };
    let title = vector.title(title_field);
    let control = SecurityControl::from_octet(vector.octet("security_control"));
    let mut content = content(vector, title, control, header)?;
    let mut apdu = before;
    apdu.extend(length_octets(content.len()));
    apdu.extend(&content);
    vector.equals("apdu", &apdu)?;
    receive(vector, title, control, header, &mut content)
}

/// The protected content, checked against the ciphertext and the tag of the vector.
fn content(
    vector: &Vector,
    title: SystemTitle,
    control: SecurityControl,
    header: &[u8],
) -> Result<Vec<u8>, String> {
    let plaintext = vector.bytes("plaintext");
    let mut buffer = vec![0; plaintext.len() + 17];
    buffer[5..5 + plaintext.len()].copy_from_slice(&plaintext);
    let length = with_protector(vector, vector.suite(), |protector| {
        let counter = vector.counter("invocation_counter");
        protector.protect(control, title, counter, header, &mut buffer, plaintext.len())
    })
    .map_err(|e| e.to_string())?;
    buffer.truncate(length);
    let (ciphertext, tag) = buffer[5..].split_at(plaintext.len());
    vector.equals("ciphertext", ciphertext)?;
    vector.equals("tag", tag)?;
    Ok(buffer)
}

/// The reverse, with everything that a receiver checks.
fn receive(
    vector: &Vector,
    title: SystemTitle,
    control: SecurityControl,
    header: &[u8],
    content: &mut [u8],
) -> Checked {
    let suite = vector.suite();
    let requirement = Requirement { suite, protection: control.protection(), key_set: control.key_set() };
    let received = SecurityHeader::parse(content).map_err(|e| e.to_string())?;
    requirement.check(received.control).map_err(|e| e.to_string())?;
    ReplayWindow::new(vector.counter("invocation_counter"))
        .check(received.counter)
        .map_err(|e| e.to_string())?;
    let stronger = Requirement { protection: Protection::AUTHENTICATED_ENCRYPTED, ..requirement };
    if control.protection() != Protection::AUTHENTICATED_ENCRYPTED && stronger.check(received.control).is_ok()
    {
        return Err("less than required was accepted".into());
    }
    let opened = with_protector(vector, suite, |protector| {
        protector.unprotect(title, header, content).map(|information| information.to_vec())
    })
    .map_err(|e| e.to_string())?;
    if opened != vector.bytes("plaintext") {
        return Err("does not open to the plaintext".into());
    }
    Ok(())
}

fn protect_general(vector: &Vector, tag: u8) -> Checked {
    let carried = vector.bytes("carried_title");
    let mut before = vec![tag];
    before.extend(length_octets(carried.len()));
    before.extend(carried);
    protect(vector, before, &[])
}

fn general_header(vector: &Vector) -> Vec<u8> {
    ["transaction_id", "originator_system_title", "recipient_system_title", "date_time", "other_information"]
        .iter()
        .flat_map(|field| {
            let octets = vector.bytes(field);
            length_octets(octets.len()).into_iter().chain(octets)
        })
        .collect()
}

fn protect_general_ciphering(vector: &Vector) -> Checked {
    let header = general_header(vector);
    vector.equals("header", &header)?;
    let key_info = vector.bytes("key_info");
    if let [1, 1, 0, length, wrapped @ ..] = &key_info[..] {
        let suite = vector.suite();
        let provider = provider();
        let kek = provider.wrap_key(suite, &secret_key(&vector.bytes("kek"))).map_err(|e| e.to_string())?;
        let key = keys::unwrap_key(&provider, suite, &kek, wrapped).map_err(|e| e.to_string())?;
        if usize::from(*length) != wrapped.len() || key.expose() != vector.bytes("ek") {
            return Err("wrapped key is not the key of the message".into());
        }
        let mut again = [0; keys::MAX_WRAPPED_KEY];
        let again = keys::wrap_key(&provider, suite, &kek, &key, &mut again).map_err(|e| e.to_string())?;
        if again != wrapped {
            return Err("key wraps differently".into());
        }
    }
    let before = [&[0xDD], &header[..], &key_info].concat();
    protect(vector, before, &header)
}

fn gcm_content(vector: &Vector) -> Checked {
    let title = vector.title("originator_system_title");
    let control = SecurityControl::from_octet(vector.octet("security_control"));
    let header = general_header(vector);
    let mut content = content(vector, title, control, &header)?;
    vector.equals("content", &content)?;
    receive(vector, title, control, &header, &mut content)
}

/// A-XDR length in its shortest form.
fn length_octets(length: usize) -> Vec<u8> {
    match length {
        0..=0x7F => vec![length as u8],
        0x80..=0xFF => vec![0x81, length as u8],
        _ => vec![0x82, (length >> 8) as u8, length as u8],
    }
}

fn hls_digest(vector: &Vector, f: impl Fn(&Provider, &[u8], &[u8]) -> Vec<u8>) -> Checked {
    vector.equals("f", &f(&provider(), &vector.bytes("challenge"), &vector.bytes("secret")))
}

fn hls_sha256(vector: &Vector) -> Checked {
    let (client, server) = (vector.title("system_title_c"), vector.title("system_title_s"));
    let (ctos, stoc) = (vector.bytes("ctos"), vector.bytes("stoc"));
    let (provider, secret) = (provider(), vector.bytes("secret"));
    vector.equals("pass3_f", &hls::sha256(&provider, &secret, client, server, &stoc, &ctos).unwrap())?;
    vector.equals("pass4_f", &hls::sha256(&provider, &secret, server, client, &ctos, &stoc).unwrap())
}

fn hls_gmac(vector: &Vector) -> Checked {
    let (suite, prover) = (vector.suite(), vector.title("prover_system_title"));
    let challenge = vector.bytes("challenge");
    with_protector(vector, suite, |protector| {
        let counter = vector.counter("invocation_counter");
        let proof = hls::gmac(protector, suite, prover, counter, &challenge).map_err(|e| e.to_string())?;
        vector.equals("f", &proof)?;
        let window = ReplayWindow::new(counter);
        let verified = hls::verify_gmac(protector, suite, prover, &challenge, &window, &proof);
        if verified == Ok(counter) { Ok(()) } else { Err(format!("does not verify: {verified:?}")) }
    })
}

fn hls_gmac_verify(vector: &Vector) -> Checked {
    let suite = vector.suite();
    let (own, prover) = (vector.title("own_system_title"), vector.title("prover_system_title"));
    let (sent, received) = (vector.bytes("challenge_sent"), vector.bytes("challenge_received"));
    let verified = with_protector(vector, suite, |protector| {
        hls::check_reflected_title(own, prover)?;
        hls::check_reflected_challenge(&sent, &received)?;
        let window = ReplayWindow::new(vector.counter("lowest_acceptable_ic"));
        hls::verify_gmac(protector, suite, prover, &sent, &window, &vector.bytes("f"))
    });
    vector.outcome_is(verified)
}

/// The function that is commonly met.
fn hls2_aes_ecb(vector: &Vector) -> Checked {
    let proof = hls::Manufacturer::prove(&AesEcb, &vector.bytes("challenge"), &vector.bytes("secret"));
    vector.equals("f", proof.map_err(|e| e.to_string())?.octets())
}

fn hls_client_check(vector: &Vector) -> Checked {
    let titles = || {
        if !vector.inputs.contains_key("system_title_c") {
            return Ok(());
        }
        hls::check_reflected_title(vector.title("system_title_c"), vector.title("system_title_s"))
    };
    let challenges = || {
        let (Some(ctos), Some(stoc)) = (vector.optional("ctos"), vector.optional("stoc")) else {
            return Ok(());
        };
        let mechanism = AuthenticationMechanism::from_id(vector.octet("mechanism")).expect("mechanism");
        hls::check_challenge(mechanism, &stoc)?;
        hls::check_reflected_challenge(&ctos, &stoc)
    };
    vector.outcome_is(titles().and_then(|()| challenges()))
}

fn counter_receive(vector: &Vector) -> Checked {
    let mut window = ReplayWindow::new(vector.counter("lowest_acceptable"));
    let received = vector.counter("received");
    let accepted = window.check(received).is_ok() && vector.octet("tag_valid") == 1;
    if accepted {
        window.accept(received);
    }
    vector.equals("accepted", &[u8::from(accepted)])?;
    vector.equals("lowest_acceptable_after", &window.lowest_acceptable().value().to_be_bytes())
}

fn counter_send(vector: &Vector) -> Checked {
    struct Ceiling(u32);
    impl CounterStore for Ceiling {
        fn ceiling(&mut self, _: CounterId) -> Result<u32, StorageError> {
            Ok(self.0)
        }

        fn floor(&mut self, _: CounterId, _: SystemTitle) -> Result<u32, StorageError> {
            Err(StorageError)
        }

        fn reserve_floor(&mut self, _: CounterId, _: SystemTitle, _: u32) -> Result<(), StorageError> {
            Err(StorageError)
        }

        fn reserve(&mut self, _id: CounterId, ceiling: u32) -> Result<(), StorageError> {
            self.0 = ceiling;
            Ok(())
        }
    }
    let current = vector.counter("current");
    let mut store = Ceiling(current.value());
    let mut counter = SendCounter::new(CounterId(0), current.value()).with_step(1);
    let used = counter.next(&mut store);
    let octets = used.map_or(Vec::new(), |used| used.value().to_be_bytes().to_vec());
    vector.equals("used", &octets)?;
    vector.equals("after", &counter.upcoming().value().to_be_bytes())?;
    vector.equals("after", &store.0.to_be_bytes())?;
    vector.outcome_is(used)
}

fn required(vector: &Vector) -> Checked {
    let policy = match vector.octet("setup_version") {
        0 => RequiredProtection::from_policy_v0(vector.octet("policy")),
        _ => RequiredProtection::from_policy_v1(vector.octet("policy")),
    }
    .map_err(|e| e.to_string())?;
    let access = RequiredProtection::from_access_bits(vector.octet("access_mode"));
    let required = required_protection(policy, access);
    let bits = |protection: Protection, signed: bool| {
        u8::from(protection.contains(Protection::AUTHENTICATED))
            | u8::from(protection.contains(Protection::ENCRYPTED)) << 1
            | u8::from(signed) << 2
    };
    vector.equals("request", &[bits(required.request(), required.signed_request())])?;
    vector.equals("response", &[bits(required.response(), required.signed_response())])?;
    // The requirement that a receiver makes of it accepts exactly what is at least as strong.
    let requirement = Requirement {
        suite: SecuritySuite::Suite0,
        protection: required.request(),
        key_set: KeySet::Unicast,
    };
    let full = SecurityControl::new(SecuritySuite::Suite0, Protection::AUTHENTICATED_ENCRYPTED);
    requirement.check(full).map_err(|e| e.to_string())
}
