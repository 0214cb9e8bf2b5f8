//! The connection options: what the command line, the environment and the profile file say, checked and joined.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use dlms::KeyClass;
use dlms_meters::Credentials;
use dlms_security::{AuthenticationMechanism, CryptoLibrary, Protection, Secret, SystemTitle};
use serde::Deserialize;

use crate::args::Framing;
use crate::failure::{Failure, Result};
use crate::key_files;
use crate::meter_keys;
use crate::parse::address::Address;
use crate::parse::hex;
use crate::target::{CLIENT_TITLE, CounterSource, KeyPair, Keys, Target, key};

/// The options of every command that talks to a meter, as they were written. The profile file has the same names.
///
/// Secrets stay text until they are used: a parser's message would quote them.
#[derive(Args, Clone, Default, Deserialize)]
#[command(next_help_heading = "Connection")]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ConnectionOptions {
    /// A meter of ~/.config/dlms/meters.toml, whose options these add to
    #[arg(long, value_name = "NAME")]
    #[serde(skip)]
    pub(crate) meter: Option<String>,
    /// tcp://HOST:PORT, udp://HOST:PORT or serial:///dev/ttyUSB0?baud=9600&mode-e
    #[arg(long, value_name = "ADDR")]
    connect: Option<String>,
    /// wrapper on tcp and udp, hdlc on serial unless said otherwise
    #[arg(long, value_enum)]
    framing: Option<Framing>,
    /// Client SAP [default: 16]
    #[arg(long, value_name = "SAP")]
    client: Option<u16>,
    /// Server SAP, the logical device [default: 1]
    #[arg(long, value_name = "SAP")]
    server: Option<u16>,
    /// Physical device: the lower HDLC address
    #[arg(long, value_name = "N")]
    physical: Option<u16>,
    /// Octets of the HDLC server address: 1, 2 or 4
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    address_size: Option<u8>,
    /// How the client proves who it is [default: none]
    #[arg(long, value_enum)]
    auth: Option<Auth>,
    /// Password or HLS secret
    #[arg(long, value_name = "TEXT", env = "DLMS_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Password or HLS secret, hexadecimal
    #[arg(long, value_name = "HEX")]
    password_hex: Option<String>,
    /// Security suite: 0, 1 or 2 [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=2))]
    suite: Option<u8>,
    /// Protection of every APDU [default: auth-enc with an HLS mechanism and --ek, else none]
    #[arg(long, value_enum)]
    security: Option<Security>,
    /// Block cipher key, hexadecimal
    #[arg(long, value_name = "HEX", env = "DLMS_EK", hide_env_values = true)]
    ek: Option<String>,
    /// Authentication key, hexadecimal
    #[arg(long, value_name = "HEX", env = "DLMS_AK", hide_env_values = true)]
    ak: Option<String>,
    /// Dedicated key for the association, hexadecimal: another one each time, or nonces repeat
    #[arg(long, value_name = "HEX")]
    dedicated_key: Option<String>,
    /// System title of the client, hexadecimal
    #[arg(long, value_name = "HEX")]
    client_title: Option<String>,
    /// System title of the meter, hexadecimal: another one is refused
    #[arg(long, value_name = "HEX")]
    server_title: Option<String>,
    /// Private key of the client's signatures (suites 1 and 2), hexadecimal or a file
    #[arg(long, value_name = "HEX|FILE")]
    signing_key: Option<String>,
    /// Public key of the meter's signatures (suites 1 and 2), hexadecimal or a file
    #[arg(long, value_name = "HEX|FILE")]
    peer_public_key: Option<String>,
    /// What protected APDUs travel in, once the association is open [default: service-specific]
    #[arg(long, value_enum, value_name = "CARRIER")]
    carrier: Option<CarrierName>,
    /// Sign requests (general-signing), inside of the ciphering: suites 1 and 2, with --signing-key and --peer-public-key
    #[arg(long)]
    sign: bool,
    /// Master key, hexadecimal: for wrapped keys, and to transfer new ones
    #[arg(long, value_name = "HEX", env = "DLMS_KEK", hide_env_values = true)]
    kek: Option<String>,
    /// Private key of the client for agreed keys (suites 1 and 2), hexadecimal or a file
    #[arg(long, value_name = "HEX|FILE")]
    agreement_key: Option<String>,
    /// Public key of the meter for agreed keys (suites 1 and 2), hexadecimal or a file
    #[arg(long, value_name = "HEX|FILE")]
    peer_agreement_key: Option<String>,
    /// Where the keys of this meter are that were changed: they go before all others [default with --meter: the state
    /// directory]
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Invocation counter to begin with
    #[arg(long, value_name = "N", conflicts_with_all = ["counter_file", "counter_from_meter"])]
    invocation_counter: Option<u32>,
    /// Where the invocation counter is kept, instead of the state directory
    #[arg(long, value_name = "PATH")]
    counter_file: Option<PathBuf>,
    /// Read the invocation counter through the public client first: this object, or the highest that the meter lists
    #[arg(long, value_name = "OBIS", num_args = 0..=1, default_missing_value = "", require_equals = true)]
    counter_from_meter: Option<String>,
    /// Short-name referencing
    #[arg(long)]
    short_names: bool,
    /// The longest APDU that this side takes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(12..))]
    max_pdu: Option<u16>,
    /// Cryptographic library: rustcrypto, or aws-lc where it is built in [default: rustcrypto]
    #[arg(long, value_name = "NAME", env = "DLMS_CRYPTO")]
    crypto: Option<String>,
    /// How long to wait for an answer [default: 10]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// How often to repeat a request without answer [default: 2]
    #[arg(long, value_name = "N")]
    retries: Option<u8>,
    /// Show the frames of each layer on standard error
    #[arg(long)]
    #[serde(skip)]
    trace: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    None,
    Lls,
    /// Mechanism 2, the manufacturer's: here AES-128-ECB of the challenge under the password, as commonly met
    Hls,
    Md5,
    Sha1,
    Gmac,
    Sha256,
    Ecdsa,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Security {
    None,
    Auth,
    Enc,
    AuthEnc,
}

