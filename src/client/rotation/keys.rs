//! One global key is changed: by key_transfer under the master key, or by key_agreement.
//!
//! | key | proved by | if the answer is lost |
//! | --- | --- | --- |
//! | global unicast encryption, authentication | an association under the new key, and something read in it | both are tried; under the old one the same key is transferred again |
//! | master | a key_transfer under it, of the authentication key as it is | the same; then the old master key again |
//! | global broadcast encryption | the meter's answer: nobody answers a broadcast | the same key is transferred again |
//!
//! What is agreed on is known to the meter alone if its answer is lost. A master or broadcast key is then agreed on anew,
//! in the association that they do not protect. A global unicast encryption or authentication key would shut its own
//! association, so its agreement goes through another one; where there is none, the master key is agreed on first and the
//! key is transferred under it: whoever does not know the agreed key learns neither.

use cosem_objects::classes::SecuritySetup;
use dlms_axdr::Data;
use dlms_obis::LogicalName;
use dlms_security::{CryptoProvider, KeyId, SecretKey, SecuritySuite};

use super::pending::{MeterKeys, PendingKey, RotationEnvironment, RotationMethod, SetupKeys};
use super::{Access, Answer, RotationError, Step, Tries, may_have_changed};
use crate::client::security_setup::{KeyAgreement, key_transfer};

/// A change of a key that is to be begun.
#[derive(Clone, Debug)]
pub struct NewRotation {
    /// Which key.
    pub id: KeyId,
    /// How it reaches the meter.
    pub method: RotationMethod,
    /// Its value, where it is to be transferred and not drawn: the broadcast key of a group.
    pub key: Option<SecretKey>,
    /// Whether an agreement on the global unicast encryption key or the authentication key goes through
    /// [`Access::Other`].
    pub through_other: bool,
}

impl NewRotation {
    /// A key that is drawn, or agreed on.
    pub const fn new(id: KeyId, method: RotationMethod) -> Self {
        Self { id, method, key: None, through_other: false }
    }
}

/// The change of one key of one meter. See the [module](super) for how it is driven.
#[derive(Debug)]
pub struct KeyRotation {
    setup: LogicalName,
    suite: SecuritySuite,
    keys: MeterKeys,
    pending: PendingKey,
    state: State,
    asked: Asked,
    /// With what the open association was opened.
    open: Option<Access>,
    agreement: Option<KeyAgreement>,
    master_key_for_wrapping: bool,
    /// Whether a request may have been carried out that was not answered.
    is_doubtful: bool,
    /// Whether the meter said in this run that it has the key.
    was_heard: bool,
    /// Which keys the meter refused since it last took some: the current ones, the pending one.
    refused: [bool; 2],
    tries: Tries,
    requests: Tries,
}

/// What is to be found out or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The meter is to be given the key.
    Request,
    /// Whether the new key is in use.
    Verify,
    /// Whether the old ones are.
    ProbeCurrent,
    Finished,
}

/// What was asked of the driver.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Nothing,
    Association(Access),
    Request,
    Proof,
}

