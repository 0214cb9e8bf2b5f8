//! security_activate and key_transfer: what changes, all of it or nothing.

use cosem_objects::ActionResult;
use cosem_objects::classes::KeyData;
use dlms_axdr::{Data, Enum, FromData};
use dlms_security::keys::unwrap_key;
use dlms_security::{
    CounterId, CryptoProvider, KeyId, KeyStore, KeyUsage, NewKey, Protection, RequiredProtection, SecretKey,
    SecurityError, SetupChange, StorageError, constant_time_eq,
};
use heapless::Vec;

use super::{KeyManager, Setup};
use crate::protection::NewKeys;

/// The keys of one request, each at most once.
pub(super) type KeyList = Vec<(KeyId, SecretKey), { KeyId::ALL.len() }>;

impl<P: CryptoProvider> Setup<'_, P> {
    /// Whether the request may change keys: only what was authenticated and encrypted may, and not within a list.
    pub(super) fn expect_confidential(&self) -> Result<(), ActionResult> {
        let is_confidential = self.protection.contains(Protection::AUTHENTICATED_ENCRYPTED);
        if is_confidential && self.room.is_some() { Ok(()) } else { Err(ActionResult::ReadWriteDenied) }
    }

    /// Whether two keys have one value.
    fn is_same(&self, one: &SecretKey, other: &SecretKey) -> Result<bool, SecurityError> {
        if let (Ok(one), Ok(other)) = (one.octets(), other.octets()) {
            return Ok(constant_time_eq(one, other));
        }
        let title = self.context.own_title();
        Ok(self.provider.fingerprint(title, one)? == self.provider.fingerprint(title, other)?)
    }

    /// Whether requests and responses can be signed as a policy demands. One that nobody can meet would shut everyone
    /// out for good.
    fn can_meet(&self, policy: RequiredProtection) -> bool {
        let Some((curve, keys)) = self.context.suite().curve().zip(self.key_pairs.as_ref()) else {
            return !policy.signed_request() && !policy.signed_response();
        };
        let usage = KeyUsage::DigitalSignature;
        let is_known = || {
            let key = self.client.and_then(|client| keys.peers.public_key(client, usage));
            key.is_some_and(|key| key.curve() == curve)
        };
        (!policy.signed_response() || keys.own.key(usage, curve).is_ok())
            && (!policy.signed_request() || is_known())
    }
}

impl<P: CryptoProvider, S: KeyStore> KeyManager<P, S> {
    /// Method 1: a policy that demands at least what the old one does.
    pub(super) fn security_activate(
        &mut self,
        setup: &Setup<'_, P>,
        parameter: Data<'_>,
    ) -> Result<(), ActionResult> {
        if setup.room.is_none() {
            return Err(ActionResult::ReadWriteDenied);
        }
        let Enum(code) = Enum::from_data(parameter)?;
        let old = setup.context.policy();
        let wanted = match setup.version {
            0 => RequiredProtection::from_policy_v0(code),
            _ => RequiredProtection::from_policy_v1(code),
        };
        let wanted = wanted.map_err(|_| ActionResult::OtherReason)?;
        let is_stronger = match setup.version {
            0 => code & old.policy_v0() == old.policy_v0(),
            _ => wanted.contains(old),
        };
        // What version 0 has no word for stays.
        let policy = wanted.union(old);
        if !is_stronger || !setup.can_meet(policy) {
            return Err(ActionResult::OtherReason);
        }
        if policy == old {
            return Ok(());
        }
        let change = SetupChange { policy: Some(policy), ..SetupChange::default() };
        self.store.install(setup.number, &change).map_err(failed)?;
        let mut changes = NewKeys::new();
        changes.set_policy(policy);
        self.changes = Some((setup.number, changes));
        Ok(())
    }

    /// Method 2: keys under the master key.
    pub(super) fn key_transfer(
        &mut self,
        setup: &Setup<'_, P>,
        parameter: Data<'_>,
    ) -> Result<(), ActionResult> {
        setup.expect_confidential()?;
        let kek = setup.key_ring.as_deref().and_then(|ring| ring.kek.as_ref());
        let kek = kek.ok_or(ActionResult::OtherReason)?;
        let mut keys = KeyList::new();
        let unwrapped = for_each_key(parameter, |id, wrapped| {
            let key = unwrap_key(setup.provider, setup.context.suite(), kek, wrapped);
            keys.push((id, key.map_err(|_| ActionResult::OtherReason)?))
                .map_err(|_| ActionResult::OtherReason)
        });
        self.install(setup, &keys, unwrapped)
    }