/// What protected APDUs travel in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
pub(crate) enum CarrierName {
    /// A tag for each service: glo-get-request and the like
    #[default]
    #[value(name = "service-specific")]
    #[serde(rename = "service-specific")]
    ServiceSpecific,
    /// general-glo-ciphering, or general-ded-ciphering with --dedicated-key
    #[value(name = "general-glo")]
    #[serde(rename = "general-glo")]
    WithTitle,
    /// general-ciphering under the global key
    #[value(name = "general-ciphering")]
    #[serde(rename = "general-ciphering")]
    IdentifiedKey,
    /// general-ciphering, each APDU under a key of its own that --kek wraps
    #[value(name = "general-ciphering:wrapped")]
    #[serde(rename = "general-ciphering:wrapped")]
    WrappedKey,
    /// general-ciphering, each APDU under a key agreed on by one-pass Diffie-Hellman C(1e, 1s)
    #[value(name = "general-ciphering:agreed-1e1s")]
    #[serde(rename = "general-ciphering:agreed-1e1s")]
    OnePassDiffieHellman,
    /// general-ciphering, each APDU under a key agreed on by the static unified model C(0e, 2s)
    #[value(name = "general-ciphering:agreed-0e2s")]
    #[serde(rename = "general-ciphering:agreed-0e2s")]
    StaticUnifiedModel,
}

impl CarrierName {
    /// The key that general-ciphering names, where that is the carrier.
    pub(crate) const fn general_ciphering(self) -> Option<KeyClass> {
        match self {
            Self::ServiceSpecific | Self::WithTitle => None,
            Self::IdentifiedKey => Some(KeyClass::Global),
            Self::WrappedKey => Some(KeyClass::Wrapped),
            Self::OnePassDiffieHellman => Some(KeyClass::OnePassDiffieHellman),
            Self::StaticUnifiedModel => Some(KeyClass::StaticUnifiedModel),
        }
    }
}

