//! An association with a meter: the async client with this command's options and failures.

use cosem_objects::{ActionResult, AttributeReference, DataAccessResult, MethodReference};
use dlms::acse::{AssociateResult, Diagnostic, UserDiagnostic};
use dlms::client::{ClientConfig, ClientError, DedicatedKeyChoice, Refusal};
use dlms::xdlms::{
    AttributeDescriptor, AttributeDescriptorWithSelection, Conformance, ExceptionResponse, ServiceError,
};
use dlms::{KeyPairs, ProtectionError};
use dlms_axdr::OwnedData;
use dlms_hdlc::{ClientAddress, PrimaryConfig, ServerAddress};
use dlms_obis::LogicalName;
use dlms_security::{
    AesEcb, CounterStore, Forgetful, KeyUsage, PeerKeys, Protection, PublicKey, SystemTitle,
};
use dlms_tokio::iec62056_21::BaudRate;
use dlms_tokio::{
    AccessItem, AccessOptions, Accessed, Client, ClientOptions, Endpoint, Error, ErrorKind, Identity, ModeE,
    SerialOptions,
};

use crate::args::Framing;
use crate::connection::CarrierName;
use crate::counters::{self, Kept};
use crate::failure::{Exit, Failure, Result};
use crate::parse::address::Address;
use crate::target::{CounterSource, Keys, Target};
use crate::trace;

/// The physical device in an HDLC address of two or four octets, unless told otherwise.
const PHYSICAL: u16 = 1;
/// The invocation counter of a meter that has one.
const COUNTER_OBJECT: LogicalName = LogicalName::new(0, 0, 43, 1, 0, 255);
/// The highest counter that is believed without proof.
const HIGHEST_HINT: u32 = 0xF000_0000;

/// How many attributes one ACCESS reads.
const ACCESS_ITEMS: usize = 16;

/// What reading one attribute came to.
pub(crate) type Access = std::result::Result<OwnedData, DataAccessResult>;

/// An open association.
pub(crate) struct Session {
    client: Client,
}

impl Session {
    /// Connects and associates.
    pub(crate) async fn open(target: &Target) -> Result<Self> {
        let options = options(target).await?;
        let client = Client::connect(options).await.map_err(|error| not_opened(&error, target))?;
        Ok(Self { client })
    }

    /// The client, for what needs more than one request.
    pub(crate) const fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    pub(crate) async fn get(&mut self, attribute: AttributeReference) -> Result<Access> {
        match self.client.get(AttributeDescriptor::from(attribute)).await {
            Ok(value) => Ok(Ok(value.to_owned_data())),
            Err(Error::DataAccess(result)) => Ok(Err(result)),
            Err(error) => Err(failure(&error).about(subject(attribute))),
        }
    }

    /// One result for each attribute; with ACCESS where that was agreed on, else with-list where the meter can.
    pub(crate) async fn get_all(&mut self, attributes: &[AttributeReference]) -> Result<Vec<Access>> {
        let descriptors: Vec<AttributeDescriptorWithSelection<'_>> =
            attributes.iter().map(|&attribute| AttributeDescriptor::from(attribute).into()).collect();
        let agreed = self.client.agreement().map(|agreement| agreement.conformance).unwrap_or_default();
        if agreed.contains(Conformance::ACCESS) {
            return self.access_all(attributes, &descriptors).await;
        }
        let values = self.client.get_list(&descriptors).await.map_err(|error| failure(&error))?;
        Ok(values.into_iter().map(|value| value.map(|value| value.to_owned_data())).collect())
    }

