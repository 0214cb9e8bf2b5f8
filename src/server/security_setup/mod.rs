//! Security setup (class_id 64), answered by whoever holds the keys.
//!
//! The objects only say which setup they stand for. Their attributes are read from the
//! [`SecurityContext`](crate::SecurityContext) that protects messages; their methods are a matter of
//! [`KeyManagement`], which a meter whose keys never change leaves out. What a method changes is stored before the
//! answer leaves and takes effect after it: the answer is still protected as the request was.

mod agreement;
mod certificates;
mod install;
mod manager;

use cosem_objects::{
    AccessSelector, ActionResult, ClassOutline, DataAccessResult, GetError, LogicalDevice, Object,
};
use dlms_axdr::{Data, Encoder, Enum};
use dlms_security::certificate::CertificateStore;
use dlms_security::{
    CryptoProvider, Functions, KeyUsage, PeerKeys, Protection, PublicKeyProvider, SystemTitle,
};

use super::session::Host;
use crate::protection::{KeyPairs, KeyRing, NewKeys, SecurityContext};

pub use manager::KeyManager;

/// The methods of Security setup objects, and the certificates that they show.
pub trait KeyManagement<P: CryptoProvider> {
    /// Invokes a method. A return value is written into `encoder` as Data.
    ///
    /// # Errors
    /// Why it was refused; nothing has changed then.
    fn invoke(
        &mut self,
        setup: &mut Setup<'_, P>,
        method: i8,
        parameter: Data<'_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), ActionResult>;

    /// Writes attribute 6, the certificates in `store`, from where `encoder` stands.
    ///
    /// # Errors
    /// [`GetError::Full`] when the value goes on in the next block.
    fn certificates(&self, store: &dyn CertificateStore, encoder: &mut Encoder<'_>) -> Result<(), GetError>;

    /// What the last method changed: the number of the setup and its new keys. It takes effect now.
    fn take_changes(&mut self) -> Option<(usize, NewKeys<P>)>;

    /// What the last method changed of our own key pairs, on the medium already. It takes effect now.
    fn take_pair_change(&mut self) -> Option<PairChange> {
        None
    }
}

/// A key pair of our own that is replaced by the one that waited for its certificate, or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairChange {
    /// The number of the security setup.
    pub setup: usize,
    /// What the pair is for.
    pub usage: KeyUsage,
    /// Whether nothing takes its place.
    pub is_removal: bool,
}

/// The security setup whose method is invoked, and how it was asked for.
pub struct Setup<'s, P: CryptoProvider> {
    /// Its number.
    pub number: usize,
    /// The version of the object.
    pub version: u8,
    /// Symmetric cryptography and random numbers.
    pub provider: &'s P,
    /// Policy, suite, titles and keys.
    pub context: &'s mut SecurityContext<P>,
    /// The further keys, where the setup has room for them.
    pub key_ring: Option<&'s mut KeyRing<P>>,
    /// Signatures and key agreement, where the setup has them.
    pub key_pairs: Option<SetupKeyPairs<'s>>,
    /// The certificates of the device, which all setups share.
    pub certificates: Option<&'s dyn CertificateStore>,
    /// The client.
    pub client: Option<SystemTitle>,
    /// The protection of the request, which did not come under the broadcast key.
    pub protection: Protection,
    /// How long the return value may be: the answer to a request that changes keys leaves in one APDU. `None` in a
    /// list, where no keys are changed.
    pub room: Option<usize>,
}

/// What a security setup has of the asymmetric half.
pub struct SetupKeyPairs<'s> {
    /// Who computes.
    pub provider: &'s dyn PublicKeyProvider,
    /// Our own key pairs.
    pub own: &'s mut KeyPairs,
    /// Whom this side trusts.
    pub peers: &'s dyn PeerKeys,
}

/// Who asks for a method of a Security setup.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub(super) client: Option<SystemTitle>,
    pub(super) protection: Protection,
    pub(super) room: Option<usize>,
}

/// What values are read from: the objects, and what answers for the Security setup objects.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) device: &'s dyn LogicalDevice,
    setups: &'s dyn SetupAttributes,
}

/// The attributes of Security setup objects, whatever the cryptography.
trait SetupAttributes {
    fn attribute(
        &self,
        setup: u8,
        class: &ClassOutline,
        attribute: i8,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), GetError>;
}

/// Attribute 1 is the object's own.
const LOGICAL_NAME: i8 = 1;

impl<'s> Source<'s> {
    pub(super) fn new<P: CryptoProvider>(host: &'s Host<'_, P>) -> Self {
        Self { device: host.device, setups: host }
    }