/// The library that `--crypto` names.
pub(crate) fn library(name: Option<&str>) -> Result<CryptoLibrary> {
    let Some(name) = name else { return Ok(CryptoLibrary::default()) };
    let library: CryptoLibrary = name
        .parse()
        .map_err(|_| Failure::usage(format!("--crypto: no library {name:?}")).hint("rustcrypto or aws-lc"))?;
    if !library.is_built_in() {
        return Err(Failure::usage(format!("--crypto: {library} is not built in"))
            .hint("build with --features aws-lc-rs"));
    }
    Ok(library)
}

impl Security {
    pub(crate) const fn protection(self) -> Protection {
        match self {
            Self::None => Protection::empty(),
            Self::Auth => Protection::AUTHENTICATED,
            Self::Enc => Protection::ENCRYPTED,
            Self::AuthEnc => Protection::AUTHENTICATED.union(Protection::ENCRYPTED),
        }
    }
}

/// A key pair and the public key of the meter, each with its option, all on the curve of the suite.
fn key_pair(
    subject: &str,
    own: (Option<&str>, &str),
    peer: (Option<&str>, &str),
    keys: Option<&Keys>,
) -> Result<KeyPair> {
    let ((Some(own), own_option), (Some(peer), peer_option)) = (own, peer) else {
        return Err(Failure::usage(format!("{subject} need keys"))
            .hint(format!("give {} and {}, as hexadecimal digits or files", own.1, peer.1)));
    };
    let own = key_files::private_key(own, own_option)?;
    let peer = key_files::public_key(peer, peer_option)?;
    let curve = keys.map_or(Some(own.curve()), |keys| keys.suite.curve());
    if curve != Some(own.curve()) || curve != Some(peer.curve()) {
        return Err(Failure::usage(format!("the keys for {subject} are not on the curve of the suite"))
            .hint("suite 1 has P-256, suite 2 P-384; give --suite"));
    }
    Ok(KeyPair { own, peer })
}

impl ConnectionOptions {
    /// What the options come to.
    ///
    /// # Errors
    /// Options that are missing, malformed or contradict each other.
    pub(crate) fn resolve(&self) -> Result<Target> {
        self.with_kept_keys(true)
    }

    /// The same, for who finishes what is pending, or begins it.
    pub(crate) fn resolve_to_change(&self) -> Result<Target> {
        self.with_kept_keys(false)
    }

    fn with_kept_keys(&self, tells: bool) -> Result<Target> {
        let options = self.joined()?;
        let Some(path) = options.key_file_in_use()? else { return options.check() };
        let Some(kept) = meter_keys::read(&path)? else { return options.check() };
        if tells && kept.certificate.is_some() {
            eprintln!("dlms: the renewal of a certificate is not finished: dlms keys certificate renew");
        }
        if let Some(pending) = kept.pending.as_ref().filter(|_| tells) {
            eprintln!("dlms: a change of the {} is not finished: dlms keys resume", pending.key.text());
        }
        let (ek, ak) = (Some(kept.ek.clone()), Some(kept.ak.clone()).filter(|ak| !ak.is_empty()));
        let kek = kept.master.clone().or(options.kek);
        let peer_public_key = kept.peer_public_key.clone().or(options.peer_public_key);
        let peer_agreement_key = kept.peer_agreement_key.clone().or(options.peer_agreement_key);
        Self { ek, ak, kek, peer_public_key, peer_agreement_key, ..options }.check()
    }

    /// The file of this meter's changed keys, which need not be there.
    pub(crate) fn key_file(&self) -> Result<Option<PathBuf>> {
        self.joined()?.key_file_in_use()
    }

    /// The file of a meter of the profile file.
    pub(crate) fn key_file_of(meter: &str) -> Result<PathBuf> {
        let options = Self { meter: Some(meter.to_owned()), ..Self::default() };
        options.key_file()?.ok_or_else(|| Failure::bug("a meter without a key file"))
    }