    /// Stores new keys and makes them ready, if they were `gathered` without a fault; otherwise they are discarded.
    pub(super) fn install(
        &mut self,
        setup: &Setup<'_, P>,
        keys: &[(KeyId, SecretKey)],
        gathered: Result<(), ActionResult>,
    ) -> Result<(), ActionResult> {
        let installed = gathered.and_then(|()| self.install_all(setup, keys));
        if installed.is_err() {
            keys.iter().for_each(|(_, key)| setup.provider.discard(key));
        }
        installed
    }

    fn install_all(&mut self, setup: &Setup<'_, P>, keys: &[(KeyId, SecretKey)]) -> Result<(), ActionResult> {
        for (place, (_, key)) in keys.iter().enumerate() {
            for (_, other) in keys.iter().skip(place + 1) {
                if setup.is_same(key, other).map_err(unusable)? {
                    return Err(ActionResult::OtherReason);
                }
            }
        }
        let (context, provider) = (&*setup.context, setup.provider);
        let ring = setup.key_ring.as_deref();
        // By which counters the encryption keys go, before and after.
        let (mut unicast, mut broadcast) =
            (Some(context.counter_id()), ring.and_then(|ring| ring.counter_id()));
        let mut changes = NewKeys::new();
        let mut records = Vec::<NewKey<'_>, { KeyId::ALL.len() }>::new();
        let mut known = Vec::<&SecretKey, { KeyId::ALL.len() }>::new();
        for (id, key) in keys {
            let mut counters = None;
            let mut is_new = true;
            if matches!(id, KeyId::GlobalBroadcast | KeyId::Master) && ring.is_none() {
                return Err(ActionResult::OtherReason);
            }
            if id.has_counters() {
                let fingerprint = provider.fingerprint(context.own_title(), key).map_err(unusable)?;
                let found = self.store.counter_id(setup.number, &fingerprint).map_err(failed)?;
                counters = Some((fingerprint, found));
                let role = if *id == KeyId::GlobalUnicast { &mut unicast } else { &mut broadcast };
                // The value that is in use anyway stays as it is: its counters, and what it is stored as.
                is_new = *role != Some(found);
                *role = Some(found);
            }
            if !is_new {
                let _ = known.push(key);
                continue;
            }
            let name = counters.map_or_else(CounterId::default, |(_, counters)| counters);
            changes.add(provider, context.suite(), *id, key, name).map_err(unusable)?;
            let _ = records.push(NewKey { id: *id, key, counters });
        }
        // One value for both would have two send counters.
        if unicast == broadcast {
            return Err(ActionResult::OtherReason);
        }
        let change = SetupChange { keys: &records, ..SetupChange::default() };
        if !records.is_empty() {
            self.store.install(setup.number, &change).map_err(failed)?;
        }
        known.iter().for_each(|key| provider.discard(key));
        self.changes = Some((setup.number, changes));
        Ok(())
    }
}

/// Goes through the keys of a parameter: at least one, no unknown one, none twice.
pub(super) fn for_each_key<'p>(
    parameter: Data<'p>,
    mut take: impl FnMut(KeyId, &'p [u8]) -> Result<(), ActionResult>,
) -> Result<(), ActionResult> {
    let Data::Array(entries) = parameter else { return Err(ActionResult::TypeUnmatched) };
    let mut seen = [false; KeyId::ALL.len()];
    if entries.is_empty() || entries.len() > seen.len() {
        return Err(ActionResult::OtherReason);
    }
    for entry in entries {
        let entry = KeyData::from_data(entry)?;
        let id = KeyId::from_id(entry.key_id).ok_or(ActionResult::OtherReason)?;
        match seen.get_mut(usize::from(id.id())) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(ActionResult::OtherReason),
        }
        take(id, entry.octets)?;
    }
    Ok(())
}

pub(super) const fn failed(_: StorageError) -> ActionResult {
    ActionResult::HardwareFault
}

pub(super) const fn unusable(_: SecurityError) -> ActionResult {
    ActionResult::OtherReason
}
