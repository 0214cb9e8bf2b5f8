//! Everything that one association opens and seals APDUs with, and what is asked of both.

use core::ops::Range;

use dlms_security::{
    CounterStore, CryptoProvider, Curve, FloorStorage, Functions, InvocationCounter, Peer, Protection,
    SecurityError, SystemTitle,
};

use super::context::{DedicatedKey, SecurityContext};
use super::envelope::{Accepted, Carrier, Envelope, is_protected, length_octets};
use super::error::ProtectionError;
use super::general::HeaderFields;
use super::key_ring::KeyRing;
use super::public_keys::Asymmetric;
use super::transaction::TransactionId;
use super::{HEADROOM, TAILROOM};
use crate::octets::shift;
use crate::xdlms::{GENERAL_CIPHERING, GENERAL_SIGNING};

/// The keys of one association, and who computes with them.
pub struct Keys<'k, P: CryptoProvider> {
    /// Symmetric cryptography.
    pub provider: &'k P,
    /// The global keys of the security setup.
    pub context: &'k mut SecurityContext<P, [Peer]>,
    /// The key of the association.
    pub dedicated: Option<&'k mut DedicatedKey<P>>,
    /// The further keys of the security setup.
    pub key_ring: Option<&'k mut KeyRing<P>>,
    /// Signatures and key agreement.
    pub asymmetric: Option<Asymmetric<'k>>,
}

/// What this side demands of a received APDU, from its own configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Whose APDU it must be.
    pub peer: SystemTitle,
    /// The least protection that is enough.
    pub required: Protection,
    /// The envelopes and keys that are taken.
    pub accepted: Accepted,
    /// The transaction-id of the request that is waiting for its answer, if it had one.
    pub transaction: Option<TransactionId>,
    /// How the floor of the peer's counters is stored, before this side acts on the APDU.
    pub floors: FloorStorage,
    /// Whether it came inside of something that has proved to be new: then its own counter need not.
    pub is_carried: bool,
}

impl Demand {
    /// A demand of nothing but protection in the usual envelopes, with floors that are stored exactly.
    pub fn new(peer: SystemTitle, required: Protection) -> Self {
        Self {
            peer,
            required,
            accepted: Accepted::default(),
            transaction: None,
            floors: FloorStorage::Exact,
            is_carried: false,
        }
    }
}

/// How an APDU is to be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form<'f> {
    /// The envelope of the ciphering.
    pub envelope: Envelope,
    /// What is applied: ciphering, signature, or both, then the signature inside.
    pub protection: Protection,
    /// To whom, in the general forms.
    pub recipient: SystemTitle,
    /// The transaction-id, in the general forms.
    pub transaction: TransactionId,
    /// The date and time, in the general forms: empty, or 12 octets.
    pub date_time: &'f [u8],
    /// Whatever both sides agree on, in the general forms, up to 127 octets.
    pub other_information: &'f [u8],
}

impl Form<'_> {
    /// A form with an empty date-time and other-information.
    pub const fn new(
        envelope: Envelope,
        protection: Protection,
        recipient: SystemTitle,
        transaction: TransactionId,
    ) -> Self {
        Self { envelope, protection, recipient, transaction, date_time: &[], other_information: &[] }
    }

    pub(super) const fn is_signed(&self) -> bool {
        self.protection.contains(Protection::SIGNED)
    }

    pub(super) const fn header<'h>(&'h self, originator: &'h SystemTitle) -> HeaderFields<'h> {
        HeaderFields { form: self, originator }
    }
}

/// What was found in a received APDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where the plain APDU is.
    pub apdu: Range<usize>,
    /// What it was ciphered in; `None` if it was not.
    pub envelope: Option<Envelope>,
    /// The protection that was verified and removed.
    pub protection: Protection,
    /// The counter it carried, if it was ciphered.
    pub counter: Option<InvocationCounter>,
    /// The lowest acceptable counter before this APDU was accepted.
    pub floor_before: InvocationCounter,
    /// The transaction-id, if it came in general-ciphering or general-signing.
    pub transaction: Option<TransactionId>,
}