    fn key_file_in_use(&self) -> Result<Option<PathBuf>> {
        match (&self.key_file, &self.meter) {
            (Some(path), _) => Ok(Some(path.clone())),
            (None, Some(meter)) => meter_keys::place(meter).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The signature keys of both sides whatever `--auth` is, if they are stated.
    pub(crate) fn signature_keys(&self, keys: Option<&Keys>) -> Result<Option<KeyPair>> {
        let options = self.joined()?;
        match (&options.signing_key, &options.peer_public_key) {
            (Some(_), Some(_)) => {
                Self { auth: Some(Auth::Ecdsa), ..options }.signatures(CarrierName::default(), keys)
            }
            _ => Ok(None),
        }
    }

    /// These options with those of the profile file.
    fn joined(&self) -> Result<Self> {
        match &self.meter {
            None => Ok(self.clone()),
            Some(name) => Ok(self.clone().over(stored(name)?)),
        }
    }

    /// These options, and those of `stored` that they leave open.
    fn over(self, mut stored: Self) -> Self {
        macro_rules! join {
            ($($field:ident),*) => {
                Self {
                    meter: self.meter,
                    short_names: self.short_names || stored.short_names,
                    sign: self.sign || stored.sign,
                    trace: self.trace,
                    $($field: self.$field.or(stored.$field),)*
                }
            };
        }
        // One password replaces the other form of it, one source of the counter the others.
        if self.password.is_some() || self.password_hex.is_some() {
            (stored.password, stored.password_hex) = (None, None);
        }
        if self.invocation_counter.is_some()
            || self.counter_file.is_some()
            || self.counter_from_meter.is_some()
        {
            (stored.invocation_counter, stored.counter_file, stored.counter_from_meter) = (None, None, None);
        }
        join!(
            connect,
            framing,
            client,
            server,
            physical,
            address_size,
            auth,
            password,
            password_hex,
            suite,
            security,
            ek,
            ak,
            dedicated_key,
            client_title,
            server_title,
            signing_key,
            peer_public_key,
            carrier,
            kek,
            agreement_key,
            peer_agreement_key,
            key_file,
            invocation_counter,
            counter_file,
            counter_from_meter,
            max_pdu,
            crypto,
            timeout,
            retries
        )
    }

    /// The options for an association of a simulated meter in this process.
    pub(crate) fn of_simulated(
        address: std::net::SocketAddr,
        credentials: &Credentials,
        trace: bool,
    ) -> Result<Target> {
        let name = |text: &str| format!("{text:?} is no option of a simulated meter");
        let options = Self {
            connect: Some(format!("tcp://{address}")),
            client: Some(credentials.client),
            server: Some(credentials.server),
            auth: Some(
                Auth::from_str(credentials.auth, false).map_err(|_| Failure::bug(name(credentials.auth)))?,
            ),
            security: Some(
                Security::from_str(credentials.security, false)
                    .map_err(|_| Failure::bug(name(credentials.security)))?,
            ),
            password_hex: credentials.password_hex.clone(),
            suite: credentials.suite,
            ek: credentials.ek.clone(),
            ak: credentials.ak.clone(),
            client_title: credentials.client_title.clone(),
            server_title: credentials.server_title.clone(),
            signing_key: credentials.signing_key.clone(),
            peer_public_key: credentials.peer_public_key.clone(),
            trace,
            ..Self::default()
        };
        Ok(Target { counter: CounterSource::Memory, ..options.check()? })
    }

    fn check(&self) -> Result<Target> {
        let connect = self.connect.as_deref().ok_or_else(|| {
            Failure::usage("no meter to talk to").hint("give --connect tcp://HOST:PORT, or --meter NAME")
        })?;
        let address: Address =
            connect.parse().map_err(|error| Failure::usage(format!("--connect: {error}")))?;
        let is_serial = matches!(address, Address::Serial(_));
        let framing = self.framing.unwrap_or(if is_serial { Framing::Hdlc } else { Framing::Wrapper });
        if is_serial && framing == Framing::Wrapper {
            return Err(
                Failure::usage("the wrapper is not spoken on serial lines").hint("leave --framing out")
            );
        }
        if self.short_names {
            return Err(Failure::usage("short names are not built yet"));
        }
        let mechanism = match self.auth.unwrap_or(Auth::None) {
            Auth::None => AuthenticationMechanism::None,
            Auth::Lls => AuthenticationMechanism::Lls,
            Auth::Hls => AuthenticationMechanism::Hls2Manufacturer,
            Auth::Md5 => AuthenticationMechanism::Md5,
            Auth::Sha1 => AuthenticationMechanism::Sha1,
            Auth::Gmac => AuthenticationMechanism::Gmac,
            Auth::Sha256 => AuthenticationMechanism::Sha256,
            Auth::Ecdsa => AuthenticationMechanism::Ecdsa,
        };
        let keys = self.keys()?;
        let carrier = self.carrier.unwrap_or_default();
        let signatures = self.signatures(carrier, keys.as_ref())?;
        let agreement = self.agreement(carrier, keys.as_ref())?;
        let protection = match self.security {
            Some(security) => security.protection(),
            None if keys.is_none() => Protection::empty(),
            None => Security::AuthEnc.protection(),
        };
        if keys.is_none() && (!protection.is_empty() || mechanism == AuthenticationMechanism::Gmac) {
            return Err(Failure::usage("protection and HLS-GMAC need keys").hint("give --ek and --ak"));
        }
        if keys.is_some() && protection.is_empty() && self.dedicated_key.is_some() {
            return Err(
                Failure::usage("--dedicated-key without protection").hint("leave --security none out")
            );
        }
        if keys.is_none() && self.dedicated_key.is_some() {
            return Err(Failure::usage("--dedicated-key without protection")
                .hint("give --ek, --ak and --security auth-enc"));
        }
        self.check_carrier(carrier, keys.as_ref(), protection)?;
        let proves_with_key = mechanism == AuthenticationMechanism::Gmac;
        if self.ak.is_none() && (proves_with_key || protection.contains(Protection::AUTHENTICATED)) {
            return Err(Failure::usage("authentication needs an authentication key").hint("give --ak"));
        }
        let needs_secret = !proves_with_key
            && !matches!(mechanism, AuthenticationMechanism::None | AuthenticationMechanism::Ecdsa);
        if needs_secret && self.password.is_none() && self.password_hex.is_none() {
            return Err(Failure::usage("this --auth needs a password")
                .hint("give --password, --password-hex or DLMS_PASSWORD; --password \"\" is an empty one"));
        }
        let client_title = match &self.client_title {
            Some(_) => title(self.client_title.as_deref(), "--client-title")?,
            None if mechanism.needs_titles() => Some(SystemTitle::from_octets(CLIENT_TITLE)),
            None => None,
        };
        let timeout = self.timeout.unwrap_or(10.0);
        if !(timeout > 0.0 && timeout <= 86_400.0) {
            return Err(Failure::usage("--timeout is above 0 and not above 86400 seconds"));
        }
        Ok(Target {
            proposes_access: false,
            address,
            framing,
            client: self.client.unwrap_or(16),
            server: self.server.unwrap_or(1),
            physical: self.physical,
            address_size: match self.address_size {
                Some(3) => return Err(Failure::usage("--address-size is 1, 2 or 4")),
                size => size,
            },
            mechanism,
            secret: self.secret()?,
            protection,
            keys,
            signatures,
            agreement,
            carrier,
            signs: self.sign,
            client_title,
            server_title: title(self.server_title.as_deref(), "--server-title")?,
            counter: self.counter()?,
            max_pdu: self.max_pdu,
            library: library(self.crypto.as_deref())?,
            timeout: Duration::from_secs_f64(timeout),
            retries: self.retries.unwrap_or(2),
            trace: self.trace,
        })
    }

    fn secret(&self) -> Result<Secret> {
        let octets = match (&self.password_hex, &self.password) {
            (Some(digits), _) => octets(digits, "--password-hex")?,
            (None, Some(text)) => text.clone().into_bytes(),
            (None, None) => Vec::new(),
        };
        Secret::new(&octets).map_err(|_| Failure::usage("the password is longer than 64 octets"))
    }

    fn keys(&self) -> Result<Option<Keys>> {
        let Some(encryption) = &self.ek else { return Ok(None) };
        // Associations without protection need no keys, though the environment may have some.
        let is_protected = match self.security {
            Some(security) => security != Security::None,
            None => !matches!(self.auth, None | Some(Auth::None | Auth::Lls)),
        };
        if self.auth != Some(Auth::Gmac) && !is_protected {
            return Ok(None);
        }
        let mut keys = Keys::new(self.suite, encryption, self.ak.as_deref())?;
        if let Some(title) = title(self.client_title.as_deref(), "--client-title")? {
            keys.client_title = title;
        }
        if let Some(digits) = &self.dedicated_key {
            keys.dedicated = Some(key(keys.suite, digits, "--dedicated-key")?);
        }
        if let Some(digits) = &self.kek {
            keys.master = Some(key(keys.suite, digits, "--kek")?);
        }
        Ok(Some(keys))
    }

    /// The keys of `--auth ecdsa`, `--sign` and the signed ephemeral keys of C(1e, 1s).
    fn signatures(&self, carrier: CarrierName, keys: Option<&Keys>) -> Result<Option<KeyPair>> {
        // Where a meter's profile has them, others do not need them.
        let are_needed = self.auth == Some(Auth::Ecdsa)
            || self.sign
            || carrier.general_ciphering() == Some(KeyClass::OnePassDiffieHellman);
        let own = (self.signing_key.as_deref(), "--signing-key");
        let peer = (self.peer_public_key.as_deref(), "--peer-public-key");
        are_needed.then(|| key_pair("signatures", own, peer, keys)).transpose()
    }

    /// The keys of C(1e, 1s) and C(0e, 2s).
    fn agreement(&self, carrier: CarrierName, keys: Option<&Keys>) -> Result<Option<KeyPair>> {
        let are_needed = matches!(
            carrier.general_ciphering(),
            Some(KeyClass::OnePassDiffieHellman | KeyClass::StaticUnifiedModel)
        );
        let own = (self.agreement_key.as_deref(), "--agreement-key");
        let peer = (self.peer_agreement_key.as_deref(), "--peer-agreement-key");
        are_needed.then(|| key_pair("agreed keys", own, peer, keys)).transpose()
    }

    fn check_carrier(&self, carrier: CarrierName, keys: Option<&Keys>, protection: Protection) -> Result<()> {
        let is_protected = keys.is_some() && !protection.is_empty();
        if !is_protected && (self.sign || carrier != CarrierName::ServiceSpecific) {
            return Err(Failure::usage("--carrier and --sign are for protected APDUs")
                .hint("give --ek, --ak and --security auth-enc"));
        }
        if carrier.general_ciphering().is_some() && self.dedicated_key.is_some() {
            return Err(Failure::usage("general-ciphering has no dedicated key")
                .hint("leave --dedicated-key out, or take --carrier general-glo"));
        }
        if carrier == CarrierName::WrappedKey && self.kek.is_none() {
            return Err(Failure::usage("wrapped keys need a master key").hint("give --kek"));
        }
        Ok(())
    }

    fn counter(&self) -> Result<CounterSource> {
        match (&self.invocation_counter, &self.counter_file, &self.counter_from_meter) {
            (Some(value), ..) => Ok(CounterSource::Value(*value)),
            (None, _, Some(name)) if name.is_empty() => Ok(CounterSource::Meter(None)),
            (None, _, Some(name)) => {
                let name =
                    name.parse().map_err(|error| Failure::usage(format!("--counter-from-meter: {error}")))?;
                Ok(CounterSource::Meter(Some(name)))
            }
            (None, Some(path), None) => Ok(CounterSource::File(path.clone())),
            (None, None, None) => Ok(CounterSource::Kept),
        }
    }
}

/// The octets of a secret. The message does not quote it.
pub(crate) fn octets(digits: &str, option: &str) -> Result<Vec<u8>> {
    hex::octets(digits).map_err(|error| Failure::usage(format!("{option}: {error}")))
}

/// A system title, if there is one.
pub(crate) fn title(digits: Option<&str>, option: &str) -> Result<Option<SystemTitle>> {
    let Some(digits) = digits else { return Ok(None) };
    SystemTitle::try_from(&octets(digits, option)?[..])
        .map(Some)
        .map_err(|_| Failure::usage(format!("{option} has 8 octets")))
}

/// The options of a meter in the profile file.
fn stored(name: &str) -> Result<ConnectionOptions> {
    let path = crate::places::config()?.join("meters.toml");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::usage(format!("--meter: {}: {error}", path.display())))?;
    // The reasons of the parser quote the line, which may hold a key: only its place is told.
    let place = |span: Option<std::ops::Range<usize>>| {
        let line = span.map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        format!("{}, line {line}", path.display())
    };
    let mut meters: toml::Table = toml::from_str(&text)
        .map_err(|error: toml::de::Error| Failure::usage(format!("{} is no TOML", place(error.span()))))?;
    let Some(meter) = meters.remove(name) else {
        let names: Vec<_> = meters.keys().map(String::as_str).collect();
        return Err(Failure::usage(format!("no meter {name:?} in {}", path.display()))
            .hint(format!("there are: {}", names.join(", "))));
    };
    ConnectionOptions::deserialize(meter).map_err(|error: toml::de::Error| {
        // "unknown field `x`" and "invalid type" of a named field are safe to tell; a value is not.
        let reason = error.message().split(" expected ").next().unwrap_or_default();
        let reason = if reason.starts_with("unknown field") { reason } else { "a value of another type" };
        Failure::usage(format!("meter {name:?} in {}: {reason}", path.display()))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn options() -> ConnectionOptions {
        ConnectionOptions { connect: Some("tcp://h:1".to_owned()), ..Default::default() }
    }

    #[test]
    fn defaults() {
        let target = options().resolve().unwrap();
        assert_eq!((target.client, target.server, target.retries), (16, 1, 2));
        assert_eq!(target.framing, Framing::Wrapper);
        assert_eq!(target.mechanism, AuthenticationMechanism::None);
        assert!(target.keys.is_none() && target.protection.is_empty());
        let serial = ConnectionOptions { connect: Some("serial:///dev/x".to_owned()), ..Default::default() };
        assert_eq!(serial.resolve().unwrap().framing, Framing::Hdlc);
        assert!(ConnectionOptions::default().resolve().is_err());
    }

    #[test]
    fn keys_ask_for_protection() {
        let key = Some("000102030405060708090A0B0C0D0E0F".to_owned());
        let keyed =
            ConnectionOptions { auth: Some(Auth::Gmac), ek: key.clone(), ak: key.clone(), ..options() };
        let target = keyed.clone().resolve().unwrap();
        assert_eq!(target.protection, Protection::AUTHENTICATED | Protection::ENCRYPTED);
        let plain = ConnectionOptions { security: Some(Security::None), ..keyed.clone() };
        let target = plain.resolve().unwrap();
        assert!(target.protection.is_empty() && target.keys.is_some(), "HLS-GMAC needs the key all the same");
        let longer = ConnectionOptions { suite: Some(2), ..keyed };
        assert!(longer.resolve().err().unwrap().to_string().contains("32 octets in suite 2"));
    }

    #[test]
    fn secrets_are_not_quoted() {
        let wrong = ConnectionOptions { auth: Some(Auth::Gmac), ek: Some("12345x".to_owned()), ..options() };
        let message = wrong.resolve().err().unwrap().to_string();
        assert!(!message.contains("12345"), "{message}");
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let stored = ConnectionOptions {
            client: Some(1),
            server: Some(17),
            password_hex: Some("00".to_owned()),
            counter_file: Some("x".into()),
            ..options()
        };
        let typed = ConnectionOptions {
            client: Some(2),
            password: Some("secret".to_owned()),
            invocation_counter: Some(7),
            ..Default::default()
        };
        let target = typed.over(stored).check().unwrap();
        assert_eq!((target.client, target.server), (2, 17));
        assert_eq!(target.secret.expose(), b"secret");
        assert_eq!(target.counter, CounterSource::Value(7));
    }
}
