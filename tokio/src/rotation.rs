//! Changing keys, certificates and policy of a meter over as many connections as it takes.
//!
//! What is to be done next, and what must not be forgotten, is [`dlms::client::rotation`]'s; here its steps are taken.
//! `connect` opens the association that a step asks for, with a connection of its own. It tries once
//! ([`ClientOptions::retries`](crate::ClientOptions::retries) is 0), since the keys may be wrong and the meter may count
//! failures, and it keeps the counters of each encryption key under its fingerprint.
//!
//! The futures can be dropped at any time: what was begun is resumed from the store.

use dlms::client::ClientError;
use dlms::client::rotation::{
    Access, Answer, CertificateRenewal, KeyRotation, Parties, PolicyRaise, RenewalEnvironment, RenewalStore,
    RotationEnvironment, RotationError, RotationStore, STEP_BUFFER, SetupKeys, Step,
};
use dlms_security::certificate::Authorities;
use dlms_security::{CryptoProvider, PrivateKey, PublicKey, PublicKeyProvider, SecurityError, SystemTitle};

use crate::{Client, Error, ErrorKind, Value};

/// Who agrees on keys with the meter.
#[derive(Clone, Debug)]
pub struct AgreementParties {
    /// Our own signature key, which the meter knows.
    pub signing_key: PrivateKey,
    /// The meter's signature key.
    pub server_key: PublicKey,
    /// Our own title, in the association that the agreement goes through.
    pub client: SystemTitle,
    /// The meter's.
    pub server: SystemTitle,
}

impl AgreementParties {
    /// For [`RotationEnvironment::parties`].
    pub fn borrowed<'e>(&'e self, provider: &'e dyn PublicKeyProvider) -> Parties<'e> {
        Parties {
            provider,
            signing_key: &self.signing_key,
            server_key: &self.server_key,
            client: self.client,
            server: self.server,
        }
    }
}

/// Takes the steps of a key rotation, begun or resumed, to its end. `connect` is given the keys that it is to use; none for
/// [`Access::Other`].
///
/// # Errors
/// [`Error::Rotation`], or the trouble with the meter that ended it: what is pending then can be resumed. Errors of
/// `connect` that are not the meter's or the link's end it at once.
pub async fn rotate_key<
    P: CryptoProvider + PublicKeyProvider,
    F: Future<Output = Result<Client<P>, Error>>,
>(
    provider: &P,
    store: &mut (impl RotationStore + Send),
    parties: Option<&AgreementParties>,
    rotation: &mut KeyRotation,
    mut connect: impl FnMut(Access, Option<SetupKeys>) -> F,
) -> Result<(), Error> {
    let mut line = Line::default();
    let steps = async {
        let mut buffer = [0; STEP_BUFFER];
        loop {
            let step = {
                let parties = parties.map(|parties| parties.borrowed(provider));
                let mut env = RotationEnvironment { provider, store: &mut *store, parties };
                rotation.next(&mut env, &mut buffer)?
            };
            let reply = match step {
                Step::Done => return Ok(()),
                Step::Associate(access) => {
                    line.leave().await;
                    let keys = rotation.keys(access);
                    line.opened(connect(access, keys).await)?
                }
                step => line.perform(step).await?,
            };
            let parties = parties.map(|parties| parties.borrowed(provider));
            let mut env = RotationEnvironment { provider, store: &mut *store, parties };
            line.explain(rotation.answer(&mut env, reply.answer()))?;
        }
    };
    let done = steps.await;
    line.close(done.is_ok()).await;
    done
}

/// Takes the steps of a certificate's renewal, begun or resumed, to its end. `connect` is given the public key that the
/// meter proves itself with, where another one than the known may be in use; `issue` answers a certification request, which
/// was verified, with a certificate in DER.
///
/// # Errors
/// As [`rotate_key`]; what `issue` answers.
pub async fn renew_certificate<
    P: CryptoProvider,
    F: Future<Output = Result<Client<P>, Error>>,
    I: Future<Output = Result<Vec<u8>, Error>>,
>(
    provider: &(dyn PublicKeyProvider + Sync),
    store: &mut (impl RenewalStore + Send),
    authorities: &(dyn Authorities + Sync),
    renewal: &mut CertificateRenewal,
    mut connect: impl FnMut(Access, Option<PublicKey>) -> F,
    mut issue: impl FnMut(Vec<u8>) -> I,
) -> Result<(), Error> {
    let mut line = Line::default();
    let steps = async {
        let mut buffer = [0; STEP_BUFFER];
        loop {
            let keys = [Access::Current, Access::Pending].map(|access| renewal.public_key(access));
            let reply = match renewal.next(&mut buffer)? {
                Step::Done => return Ok(()),
                Step::Issue(request) => {
                    let der = issue(request.to_vec()).await?;
                    let mut env = RenewalEnvironment { provider, store: &mut *store, authorities };
                    renewal.issued(&mut env, &der)?;
                    continue;
                }
                Step::Associate(access) => {
                    line.leave().await;
                    let key = keys[usize::from(access == Access::Pending)];
                    line.opened(connect(access, key).await)?
                }
                step => line.perform(step).await?,
            };
            let mut env = RenewalEnvironment { provider, store: &mut *store, authorities };
            line.explain(renewal.answer(&mut env, reply.answer()))?;
        }
    };
    let done = steps.await;
    line.close(done.is_ok()).await;
    done
}