    async fn access_all(
        &mut self,
        attributes: &[AttributeReference],
        descriptors: &[AttributeDescriptorWithSelection<'_>],
    ) -> Result<Vec<Access>> {
        let mut values = Vec::with_capacity(descriptors.len());
        for items in descriptors.chunks(ACCESS_ITEMS) {
            let items: Vec<_> = items.iter().copied().map(AccessItem::Get).collect();
            let results = self.client.access(&items, AccessOptions::default()).await;
            for result in results.map_err(|error| failure(&error))? {
                let value = match (result, attributes.get(values.len())) {
                    // The service has no blocks: what is too long for it is read by itself.
                    (Accessed::Get(Err(DataAccessResult::DataBlockUnavailable)), Some(&attribute)) => {
                        self.get(attribute).await?
                    }
                    (Accessed::Get(result), _) => result.map(|value| value.to_owned_data()),
                    _ => Err(DataAccessResult::OtherReason),
                };
                values.push(value);
            }
        }
        Ok(values)
    }

    pub(crate) async fn set(
        &mut self,
        attribute: AttributeReference,
        value: &OwnedData,
    ) -> Result<DataAccessResult> {
        match self.client.set(AttributeDescriptor::from(attribute), value).await {
            Ok(()) => Ok(DataAccessResult::Success),
            Err(Error::DataAccess(result)) => Ok(result),
            Err(error) => Err(failure(&error).about(subject(attribute))),
        }
    }

    pub(crate) async fn invoke(
        &mut self,
        method: MethodReference,
        parameter: &OwnedData,
    ) -> Result<(ActionResult, Option<Access>)> {
        match self.client.invoke(method, Some(parameter)).await {
            Ok(value) => Ok((ActionResult::Success, value.map(|value| Ok(value.to_owned_data())))),
            Err(Error::Action(result)) => Ok((result, None)),
            Err(Error::DataAccess(result)) => Ok((ActionResult::Success, Some(Err(result)))),
            Err(error) => Err(failure(&error)),
        }
    }

    /// Releases the association. What was asked for is done; how the meter takes leave is told and changes nothing.
    pub(crate) async fn release(self) {
        if let Err(error) = self.client.disconnect().await {
            eprintln!("dlms: the meter does not confirm the release: {error}");
        }
    }
}

/// The highest rate of IEC 62056-21 that is not above this one.
fn highest_rate(baud: u32) -> BaudRate {
    let mut rates = BaudRate::ALL.into_iter().filter(|rate| rate.bits_per_second() <= baud);
    rates.next_back().unwrap_or(BaudRate::B300)
}

/// What the client library needs to know.
pub(crate) async fn options(target: &Target) -> Result<ClientOptions> {
    let endpoint = match &target.address {
        Address::Tcp(host) => Endpoint::Tcp(host.clone()),
        Address::Udp(host) => Endpoint::Udp(host.clone()),
        Address::Serial(serial) => Endpoint::Serial(SerialOptions {
            baud_rate: serial.baud,
            mode_e: serial.mode_e.then(|| ModeE { max_rate: highest_rate(serial.baud), ..ModeE::default() }),
            ..SerialOptions::new(serial.path.as_str())
        }),
    };
    let mut options = ClientOptions::new(endpoint, framing(target)?);
    options.association = association(target);
    options.connect_timeout = target.timeout;
    options.retries = target.retries.into();
    options.library = target.library;
    options.manufacturer = Some(Box::new(AesEcb));
    if let Some(keys) = &target.keys {
        options.keys = Some(counted(target, keys).await?);
        // A counter that the user states is tried as it is.
        options.follows_counter = !matches!(target.counter, CounterSource::Value(_));
    }
    let pairs =
        [(KeyUsage::DigitalSignature, &target.signatures), (KeyUsage::KeyAgreement, &target.agreement)];
    if pairs.iter().any(|(_, pair)| pair.is_some()) {
        let mut own = KeyPairs::new();
        let mut meter = Meter { title: target.server_title, keys: [None; KeyUsage::ALL.len()] };
        for (usage, pair) in pairs {
            own.set_in_use(usage, pair.as_ref().map(|pair| pair.own.clone()));
            meter.keys[usage as usize] = pair.as_ref().map(|pair| pair.peer);
        }
        options.identity = Some(Identity::new(own, meter));
    }
    if target.trace {
        options.trace = Some(Box::new(trace::to_standard_error()));
    }
    Ok(options)
}

/// The one peer of a client: the meter, by its title where that is known.
struct Meter {
    title: Option<SystemTitle>,
    keys: [Option<PublicKey>; KeyUsage::ALL.len()],
}

impl PeerKeys for Meter {
    fn public_key(&self, owner: SystemTitle, usage: KeyUsage) -> Option<PublicKey> {
        let is_meter = self.title.is_none_or(|title| title == owner);
        self.keys[usage as usize].filter(|_| is_meter)
    }
}

fn framing(target: &Target) -> Result<dlms_tokio::Framing> {
    if target.framing == Framing::Wrapper {
        return Ok(dlms_tokio::Framing::wrapper(target.client, target.server));
    }
    let client = u8::try_from(target.client).ok().and_then(|client| ClientAddress::new(client).ok());
    let client = client.ok_or_else(|| Failure::usage("over HDLC, --client is not above 127"))?;
    let is_short = target.server <= 0x7F && target.physical.unwrap_or(0) <= 0x7F;
    let size = match (target.address_size, target.physical) {
        (Some(1), Some(_)) => return Err(Failure::usage("an address of one octet has no physical device")),
        (Some(size), _) => size,
        (None, None) if is_short => 1,
        (None, Some(_)) if is_short => 2,
        (None, _) => 4,
    };
    let physical = target.physical.unwrap_or(PHYSICAL);
    let server = match size {
        1 => ServerAddress::one(target.server),
        2 => ServerAddress::two(target.server, physical),
        _ => ServerAddress::four(target.server, physical),
    };
    let server = server.map_err(|error| Failure::usage(error.to_string()).hint("try --address-size 4"))?;
    Ok(dlms_tokio::Framing::Hdlc(PrimaryConfig {
        response_time_out: target.timeout,
        retries: target.retries,
        ..PrimaryConfig::new(client, server)
    }))
}

fn association(target: &Target) -> ClientConfig {
    let base = ClientConfig::public();
    let general_ciphering = target.carrier.general_ciphering();
    let dedicated = target.keys.as_ref().and_then(|keys| keys.dedicated.clone());
    ClientConfig {
        // HLS-GMAC without protection needs the key for its proof alone.
        ciphered: !target.protection.is_empty(),
        mechanism: target.mechanism,
        secret: target.secret.clone(),
        policy: target.protection,
        request_protection: if target.signs { Protection::SIGNED } else { Protection::empty() },
        general_protection: target.carrier == CarrierName::WithTitle,
        general_ciphering,
        client_title: target.client_title,
        server_title: target.server_title,
        dedicated_key: dedicated.map_or(DedicatedKeyChoice::None, DedicatedKeyChoice::Stated),
        max_receive_pdu_size: target.max_pdu.unwrap_or(base.max_receive_pdu_size),
        conformance: match target.proposes_access {
            // It has no service-specific ciphered form.
            true => base.conformance | Conformance::ACCESS | Conformance::GENERAL_PROTECTION,
            false => base.conformance,
        },
        response_timeout: target.timeout,
        ..base
    }
}

/// The keys, with their invocation counter where it is kept.
async fn counted(target: &Target, keys: &Keys) -> Result<dlms_tokio::Keys> {
    let Some(path) = counters::file(target, keys)? else { return Ok(with_counter(keys, 0, Forgetful)) };
    let store = counters::open(&path, target.timeout).await?;
    let reserved = store.reserved(counters::COUNTER);
    let begin = match &target.counter {
        CounterSource::Value(value) => {
            if *value < reserved {
                eprintln!(
                    "dlms: --invocation-counter {value} goes back: counters below {reserved} may have been used under \
                     this key, and whoever has seen one twice can forge; leave the option out to go on"
                );
            }
            *value
        }
        CounterSource::Meter(name) => reserved.max(counter_of_meter(target, *name).await?),
        _ => reserved,
    };
    Ok(with_counter(keys, begin, Kept::new(store, target)?))
}

fn with_counter(keys: &Keys, begin: u32, store: impl CounterStore + Send + 'static) -> dlms_tokio::Keys {
    let counted = dlms_tokio::Keys::of(
        keys.suite,
        keys.client_title,
        keys.encryption.clone(),
        keys.authentication.clone(),
        counters::COUNTER,
        begin,
        store,
    );
    match &keys.master {
        Some(key) => counted.with_master_key(key.clone()),
        None => counted,
    }
}

/// Where sending goes on, as the public client reads it: one above the highest counter that the meter has accepted.
async fn counter_of_meter(target: &Target, name: Option<LogicalName>) -> Result<u32> {
    let public = target.public();
    let mut session = Box::pin(Session::open(&public))
        .await
        .map_err(|failure| failure.about("reading the invocation counter"))?;
    let value = match name {
        Some(name) => counter_object(&mut session, name).await,
        None => highest_counter(&mut session).await,
    };
    session.release().await;
    match value? {
        // Nobody vouches for what the public client reads: a counter close to its end would use the key up.
        value if value < HIGHEST_HINT => Ok(value + 1),
        _ => Err(Failure::new(
            Exit::Security,
            "security",
            "counter-hint",
            "the meter's invocation counter is close to its end",
        )
        .hint("if that is true, give --invocation-counter")),
    }
}

async fn counter_object(session: &mut Session, name: LogicalName) -> Result<u32> {
    let attribute = cosem_objects::classes::Data::<()>::VALUE.of(name);
    let value = session.get(attribute).await?.map_err(|result| refused(subject(attribute), result))?;
    value.as_data().integer().and_then(|value| u32::try_from(value).ok()).ok_or_else(|| {
        let message = format!("{} is no invocation counter", subject(attribute));
        Failure::new(Exit::Malformed, "objects", "counter", message)
    })
}

/// The highest invocation counter that the client may read: which key an object counts for, the list does not say, and a
/// counter that is too high does no harm.
async fn highest_counter(session: &mut Session) -> Result<u32> {
    let objects = match session.client().object_list().await {
        Ok(objects) => objects,
        Err(error) if error.kind() == ErrorKind::Link => return Err(failure(&error)),
        Err(_) => Vec::new(),
    };
    let is_counter = |name: &LogicalName| matches!(name.octets(), [0, _, 43, 1, _, 255]);
    let names = objects.iter().filter(|object| object.class_id == 1).map(|object| object.logical_name);
    let mut highest = None;
    for name in names.filter(is_counter) {
        match counter_object(session, name).await {
            Ok(value) => highest = highest.max(Some(value)),
            Err(failure) if failure.exit == Exit::Link => return Err(failure),
            Err(_) => {}
        }
    }
    match highest {
        Some(highest) => Ok(highest),
        // A list may leave out what is there.
        None => counter_object(session, COUNTER_OBJECT).await,
    }
}

/// Why there is no association. With keys in use, a meter that says that the authentication failed could not verify what
/// was sent: wrong keys, a replay.
fn not_opened(error: &Error, target: &Target) -> Failure {
    let failure = failure(error);
    if let (Error::Refused(Refusal::Protection(ProtectionError::Replay(_))), CounterSource::File(path)) =
        (error, &target.counter)
    {
        return failure.hint(format!(
            "an earlier run heard higher counters: a replay, or a meter that counts anew; for that one, give another \
             --counter-file than {}",
            path.display()
        ));
    }
    let is_authentication = matches!(
        error,
        Error::Refused(Refusal::Rejected {
            diagnostic: Diagnostic::User(UserDiagnostic::AuthenticationFailure),
            ..
        })
    );
    let is_counter = matches!(error, Error::Exception(exception) if is_security(exception));
    if !(is_authentication || is_counter) || target.keys.is_none() {
        return failure;
    }
    failure
        .exit(Exit::Security)
        .hint("check the keys, the titles and the password; a counter that was used is refused: --counter-from-meter")
}

/// Whether the peer says that it could not verify or decipher an APDU.
fn is_security(exception: &ExceptionResponse) -> bool {
    matches!(
        exception.service_error,
        ServiceError::DecipheringError | ServiceError::InvocationCounterError(_)
    )
}

/// What went wrong, in the words of the contract.
pub(crate) fn failure(error: &Error) -> Failure {
    let exit = match error.kind() {
        ErrorKind::Usage => Exit::Usage,
        ErrorKind::Malformed => Exit::Malformed,
        ErrorKind::Security => Exit::Security,
        ErrorKind::Link => Exit::Link,
        ErrorKind::Refused => match error {
            Error::Exception(exception) if is_security(exception) => Exit::Security,
            _ => Exit::Refused,
        },
    };
    let (layer, reason) = match error {
        Error::Options(_) => ("command", "options".to_owned()),
        Error::Connect { .. } => ("transport", "connect".to_owned()),
        Error::Io(_) => ("transport", "connection".to_owned()),
        Error::Closed => ("transport", "closed".to_owned()),
        Error::Timeout(_) => ("transport", "time-out".to_owned()),
        Error::SignOn(_) => ("iec62056-21", "sign-on".to_owned()),
        Error::LinkRefused => ("hdlc", "refused".to_owned()),
        Error::LinkLost(loss) => ("hdlc", slug(&format!("{loss:?}"))),
        Error::Wrapper(error) => ("wrapper", head(error)),
        Error::Refused(Refusal::Rejected { diagnostic, .. }) => ("acse", slug(&format!("{diagnostic:?}"))),
        Error::Refused(refusal) => ("acse", head(refusal)),
        Error::Client(error) if exit == Exit::Security => ("security", head(error)),
        Error::Client(error) => ("xdlms", head(error)),
        Error::Exception(_) => ("xdlms", "exception-response".to_owned()),
        Error::ConfirmedServiceError(_) => ("xdlms", "confirmed-service-error".to_owned()),
        Error::DataAccess(result) => ("xdlms", slug(&format!("{result:?}"))),
        Error::Action(result) => ("xdlms", slug(&format!("{result:?}"))),
        Error::Decode(_) => ("axdr", "malformed".to_owned()),
        Error::Type(_) => ("objects", "type".to_owned()),
        Error::Image(_) => ("objects", "image-transfer".to_owned()),
        Error::Rotation(error) => ("keys", head(error)),
        Error::Security(error) => ("security", head(error)),
        error => ("xdlms", head(error)),
    };
    let message = match error {
        Error::Refused(Refusal::Rejected { result, .. }) => {
            let lasts = if *result == AssociateResult::RejectedTransient { " for now" } else { "" };
            format!("no association: the meter refuses{lasts}: {reason}")
        }
        Error::Exception(exception) => {
            let (state, service) = (head(&exception.state_error), head(&exception.service_error));
            format!("the meter answers with an exception-response: {state}, {service}")
        }
        Error::Client(ClientError::NotNegotiated(services)) => {
            let names: Vec<_> = services.iter_names().map(|(name, _)| slug_of_constant(name)).collect();
            format!("the meter does not offer {}", names.join(", "))
        }
        error => error.to_string(),
    };
    // Errors of a layer begin with its name; the failure says it too.
    let message = message.strip_prefix(layer).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&message);
    let mut failure = Failure::new(exit, layer, reason, message);
    if let Error::Decode(error) | Error::Client(ClientError::Malformed(error)) = error {
        failure = failure.at(error.offset);
    }
    match error {
        Error::Refused(Refusal::Rejected { .. }) => failure.hint("check --client, --auth and the password"),
        Error::Refused(Refusal::ServerProof) => failure.hint("check the password or keys"),
        Error::Refused(_) if exit == Exit::Security => {
            failure.hint("check --security, the keys and the titles")
        }
        Error::Connect { .. } | Error::Timeout(_) => {
            failure.hint("check the address, --framing, --client and --server")
        }
        _ => failure,
    }
}

