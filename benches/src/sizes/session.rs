//! A client that asks for everything that a meter can do, in each of its associations.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use cosem_objects::classes::{ProfileGeneric, SecuritySetup};
use dlms::KeyPairs;
use dlms::client::ClientConfig;
use dlms::client::security_setup::{KeyAgreement, key_transfer};
use dlms::xdlms::{AttributeDescriptor, AttributeDescriptorWithSelection, Conformance, MethodDescriptor};
use dlms::{Accepted, KeyClass};
use dlms_axdr::{DateTime, Encode, Enum};
use dlms_hdlc::{ClientAddress, ServerAddress};
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationMechanism, CounterId, CryptoProvider as _, Curve, Forgetful, KeyId, KeyUsage, KnownPeer,
    PrivateKey, PublicKeyProvider as _, Secret, SecretKey, SecuritySuite, SystemTitle,
};
use dlms_tokio::{
    AccessItem, AccessOptions, Client, ClientOptions, Endpoint, Error, Framing, Identity, Keys,
    ProfileSelection, provider,
};

/// The associations of a meter, and what can be done in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Associations {
    /// Public and reader (LLS).
    WithoutCipher,
    /// And management with HLS-GMAC and suite 0.
    Minimal,
    /// And management with HLS 7 and suite 2; keys and images are changed.
    Full,
    /// The same of the example, which only takes signed images.
    Firmware,
}

const CLIENT: SystemTitle = SystemTitle::from_octets([0x47, 0x55, 0x52, 0x58, 0, 0, 0, 1]);
const METER: SystemTitle = SystemTitle::from_octets(*b"GURX0001");

const PUBLIC: u8 = 16;
const READER: u8 = 2;
const MANAGEMENT: u8 = 1;
const MANAGEMENT_2: u8 = 3;

const PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
const CLOCK: LogicalName = LogicalName::new(0, 0, 1, 0, 0, 255);
const IMPORT: LogicalName = LogicalName::new(1, 0, 1, 8, 0, 255);
const EXPORT: LogicalName = LogicalName::new(1, 0, 2, 8, 0, 255);
const RELAY: LogicalName = LogicalName::new(0, 0, 96, 3, 10, 255);
const SCRIPTS: LogicalName = LogicalName::new(0, 0, 10, 0, 106, 255);
const FIRMWARE: LogicalName = LogicalName::new(1, 0, 0, 2, 0, 255);
/// No object of the meters that are measured has more attributes.
const ATTRIBUTES: i8 = 12;
/// Longer than an APDU of any of the meters.
const LONG: [u8; 1200] = [0x55; 1200];

/// Asks for everything.
///
/// # Errors
/// The meter does not do what it should.
pub(crate) fn exercise(port: u16, associations: Associations) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let line = Line { port, counter: Cell::new(0) };
    runtime.block_on(async {
        line.public().await.context("public association")?;
        line.reader().await.context("reader")?;
        if associations != Associations::WithoutCipher {
            line.management(associations).await.context("management")?;
        }
        if matches!(associations, Associations::Full | Associations::Firmware) {
            line.management_2(associations).await.context("management with suite 2")?;
        }
        Ok(())
    })
}

/// The line to the meter.
struct Line {
    port: u16,
    /// What our invocation counters begin with.
    counter: Cell<u32>,
}

impl Line {
    fn options(&self, client: u8, association: ClientConfig) -> Result<ClientOptions> {
        let client = ClientAddress::new(client).map_err(|_| anyhow!("no client address"))?;
        let server = ServerAddress::one(1).map_err(|_| anyhow!("no server address"))?;
        let endpoint = Endpoint::Tcp(format!("127.0.0.1:{}", self.port));
        let mut options = ClientOptions::new(endpoint, Framing::hdlc(client, server));
        options.association = ClientConfig { response_timeout: Duration::from_secs(60), ..association };
        Ok(options)
    }

    fn keys(&self, suite: SecuritySuite) -> Result<Keys> {
        self.counter.set(self.counter.get() + 0x1_0000);
        let keys = Keys::new(
            suite,
            CLIENT,
            &counting(suite, 0x00),
            &counting(suite, 0xD0),
            CounterId(0),
            self.counter.get(),
            Forgetful,
        )?;
        Ok(keys.with_master_key(SecretKey::new(suite, &counting(suite, 0xA0))?))
    }