/// Raises a security policy and sees that it is in force. `connect` opens associations with the protection that the new
/// policy demands.
///
/// # Errors
/// As [`rotate_key`]; to resume is to begin anew.
pub async fn raise_policy<P: CryptoProvider, F: Future<Output = Result<Client<P>, Error>>>(
    raise: &mut PolicyRaise,
    mut connect: impl FnMut() -> F,
) -> Result<(), Error> {
    let mut line = Line::default();
    let steps = async {
        let mut buffer = [0; STEP_BUFFER];
        loop {
            let reply = match raise.next(&mut buffer)? {
                Step::Done => return Ok(()),
                Step::Associate(_) => {
                    line.leave().await;
                    line.opened(connect().await)?
                }
                step => line.perform(step).await?,
            };
            line.explain(raise.answer(reply.answer()))?;
        }
    };
    let done = steps.await;
    line.close(done.is_ok()).await;
    done
}

/// The association that is open, and the last trouble with the meter.
struct Line<P: CryptoProvider> {
    client: Option<Client<P>>,
    trouble: Option<Error>,
}

impl<P: CryptoProvider> Default for Line<P> {
    fn default() -> Self {
        Self { client: None, trouble: None }
    }
}

/// What came of a step, owned.
enum Reply {
    Associated,
    NotAssociated,
    Returned(Option<Value>),
    Denied(u8),
    Unreached,
    Lost,
}

impl Reply {
    fn answer(&self) -> Answer<'_> {
        match self {
            Self::Associated => Answer::Associated,
            Self::NotAssociated => Answer::NotAssociated,
            Self::Returned(value) => Answer::Returned(value.as_ref().map(Value::data)),
            Self::Denied(result) => Answer::Denied(*result),
            Self::Unreached => Answer::Unreached,
            Self::Lost => Answer::Lost,
        }
    }
}

impl<P: CryptoProvider> Line<P> {
    fn opened(&mut self, opened: Result<Client<P>, Error>) -> Result<Reply, Error> {
        let error = match opened {
            Ok(client) => {
                self.client = Some(client);
                return Ok(Reply::Associated);
            }
            Err(error) => error,
        };
        let reply = match (&error, error.kind()) {
            // Nothing was sent, and nothing will be.
            (Error::Client(ClientError::Security(SecurityError::Storage(_))), _) => return Err(error),
            (_, ErrorKind::Usage) => return Err(error),
            (Error::Connect { .. } | Error::Timeout("connecting"), _) => Reply::Unreached,
            (_, ErrorKind::Link) => Reply::Lost,
            (_, ErrorKind::Malformed | ErrorKind::Security | ErrorKind::Refused) => Reply::NotAssociated,
        };
        tracing::debug!(%error, "no association");
        self.trouble = Some(error);
        Ok(reply)
    }

    async fn perform(&mut self, step: Step<'_>) -> Result<Reply, Error> {
        let client = self.client.as_mut().ok_or(Error::Unexpected)?;
        let performed = match step {
            Step::Invoke(method, parameter) => client.invoke(method, Some(&parameter)).await,
            Step::Read(attribute) => client.get(attribute).await.map(Some),
            Step::Associate(_) | Step::Issue(_) | Step::Done => return Err(Error::Unexpected),
        };
        let error = match performed {
            Ok(value) => return Ok(Reply::Returned(value)),
            Err(Error::Action(result)) => return Ok(Reply::Denied(result.code())),
            Err(Error::DataAccess(result)) => return Ok(Reply::Denied(result.code())),
            Err(error) => error,
        };
        let is_ours = match &error {
            Error::Client(
                ClientError::NotNegotiated(_)
                | ClientError::RequestTooLong { .. }
                | ClientError::ValueTooLong { .. }
                | ClientError::Configuration(_)
                | ClientError::BufferFull
                | ClientError::Security(_),
            ) => true,
            error => error.kind() == ErrorKind::Usage,
        };
        if is_ours {
            return Err(error);
        }
        tracing::debug!(%error, "no answer");
        self.leave().await;
        self.trouble = Some(error);
        Ok(Reply::Lost)
    }

    /// The trouble behind an end, where the procedure can only say that there is one.
    fn explain(&mut self, taken: Result<(), RotationError>) -> Result<(), Error> {
        taken.map_err(|error| match (error, self.trouble.take()) {
            (RotationError::Lost | RotationError::NotAssociated, Some(trouble)) => trouble,
            (error, _) => error.into(),
        })
    }

    /// Leaves the meter without a word to its association, whose keys may hold no more.
    async fn leave(&mut self) {
        if let Some(client) = self.client.take() {
            client.abandon().await;
        }
    }

    /// The end, good or bad; how the meter takes leave changes nothing.
    async fn close(&mut self, is_done: bool) {
        if !is_done {
            return self.leave().await;
        }
        if let Some(client) = self.client.take()
            && let Err(error) = client.disconnect().await
        {
            tracing::debug!(%error, "the release is not confirmed");
        }
    }
}