impl Opened {
    /// A plain APDU.
    pub(crate) const fn plain(apdu: Range<usize>) -> Self {
        Self {
            apdu,
            envelope: None,
            protection: Protection::empty(),
            counter: None,
            floor_before: InvocationCounter::new(0),
            transaction: None,
        }
    }

    /// Adds what a layer of `apdu`, which begins at the current plain APDU, was found to be.
    fn add(&mut self, layer: Layer) -> Result<(), ProtectionError> {
        if self.protection.intersects(layer.protection.union(if layer.envelope.is_some() {
            Protection::AUTHENTICATED_ENCRYPTED
        } else {
            Protection::empty()
        })) {
            return Err(ProtectionError::Nested);
        }
        self.protection |= layer.protection;
        self.envelope = self.envelope.or(layer.envelope);
        self.counter = self.counter.or(layer.counter);
        if layer.envelope.is_some() {
            self.floor_before = layer.floor_before;
        }
        let start = self.apdu.start;
        self.apdu = start.wrapping_add(layer.inner.start)..start.wrapping_add(layer.inner.end);
        Ok(())
    }
}

/// One layer of protection that was verified and removed.
pub(super) struct Layer {
    /// Where its content is in it.
    pub(super) inner: Range<usize>,
    pub(super) protection: Protection,
    pub(super) envelope: Option<Envelope>,
    pub(super) counter: Option<InvocationCounter>,
    pub(super) floor_before: InvocationCounter,
}