    async fn public(&self) -> Result<()> {
        let mut tries = 0;
        let client = loop {
            match Client::connect(self.options(PUBLIC, ClientConfig::public())?).await {
                // A new meter prepares its flash first.
                Err(error) if tries < 10 => {
                    tries += 1;
                    eprintln!("not yet: {error}");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                client => break client?,
            }
        };
        Ok(client.disconnect().await?)
    }

    async fn reader(&self) -> Result<()> {
        let options = self.options(READER, ClientConfig::lls(Secret::new(b"12345678")?))?;
        let mut client = Client::connect(options).await?;
        read_everything(&mut client).await?;
        Ok(client.disconnect().await?)
    }

    async fn management(&self, associations: Associations) -> Result<()> {
        let suite = SecuritySuite::Suite0;
        let mut options = self.options(MANAGEMENT, ClientConfig::hls_gmac())?;
        options.keys = Some(self.keys(suite)?);
        let mut client = Client::connect(options).await?;
        read_everything(&mut client).await?;
        change_everything(&mut client).await?;
        if associations == Associations::Full {
            transfer_image(&mut client).await?;
        }
        if matches!(associations, Associations::Full | Associations::Firmware) {
            let master = provider().wrap_key(suite, &SecretKey::new(suite, &counting(suite, 0xA0))?)?;
            let same = (KeyId::GlobalUnicast, SecretKey::new(suite, &counting(suite, 0x00))?);
            let mut buffer = [0; 64];
            let keys = key_transfer(&provider(), suite, &master, &[same], &mut buffer)?;
            client.invoke(SecuritySetup::KEY_TRANSFER.of(setup(0)), Some(&keys)).await?;
        }
        client.disconnect().await?;
        if associations == Associations::Full {
            self.general(MANAGEMENT, ClientConfig::hls_gmac(), suite).await.context("general envelopes")?;
        }
        Ok(())
    }

    async fn management_2(&self, associations: Associations) -> Result<()> {
        let suite = SecuritySuite::Suite2;
        let config = ClientConfig { mechanism: AuthenticationMechanism::Ecdsa, ..ClientConfig::hls_gmac() };
        if associations == Associations::Full {
            self.general(MANAGEMENT_2, config.clone(), suite).await.context("general envelopes")?;
        }
        let mut options = self.options(MANAGEMENT_2, config)?;
        options.keys = Some(self.keys(suite)?);
        options.identity = Some(identity()?);
        let mut client = Client::connect(options).await?;
        read_everything(&mut client).await?;
        change_everything(&mut client).await?;
        let certify = SecuritySetup::GENERATE_CERTIFICATE_REQUEST.of(setup(1));
        client.invoke(SecuritySetup::GENERATE_KEY_PAIR.of(setup(1)), Some(&Enum(0))).await?;
        client.invoke(certify, Some(&Enum(0))).await?;
        // The last thing, since it changes a key.
        let mut buffer = [0; 256];
        let (agreement, keys) =
            KeyAgreement::begin(&provider(), &signing_key()?, &[KeyId::Authentication], &mut buffer)?;
        client.invoke(SecuritySetup::KEY_AGREEMENT.of(setup(1)), Some(&keys)).await?;
        agreement.abandon(&provider());
        Ok(())
    }

    /// Reads in general-ciphering, and with ACCESS.
    async fn general(&self, client: u8, association: ClientConfig, suite: SecuritySuite) -> Result<()> {
        let is_signed = association.mechanism == AuthenticationMechanism::Ecdsa;
        let mut options = self.options(
            client,
            ClientConfig {
                general_ciphering: Some(KeyClass::Global),
                accepted: Accepted::all(),
                conformance: association.conformance | Conformance::GENERAL_PROTECTION | Conformance::ACCESS,
                ..association
            },
        )?;
        options.keys = Some(self.keys(suite)?);
        if is_signed {
            options.identity = Some(identity()?);
        }
        let mut client = Client::connect(options).await?;
        client.get(attribute(8, CLOCK, 2)).await?;
        let zero = 0_i8;
        let items = [
            AccessItem::Get(attribute(8, CLOCK, 2)),
            AccessItem::Get(attribute(3, IMPORT, 3)),
            AccessItem::Action(method(70, RELAY, 2), Some(&zero)),
        ];
        client.access(&items, AccessOptions::default()).await?;
        Ok(client.disconnect().await?)
    }
}

/// Each attribute of each object, lists, and parts of the profile.
async fn read_everything(client: &mut Client) -> Result<()> {
    let objects = client.object_list().await?;
    if objects.len() < 18 {
        bail!("{} objects", objects.len());
    }
    for object in &objects {
        for index in 1..=ATTRIBUTES {
            let value = client.get(attribute(object.class_id, object.logical_name, index)).await;
            unless_refused(value)?;
        }
    }
    let list: Vec<_> =
        objects.iter().take(16).map(|object| attribute(object.class_id, object.logical_name, 1)).collect();
    client.get_list(&list).await?;
    let time = |year: i64| DateTime::from_unix_seconds((year - 1970) * 31_557_600, 0).context("no time");
    for selection in [
        ProfileSelection::All,
        ProfileSelection::between(time(2000)?, time(2060)?),
        ProfileSelection::entries(1, 2),
    ] {
        let mut profile = client.profile(PROFILE, &selection).await?;
        while profile.next_row().await?.is_some() {}
    }
    Ok(())
}

/// Attributes, relay and profile.
async fn change_everything(client: &mut Client) -> Result<()> {
    let time = DateTime::from_unix_seconds(1_900_000_000, 0).context("no time")?;
    client.set(attribute(8, CLOCK, 2), &time).await?;
    let list: [(_, &(dyn Encode + Sync)); 2] =
        [(attribute(3, IMPORT, 2).attribute, &7_u32), (attribute(3, EXPORT, 2).attribute, &8_u32)];
    client.set_list(&list).await?;
    let zero = 0_i8;
    for number in [1, 2] {
        client.invoke(method(70, RELAY, number), Some(&zero)).await?;
    }
    unless_refused(client.invoke(method(9, SCRIPTS, 1), Some(&1_u16)).await)?;
    for _ in 0..40 {
        client.invoke(ProfileGeneric::<(), 0>::CAPTURE.of(PROFILE), Some(&zero)).await?;
    }
    // In blocks; neither has such a value.
    unless_refused(client.set(attribute(1, FIRMWARE, 2), &&LONG[..]).await)?;
    unless_refused(client.invoke(method(70, RELAY, 1), Some(&&LONG[..])).await)?;
    read_everything(client).await
}

async fn transfer_image(client: &mut Client) -> Result<()> {
    let transfer =
        dlms_tokio::ImageTransfer { activate: true, ..dlms_tokio::ImageTransfer::new(b"image", &LONG) };
    Ok(client.image_transfer(&transfer, |_| {}).await?)
}

/// What the meter refuses for itself is an answer as well.
fn unless_refused<T>(result: Result<T, Error>) -> Result<()> {
    match result {
        Ok(_) | Err(Error::DataAccess(_) | Error::Action(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn attribute(class_id: u16, name: LogicalName, index: i8) -> AttributeDescriptorWithSelection<'static> {
    AttributeDescriptor { class_id, instance_id: name, attribute_id: index }.into()
}

fn method(class_id: u16, name: LogicalName, number: i8) -> MethodDescriptor {
    MethodDescriptor { class_id, instance_id: name, method_id: number }
}

fn setup(number: u8) -> LogicalName {
    LogicalName::new(0, 0, 43, 0, number, 255)
}

/// A key whose octets count up.
fn counting(suite: SecuritySuite, first: u8) -> Vec<u8> {
    (first..).take(suite.key_len()).collect()
}

fn signing_key() -> Result<PrivateKey> {
    Ok(PrivateKey::new(Curve::P384, &[0x43; 48])?)
}

fn identity() -> Result<Identity> {
    let mut own = KeyPairs::new();
    own.set_in_use(KeyUsage::DigitalSignature, Some(signing_key()?));
    let meter = provider().public_key(&PrivateKey::new(Curve::P384, &[0x53; 48])?)?;
    Ok(Identity::new(own, [KnownPeer { title: METER, keys: [Some(meter), None, None] }]))
}