    /// Reads an attribute of a Security setup object; `None` if the object answers for it itself.
    pub(super) fn setup_attribute(
        self,
        object: &dyn Object,
        attribute: i8,
        selection: Option<AccessSelector<'_>>,
        encoder: &mut Encoder<'_>,
    ) -> Option<Result<(), GetError>> {
        let setup = object.security_setup().filter(|_| attribute != LOGICAL_NAME)?;
        Some(match selection {
            Some(_) => Err(DataAccessResult::TypeUnmatched.into()),
            None => self.setups.attribute(setup, object.class(), attribute, encoder),
        })
    }
}

impl<P: CryptoProvider> SetupAttributes for Host<'_, P> {
    fn attribute(
        &self,
        setup: u8,
        class: &ClassOutline,
        attribute: i8,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), GetError> {
        if !class.has_attribute(attribute) {
            return Err(DataAccessResult::ReadWriteDenied.into());
        }
        let number = usize::from(setup);
        let context = self.security.get(number).filter(|_| Self::HAS_KEYS);
        let context = context.ok_or(DataAccessResult::ObjectUnavailable)?;
        match attribute {
            2 if class.version == 0 => encoder.data(&Enum(context.policy().policy_v0()))?,
            2 => encoder.data(&Enum(context.policy().bits()))?,
            3 => encoder.data(&Enum(context.suite().id()))?,
            4 => match context.last_client() {
                Some(client) => encoder.data(client.octets())?,
                None => encoder.data(&[0; 0])?,
            },
            5 => encoder.data(context.own_title().octets())?,
            6 => match self.key_management.as_deref().zip(self.certificates) {
                Some((management, store)) if Self::HAS_CERTIFICATES => {
                    management.certificates(store, encoder)?
                }
                _ => encoder.array(0)?,
            },
            _ => return Err(DataAccessResult::ReadWriteDenied.into()),
        }
        Ok(())
    }
}

impl<P: CryptoProvider> Host<'_, P> {
    const HAS_KEYS: bool = P::FUNCTIONS.contains(Functions::CIPHERING);
    const HAS_MANAGEMENT: bool = Self::HAS_KEYS && P::FUNCTIONS.contains(Functions::KEY_MANAGEMENT);
    const HAS_CERTIFICATES: bool = Self::HAS_MANAGEMENT && P::FUNCTIONS.contains(Functions::PUBLIC_KEYS);

    /// Invokes a method of a Security setup object; gives the length of the return value.
    pub(super) fn invoke_security_setup(
        &mut self,
        setup: u8,
        class: &ClassOutline,
        method: i8,
        parameter: Data<'_>,
        caller: Caller,
        value: &mut [u8],
    ) -> Result<usize, ActionResult> {
        let number = usize::from(setup);
        let management = self.key_management.as_deref_mut().filter(|_| Self::HAS_MANAGEMENT);
        let management = management.ok_or(ActionResult::ReadWriteDenied)?;
        if !class.has_method(method) {
            return Err(ActionResult::ReadWriteDenied);
        }
        let key_pairs = self.public_keys.as_mut().and_then(|keys| {
            let own = keys.own.get_mut(number)?;
            Some(SetupKeyPairs { provider: keys.provider, own, peers: keys.peers })
        });
        let mut setup = Setup {
            number,
            version: class.version,
            provider: self.provider,
            context: self.security.get_mut(number).ok_or(ActionResult::ObjectUnavailable)?,
            key_ring: self.key_rings.get_mut(number),
            key_pairs,
            certificates: self.certificates,
            client: caller.client,
            protection: caller.protection,
            room: caller.room,
        };
        let mut encoder = Encoder::new(value);
        management.invoke(&mut setup, method, parameter, &mut encoder)?;
        Ok(encoder.len())
    }

    /// Lets what a method changed take effect, once its answer is protected.
    pub(super) fn change_keys(&mut self) {
        let management = self.key_management.as_deref_mut().filter(|_| Self::HAS_MANAGEMENT);
        let Some(management) = management else { return };
        if Self::HAS_CERTIFICATES
            && let Some(change) = management.take_pair_change()
            && let Some(own) = self.public_keys.as_mut().and_then(|keys| keys.own.get_mut(change.setup))
        {
            match change.is_removal {
                true => own.set_in_use(change.usage, None),
                false => own.promote(change.usage),
            }
        }
        let Some((number, keys)) = management.take_changes() else { return };
        if let Some(context) = self.security.get_mut(number) {
            keys.take_effect(context, self.key_rings.get_mut(number));
        }
    }

    /// Keeps the title of a client that has associated.
    pub(super) fn keep_client(&mut self, security: Option<usize>, client: Option<SystemTitle>) {
        let security = security.filter(|_| Self::HAS_KEYS);
        if let Some(context) = security.and_then(|number| self.security.get_mut(number)) {
            context.set_last_client(client.or(context.last_client()));
        }
    }
}