/// The name of an error's variant, in the words of the standard.
fn head(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    let end = text.find(|character: char| !character.is_alphanumeric()).unwrap_or(text.len());
    slug(&text[..end])
}

fn subject(attribute: AttributeReference) -> String {
    format!("{}:{}:{}", attribute.class_id, attribute.logical_name, attribute.attribute_index)
}

/// The meter refuses access to an attribute or a method. `result` is a Data-Access-Result or an Action-Result.
pub(crate) fn refused(subject: impl std::fmt::Display, result: impl std::fmt::Debug) -> Failure {
    let reason = slug(&format!("{result:?}"));
    Failure::new(Exit::Refused, "xdlms", reason.clone(), format!("{subject}: the meter answers {reason}"))
}

/// `BLOCK_TRANSFER_WITH_ACTION` as `block-transfer-with-action`.
fn slug_of_constant(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// `ObjectUndefined` as `object-undefined`: the words of the standard.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len() + 4);
    for (index, character) in name.char_indices() {
        match character {
            'A'..='Z' => {
                if index > 0 && !slug.ends_with('-') {
                    slug.push('-');
                }
                slug.push(character.to_ascii_lowercase());
            }
            'a'..='z' | '0'..='9' => slug.push(character),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_standard() {
        assert_eq!(slug("ObjectUndefined"), "object-undefined");
        assert_eq!(slug("Unknown(77)"), "unknown-77");
        let failure = refused("3:1-0:1.8.0*255:2", DataAccessResult::ReadWriteDenied);
        assert_eq!(failure.to_string(), "xdlms: 3:1-0:1.8.0*255:2: the meter answers read-write-denied");
    }
}