impl KeyRotation {
    /// Begins to change a key under the security setup with this name.
    ///
    /// # Errors
    /// [`RotationError::Unfinished`] if a change is pending: nothing is begun before it is resumed.
    /// [`RotationError::Invalid`] says what is missing; random numbers or the storage may fail.
    pub fn begin<P: CryptoProvider>(
        env: &mut RotationEnvironment<'_, P>,
        setup: LogicalName,
        suite: SecuritySuite,
        new: NewRotation,
    ) -> Result<Self, RotationError> {
        if env.store.pending()?.is_some() {
            return Err(RotationError::Unfinished);
        }
        let keys = env.store.keys()?;
        if new.id == KeyId::Authentication && keys.authentication.expose().is_empty() {
            return Err(RotationError::Invalid("the authentication key is not in use"));
        }
        let mut pending = PendingKey::new(new.id, new.method, new.key);
        match new.method {
            RotationMethod::Transfer => {
                if keys.master.is_none() {
                    return Err(RotationError::Invalid("key_transfer needs the master key"));
                }
                match &pending.key {
                    Some(key) if key.octets().is_ok_and(|octets| octets.len() != suite.key_len()) => {
                        return Err(RotationError::Invalid("the new key is not one of the suite"));
                    }
                    Some(key) if keys.contain(key) => {
                        return Err(RotationError::Invalid("the new key is in use already"));
                    }
                    Some(_) => {}
                    None => pending.key = Some(draw(env.provider, suite, &keys)?),
                }
            }
            RotationMethod::Agreement => {
                if pending.key.is_some() {
                    return Err(RotationError::Invalid("what is agreed on is not chosen"));
                }
                if suite.curve().is_none() || env.parties.is_none() {
                    return Err(RotationError::Invalid(
                        "key_agreement needs signature keys, of suite 1 or 2",
                    ));
                }
                match (changes_access(new.id), new.through_other) {
                    (true, true) => pending.through_other = true,
                    (true, false) => {
                        pending.id = KeyId::Master;
                        pending.then = Some(new.id);
                    }
                    (false, _) => {}
                }
            }
        }
        Ok(Self::new(setup, suite, keys, pending))
    }

