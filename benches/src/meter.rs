//! The meter that is measured against: a register, a profile, and two associations.
//!
//! Client 16 has none of authentication and ciphering; client 1 has HLS-GMAC and suite 0, everything authenticated and
//! encrypted.

use anyhow::{Result, anyhow};
use cosem_objects::classes::{ProfileGeneric, Register, RowDeque};
use cosem_objects::{
    AccessRights, AssociationId, CaptureObjectDefinition, LogicalDevice, ScalerUnit, Unit, behaviour::Profile,
};
use dlms::SecurityContext;
use dlms::client::ClientConfig;
use dlms::server::{AssociationConfig, Host};
use dlms_axdr::{DateTime, Encoder};
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, Forgetful, Protection, RustCrypto, Secret,
    SecretKey, SecurityError, SecuritySuite, SystemTitle,
};

/// The register.
pub const ENERGY: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
/// The profile.
pub const PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
/// The clock that the profile captures.
pub const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);
/// The meter's title.
pub const SERVER_TITLE: SystemTitle = SystemTitle::from_octets(*b"ABC\0\0\0\0\x01");
/// The client's title.
pub const CLIENT_TITLE: SystemTitle = SystemTitle::from_octets(*b"HES\0\0\0\0\x02");
/// The encryption key of suite 0.
pub const ENCRYPTION_KEY: [u8; 16] = *b"0123456789ABCDEF";
/// The authentication key of suite 0.
pub const AUTHENTICATION_KEY: [u8; 16] = *b"FEDCBA9876543210";
/// The client without security.
pub const PUBLIC: u16 = 16;
/// The client with security.
pub const READER: u16 = 1;
/// The longest APDU of either side.
pub const PDU: u16 = 1024;
/// Columns of the profile beside the clock.
pub const REGISTERS: usize = 7;
/// The octets of one row.
pub const ROW: usize = 2 + 14 + REGISTERS * 5;

/// The cryptography that both ends use.
pub type Provider = RustCrypto<fn(&mut [u8]) -> Result<(), SecurityError>>;

/// Cryptography with challenges that are the same in every run: nobody listens.
pub fn provider() -> Provider {
    fn fill(out: &mut [u8]) -> Result<(), SecurityError> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static STATE: AtomicU64 = AtomicU64::new(1);
        let mut state = STATE.fetch_add(1, Ordering::Relaxed);
        for octet in out {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            *octet = (state >> 56) as u8;
        }
        Ok(())
    }
    RustCrypto::new(fill)
}

/// The objects.
pub struct Device {
    energy: Register<u32>,
    profile: ProfileGeneric<RowDeque, 8>,
}

impl LogicalDevice for Device {
    cosem_objects::objects!(energy, profile);

    fn attribute_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::READ
    }

    fn method_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
        AccessRights::INVOKE
    }

    fn is_visible(&self, _: AssociationId, _: usize) -> bool {
        true
    }

    fn association_object(&self, _: AssociationId) -> Option<usize> {
        None
    }
}

/// The meter.
pub struct Meter {
    device: Device,
    associations: [AssociationConfig; 2],
    security: [SecurityContext<Provider>; 1],
    provider: Provider,
    counters: Forgetful,
    scratch: [u8; 128],
}

impl Meter {
    /// A meter whose profile has `rows` rows, a quarter of an hour apart.
    ///
    /// # Errors
    /// There is none.
    pub fn new(rows: u32) -> Result<Self> {
        let provider = provider();
        let unit = ScalerUnit { scaler: 0, unit: Unit::ActiveEnergyWattHour };
        let mut columns = vec![CaptureObjectDefinition::new(8, CLOCK, 2)];
        columns.extend(
            (0..REGISTERS as u8)
                .map(|tariff| CaptureObjectDefinition::new(3, LogicalName::new(1, 0, 1, 8, tariff, 255), 2)),
        );
        let mut profile = ProfileGeneric::new(PROFILE, RowDeque::new(rows), &columns, 900, rows)
            .map_err(|error| anyhow!("{error:?}"))?;
        for number in 0..rows {
            profile.store(&row(number)?).map_err(|error| anyhow!("{error:?}"))?;
        }
        Ok(Self {
            device: Device { energy: Register::new(ENERGY, 5009, unit), profile },
            associations: [
                association(PUBLIC, AuthenticationMechanism::None, Protection::empty()),
                association(READER, AuthenticationMechanism::Gmac, Protection::AUTHENTICATED_ENCRYPTED),
            ],
            security: [security(&provider, SERVER_TITLE)?],
            provider,
            counters: Forgetful,
            scratch: [0; 128],
        })
    }

    /// Takes every invocation counter anew, as for a client that begins at 0 again.
    ///
    /// # Errors
    /// There is none.
    pub fn forget_counters(&mut self) -> Result<()> {
        self.security = [security(&self.provider, SERVER_TITLE)?];
        Ok(())
    }

    /// What a server works on.
    pub fn host(&mut self) -> Host<'_, Provider> {
        Host {
            device: &mut self.device,
            system_title: SERVER_TITLE,
            associations: &mut self.associations,
            security: &mut self.security,
            provider: &self.provider,
            counters: &mut self.counters,
            key_rings: &mut [],
            public_keys: None,
            certificates: None,
            key_management: None,
            manufacturer: None,
            scratch: &mut self.scratch,
        }
    }
}

/// The time of a row.
///
/// # Errors
/// There is no such time.
pub fn time(number: u32) -> Result<DateTime> {
    DateTime::from_unix_seconds(1_767_225_600 + 900 * i64::from(number), -60)
        .ok_or_else(|| anyhow!("no time for row {number}"))
}

/// A row as it is on the wire.
fn row(number: u32) -> Result<[u8; ROW]> {
    let mut octets = [0; ROW];
    let mut encoder = Encoder::new(&mut octets);
    let written = (|| {
        encoder.structure(1 + REGISTERS)?;
        encoder.data(&time(number).unwrap_or(DateTime::NOT_SPECIFIED))?;
        (0..REGISTERS as u32).try_for_each(|column| encoder.data(&(number * 7 + column * 104_729)))
    })();
    written.map_err(|error: dlms_axdr::BufferFull| anyhow!("{error:?}"))?;
    Ok(octets)
}

fn association(client_sap: u16, mechanism: AuthenticationMechanism, policy: Protection) -> AssociationConfig {
    let ciphered = !policy.is_empty();
    AssociationConfig {
        client_sap,
        ciphered,
        mechanism,
        secret: Secret::empty(),
        security: ciphered.then_some(0),
        policy,
        conformance: AssociationConfig::SUPPORTED,
        max_receive_pdu_size: PDU,
        client_title: None,
        accepted: dlms::Accepted::default(),
        notifications: dlms::Envelope::GLOBAL,
        presents_certificate: false,
        accept_shared_counter: false,
        lockout: None,
    }
}

/// The keys of one side.
///
/// # Errors
/// There is none.
pub fn security(provider: &Provider, title: SystemTitle) -> Result<SecurityContext<Provider>> {
    let suite = SecuritySuite::Suite0;
    let key = SecretKey::new(suite, &ENCRYPTION_KEY)?;
    let authentication_key = AuthenticationKey::new(&AUTHENTICATION_KEY)?;
    Ok(SecurityContext::new(provider, suite, title, &key, authentication_key, CounterId(0), 0)?)
}

/// The association of a client.
pub fn client_config(client: u16) -> ClientConfig {
    let config = if client == READER { ClientConfig::hls_gmac() } else { ClientConfig::public() };
    ClientConfig { max_receive_pdu_size: PDU, ..config }
}