impl<P: CryptoProvider> Keys<'_, P> {
    const HAS_GENERAL: bool = P::FUNCTIONS.contains(Functions::GENERAL_ENVELOPES);

    /// Opens a received APDU in place, layer by layer: at most one ciphering and one signature, in either order.
    ///
    /// A plain APDU passes only if nothing is required. One that is signed and not authenticated needs a [`KeyRing`], which
    /// remembers the last transaction-ids. Nothing but replay windows changes, and these only after a tag has matched, but
    /// for the one that holds for nothing but APDUs without a tag.
    ///
    /// # Errors
    /// [`ProtectionError`]. `apdu` is then of no more use.
    pub fn open(
        &mut self,
        store: &mut dyn CounterStore,
        demand: &Demand,
        apdu: &mut [u8],
    ) -> Result<Opened, ProtectionError> {
        if demand.peer == self.context.own_title {
            return Err(ProtectionError::WrongTitle);
        }
        let mut opened = Opened::plain(0..apdu.len());
        loop {
            let inner = apdu.get_mut(opened.apdu.clone()).ok_or(ProtectionError::Required)?;
            if !inner.is_empty() && !is_protected(inner) {
                break;
            }
            let layer = self.open_layer(store, demand, &mut opened, inner)?;
            opened.add(layer)?;
        }
        if !opened.protection.contains(demand.required) {
            return Err(ProtectionError::Required);
        }
        let is_signed = opened.protection.contains(Protection::SIGNED);
        if is_signed
            && !opened.protection.contains(Protection::AUTHENTICATED)
            && !demand.is_carried
            && demand.transaction.is_none_or(|id| Some(id) != opened.transaction)
        {
            // A signature has no counter, and one without a tag can be forged: only the transaction-id tells a replay.
            let ring = self.key_ring.as_deref_mut().ok_or(ProtectionError::NoKey)?;
            let transaction = opened.transaction.unwrap_or_default();
            ring.check_transaction(self.provider, demand.peer, &transaction)?;
            ring.accept_transaction(self.provider, demand.peer, &transaction);
        }
        Ok(opened)
    }

    /// Opens the outermost layer of what is left.
    fn open_layer(
        &mut self,
        store: &mut dyn CounterStore,
        demand: &Demand,
        opened: &mut Opened,
        apdu: &mut [u8],
    ) -> Result<Layer, ProtectionError> {
        let done = opened.protection;
        let outer = &mut opened.transaction;
        match apdu.first() {
            Some(&GENERAL_SIGNING) if done.contains(Protection::SIGNED) => Err(ProtectionError::Nested),
            Some(&(GENERAL_SIGNING | GENERAL_CIPHERING)) if !Self::HAS_GENERAL => {
                Err(ProtectionError::NotAllowed)
            }
            Some(&GENERAL_SIGNING) => self.open_signing(demand, outer, apdu),
            Some(&GENERAL_CIPHERING) if !done.ciphering().is_empty() => Err(ProtectionError::Nested),
            Some(&GENERAL_CIPHERING) => self.open_general_ciphering(store, demand, outer, apdu),
            _ => self.open_ciphering(store, demand, !done.ciphering().is_empty(), apdu),
        }
    }

    /// Seals the plain APDU at `apdu` of `buffer` in place and returns where the protected one is. The octets
    /// [`HEADROOM`] before and [`TAILROOM`] behind it are used; for general-ciphering and general-signing the APDU is
    /// moved.
    ///
    /// # Errors
    /// There is no such room, no key, or no counter could be reserved.
    pub fn seal(
        &mut self,
        store: &mut dyn CounterStore,
        form: &Form<'_>,
        buffer: &mut [u8],
        apdu: Range<usize>,
    ) -> Result<Range<usize>, ProtectionError> {
        let is_general = form.envelope.carrier == Carrier::GeneralCiphering;
        if !Self::HAS_GENERAL {
            return match form.is_signed() || is_general {
                true => Err(ProtectionError::NotAllowed),
                false => self.seal_ciphering(store, form, buffer, apdu),
            };
        }
        let mut apdu = apdu;
        if form.is_signed() || is_general {
            apdu = self.make_room(form, buffer, apdu)?;
        }
        if form.is_signed() {
            apdu = self.sign(form, buffer, apdu)?;
        }
        if form.protection.ciphering().is_empty() {
            Ok(apdu)
        } else if is_general {
            self.seal_general_ciphering(store, form, buffer, apdu)
        } else {
            self.seal_ciphering(store, form, buffer, apdu)
        }
    }

    /// Moves the APDU so far back that the headers of all layers fit before it.
    fn make_room(
        &self,
        form: &Form<'_>,
        buffer: &mut [u8],
        apdu: Range<usize>,
    ) -> Result<Range<usize>, ProtectionError> {
        let header = form.header(&self.context.own_title).length();
        let suite = self.context.suite;
        // No length field of the outer layers is longer than that of the largest APDU that the buffer can hold.
        let header = header.saturating_add(length_octets(buffer.len()));
        let signing = if form.is_signed() { header.saturating_add(1) } else { 0 };
        let ciphering = match form.envelope.carrier {
            _ if form.protection.ciphering().is_empty() => 0,
            Carrier::GeneralCiphering => {
                header.saturating_add(form.envelope.key.info_length(suite)).saturating_add(1 + 5)
            }
            Carrier::ServiceSpecific | Carrier::WithTitle => HEADROOM,
        };
        let start = apdu.start.max(signing.saturating_add(ciphering));
        let end = start.saturating_add(apdu.len());
        if end.saturating_add(TAILROOM) > buffer.len() && end > apdu.end {
            return Err(ProtectionError::BufferFull);
        }
        shift(buffer, apdu, start)?;
        Ok(start..end)
    }

    /// Our own key pair for `usage`, its curve, and who computes.
    pub(super) fn asymmetric(&self) -> Result<(Asymmetric<'_>, Curve), SecurityError> {
        let curve = self.context.suite.curve().filter(|_| P::FUNCTIONS.contains(Functions::PUBLIC_KEYS));
        let curve = curve.ok_or(SecurityError::KeyMissing)?;
        Ok((self.asymmetric.ok_or(SecurityError::KeyMissing)?, curve))
    }
}