    /// Takes up what is pending; `None` if nothing is.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub fn resume<P: CryptoProvider>(
        env: &mut RotationEnvironment<'_, P>,
        setup: LogicalName,
        suite: SecuritySuite,
    ) -> Result<Option<Self>, RotationError> {
        let Some(pending) = env.store.pending()? else { return Ok(None) };
        let keys = env.store.keys()?;
        let mut rotation = Self::new(setup, suite, keys, pending);
        let pending = &rotation.pending;
        if pending.is_requested {
            rotation.is_doubtful = true;
            rotation.state = match (&pending.key, pending.id) {
                (None, _) | (_, KeyId::GlobalBroadcast) => State::Request,
                _ if pending.tries_current && rotation.can_probe_current() => State::ProbeCurrent,
                _ => State::Verify,
            };
        }
        Ok(Some(rotation))
    }

    const fn new(setup: LogicalName, suite: SecuritySuite, keys: MeterKeys, pending: PendingKey) -> Self {
        Self {
            setup,
            suite,
            keys,
            pending,
            state: State::Request,
            asked: Asked::Nothing,
            open: None,
            agreement: None,
            master_key_for_wrapping: false,
            is_doubtful: false,
            was_heard: false,
            refused: [false; 2],
            tries: Tries(0),
            requests: Tries(0),
        }
    }

    /// Takes AES key wrap as the algorithm of an agreed master key, for a meter that is known to do so. Which one it does
    /// shows when the key is proved.
    #[must_use]
    pub const fn with_master_key_for_wrapping(mut self) -> Self {
        self.master_key_for_wrapping = true;
        self
    }

    /// The key that is being changed: the master key, while it is agreed on for another one.
    pub const fn id(&self) -> KeyId {
        self.pending.id
    }

    /// The keys to open an association with; `None` for [`Access::Other`], and for a pending key that is not agreed on.
    pub fn keys(&self, access: Access) -> Option<SetupKeys> {
        let mut keys = self.keys.clone();
        match access {
            Access::Other => return None,
            Access::Current => {}
            Access::Pending => keys.set(self.suite, self.pending.id, self.pending.key.as_ref()?).ok()?,
        }
        Some(SetupKeys { unicast: keys.unicast, authentication: keys.authentication })
    }

    /// What to do next: to be asked once, and answered with [`KeyRotation::answer`]. `buffer` holds a parameter:
    /// [`STEP_BUFFER`](super::STEP_BUFFER) octets are enough.
    ///
    /// What must not be forgotten is stored when this returns.
    ///
    /// # Errors
    /// The storage, cryptography, or what is missing to go on. What is pending can be resumed.
    pub fn next<'s, P: CryptoProvider>(
        &mut self,
        env: &mut RotationEnvironment<'_, P>,
        buffer: &'s mut [u8],
    ) -> Result<Step<'s>, RotationError> {
        let access = match self.state {
            State::Finished => return Ok(Step::Done),
            State::Request if self.pending.through_other => Access::Other,
            State::Verify if changes_access(self.pending.id) => Access::Pending,
            State::Request | State::Verify | State::ProbeCurrent => Access::Current,
        };
        if self.open != Some(access) {
            return self.associate(env, access);
        }
        match self.state {
            State::Request => self.request(env, buffer),
            State::Verify if changes_access(self.pending.id) => {
                self.asked = Asked::Proof;
                Ok(Step::Read(SecuritySetup::SECURITY_POLICY.of(self.setup).into()))
            }
            State::Verify => self.prove_master_key(env, buffer),
            State::ProbeCurrent | State::Finished => Err(RotationError::Unexpected),
        }
    }

    /// Takes what came of the last step.
    ///
    /// # Errors
    /// Why the change ends here; [`RotationError`] says whether it can be resumed.
    pub fn answer<P: CryptoProvider>(
        &mut self,
        env: &mut RotationEnvironment<'_, P>,
        answer: Answer<'_>,
    ) -> Result<(), RotationError> {
        match core::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => Err(RotationError::Unexpected),
            Asked::Association(access) => self.associated(access, answer),
            Asked::Request => self.requested(env, answer),
            Asked::Proof => self.proved(env, answer),
        }
    }

    fn associate<P: CryptoProvider>(
        &mut self,
        env: &mut RotationEnvironment<'_, P>,
        access: Access,
    ) -> Result<Step<'static>, RotationError> {
        let is_probe = self.state == State::ProbeCurrent || self.state == State::Verify;
        if is_probe && self.can_probe_current() {
            // Whatever becomes of this attempt, even of this head-end: the other keys come next.
            let tries_current = access == Access::Pending;
            if self.pending.tries_current != tries_current {
                self.pending.tries_current = tries_current;
                env.store.set_pending(Some(&self.pending))?;
            }
        }
        self.open = None;
        self.asked = Asked::Association(access);
        Ok(Step::Associate(access))
    }

    /// Whether the old keys are what is in force if the new one is not, so that it is worth while to try them.
    const fn can_probe_current(&self) -> bool {
        changes_access(self.pending.id)
            && matches!(self.pending.method, RotationMethod::Transfer)
            && !self.pending.is_heard
    }

    fn associated(&mut self, access: Access, answer: Answer<'_>) -> Result<(), RotationError> {
        match answer {
            Answer::Associated => {
                self.open = Some(access);
                self.tries.reset();
                self.refused = [false; 2];
                if self.state == State::ProbeCurrent {
                    // The request that was not answered was not carried out, and never will be: its counter is too low now.
                    self.is_doubtful = false;
                    self.state = State::Request;
                }
                Ok(())
            }
            Answer::NotAssociated => self.not_associated(access),
            Answer::Unreached => self.tries.failed(),
            Answer::Lost => {
                self.tries.failed()?;
                let [current, pending] = self.refused;
                match self.state {
                    State::Verify if self.can_probe_current() && !current => self.state = State::ProbeCurrent,
                    State::ProbeCurrent if !pending => self.state = State::Verify,
                    _ => {}
                }
                Ok(())
            }
            Answer::Returned(_) | Answer::Denied(_) => Err(RotationError::Unexpected),
        }
    }

    fn not_associated(&mut self, access: Access) -> Result<(), RotationError> {
        let is_agreed = self.pending.method == RotationMethod::Agreement;
        match access {
            Access::Pending if is_agreed => {
                // The meter may have agreed on another one since.
                self.requests.failed()?;
                self.state = State::Request;
                Ok(())
            }
            Access::Pending => {
                self.refused[1] = true;
                self.state = State::ProbeCurrent;
                self.unless_both_refused()
            }
            Access::Current if changes_access(self.pending.id) && self.pending.is_requested && !is_agreed => {
                self.refused[0] = true;
                self.state = State::Verify;
                self.unless_both_refused()
            }
            Access::Current | Access::Other => Err(RotationError::NotAssociated),
        }
    }

    const fn unless_both_refused(&self) -> Result<(), RotationError> {
        if self.refused[0] && self.refused[1] { Err(RotationError::NeitherKey) } else { Ok(()) }
    }

    /// Makes the key pending, then gives it to the meter.
    fn request<'s, P: CryptoProvider>(
        &mut self,
        env: &mut RotationEnvironment<'_, P>,
        buffer: &'s mut [u8],
    ) -> Result<Step<'s>, RotationError> {
        let id = self.pending.id;
        let mut pending = self.pending.clone();
        (pending.is_requested, pending.is_heard) = (true, false);
        let (method, parameter) = match (pending.method, &self.pending.key, &self.keys.master) {
            (RotationMethod::Transfer, Some(key), Some(master)) => {
                let kek = env.provider.wrap_key(self.suite, master)?;
                let list = [(id, key.clone())];
                let parameter = key_transfer(env.provider, self.suite, &kek, &list, buffer)?;
                (SecuritySetup::KEY_TRANSFER.of(self.setup), parameter)
            }
            (RotationMethod::Transfer, ..) => {
                return Err(RotationError::Invalid("key_transfer needs the master key"));
            }
            (RotationMethod::Agreement, ..) => {
                let parties = env.parties.ok_or(NO_PARTIES)?;
                pending.key = None;
                if let Some(unanswered) = self.agreement.take() {
                    unanswered.abandon(parties.provider);
                }
                let (agreement, parameter) =
                    KeyAgreement::begin(parties.provider, parties.signing_key, &[id], buffer)?;
                self.agreement = Some(match self.master_key_for_wrapping {
                    true => agreement.with_master_key_for_wrapping(),
                    false => agreement,
                });
                (SecuritySetup::KEY_AGREEMENT.of(self.setup), parameter)
            }
        };
        env.store.set_pending(Some(&pending))?;
        self.pending = pending;
        self.asked = Asked::Request;
        Ok(Step::Invoke(method.into(), parameter))
    }

    fn requested<P: CryptoProvider>(
        &mut self,
        env: &mut RotationEnvironment<'_, P>,
        answer: Answer<'_>,
    ) -> Result<(), RotationError> {
        match answer {
            Answer::Returned(value) => {
                self.is_doubtful = true;
                if self.pending.method == RotationMethod::Agreement {
                    self.pending.key = Some(self.agreed(env, value)?);
                }
                self.pending.is_heard = true;
                self.pending.tries_current = false;
                self.was_heard = true;
                self.requests.reset();
                if self.pending.id == KeyId::GlobalBroadcast {
                    return self.commit(env);
                }
                env.store.set_pending(Some(&self.pending))?;
                self.state = State::Verify;
                Ok(())
            }
            Answer::Denied(result) if self.is_doubtful || may_have_changed(result) => {
                Err(RotationError::Doubtful(result))
            }
            Answer::Denied(result) => {
                env.store.set_pending(None)?;
                self.state = State::Finished;
                Err(RotationError::Refused(result))
            }
            Answer::Unreached => {
                self.open = None;
                self.tries.failed()
            }
            Answer::Lost => {
                self.open = None;
                self.is_doubtful = true;
                self.requests.failed()?;
                let is_known = self.pending.key.is_some() && self.pending.id != KeyId::GlobalBroadcast;
                self.state = if is_known { State::Verify } else { State::Request };
                Ok(())
            }
            Answer::Associated | Answer::NotAssociated => Err(RotationError::Unexpected),
        }
    }

    /// The key that follows from the meter's answer.
    fn agreed<P: CryptoProvider>(
        &mut self,
        env: &RotationEnvironment<'_, P>,
        value: Option<Data<'_>>,
    ) -> Result<SecretKey, RotationError> {
        let parties = env.parties.ok_or(NO_PARTIES)?;
        let value = value.ok_or(RotationError::Malformed("key_agreement returns nothing"))?;
        let agreement = self.agreement.take().ok_or(RotationError::Unexpected)?;
        let titles = [parties.client, parties.server];
        let keys = agreement.finish(env.provider, parties.provider, parties.server_key, titles, value)?;
        match &keys[..] {
            [(_, key)] => Ok(key.clone()),
            _ => Err(RotationError::Unexpected),
        }
    }

    /// A transfer under the new master key that changes nothing: of the authentication key as it is. Where that is not in
    /// use, of the master key itself.
    fn prove_master_key<'s, P: CryptoProvider>(
        &mut self,
        env: &mut RotationEnvironment<'_, P>,
        buffer: &'s mut [u8],
    ) -> Result<Step<'s>, RotationError> {
        let master = self.pending.key.as_ref().ok_or(RotationError::Unexpected)?;
        let kek = env.provider.wrap_key(self.suite, master)?;
        let authentication = &self.keys.authentication;
        let list = match (authentication.as_handle(), authentication.expose()) {
            (Some(handle), _) => [(KeyId::Authentication, SecretKey::handle(handle)?)],
            (None, []) => [(KeyId::Master, master.clone())],
            (None, octets) => [(KeyId::Authentication, SecretKey::new(self.suite, octets)?)],
        };
        let parameter = key_transfer(env.provider, self.suite, &kek, &list, buffer)?;
        self.asked = Asked::Proof;
        Ok(Step::Invoke(SecuritySetup::KEY_TRANSFER.of(self.setup).into(), parameter))
    }

    fn proved<P: CryptoProvider>(
        &mut self,
        env: &mut RotationEnvironment<'_, P>,
        answer: Answer<'_>,
    ) -> Result<(), RotationError> {
        match answer {
            Answer::Returned(_) => self.commit(env),
            // Whatever it says, it says it under the new key.
            Answer::Denied(_) if changes_access(self.pending.id) => self.commit(env),
            Answer::Denied(_) if self.was_heard => Err(RotationError::NotInUse),
            Answer::Denied(_) => {
                self.requests.failed()?;
                self.state = State::Request;
                Ok(())
            }
            Answer::Unreached | Answer::Lost => {
                self.open = None;
                self.tries.failed()
            }
            Answer::Associated | Answer::NotAssociated => Err(RotationError::Unexpected),
        }
    }

    fn commit<P: CryptoProvider>(
        &mut self,
        env: &mut RotationEnvironment<'_, P>,
    ) -> Result<(), RotationError> {
        let id = self.pending.id;
        let key = self.pending.key.clone().ok_or(RotationError::Unexpected)?;
        self.keys.set(self.suite, id, &key)?;
        let next = match self.pending.then {
            Some(then) => {
                let drawn = draw(env.provider, self.suite, &self.keys)?;
                Some(PendingKey::new(then, RotationMethod::Transfer, Some(drawn)))
            }
            None => None,
        };
        env.store.commit(id, &key, next.as_ref())?;
        (self.is_doubtful, self.was_heard) = (false, false);
        self.state = match next {
            Some(next) => {
                self.pending = next;
                State::Request
            }
            None => State::Finished,
        };
        Ok(())
    }
}

const NO_PARTIES: RotationError = RotationError::Invalid("key_agreement needs signature keys");

/// Whether associations are opened with the key.
const fn changes_access(id: KeyId) -> bool {
    matches!(id, KeyId::GlobalUnicast | KeyId::Authentication)
}

/// A key that is none of those in use.
fn draw<P: CryptoProvider>(
    provider: &P,
    suite: SecuritySuite,
    keys: &MeterKeys,
) -> Result<SecretKey, RotationError> {
    let key = provider.generate_key(suite)?;
    if keys.contain(&key) {
        return Err(RotationError::Invalid("the random numbers repeat themselves"));
    }
    Ok(key)
}
