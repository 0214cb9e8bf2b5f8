//! `dlms keys`: changes a meter's keys, and finishes what was interrupted.
//!
//! The keys of a meter that were changed stand in its key file, which every command takes them from. A new key is in the
//! file before it is sent; after a crash, a time-out, a cut link, `dlms keys resume` finds out which key the meter has.

use std::cell::RefCell;

use dlms::client::rotation::{Access, KeyRotation, NewRotation, PolicyRaise, RotationEnvironment, SetupKeys};
use dlms_obis::LogicalName;
use dlms_security::{KeyUsage, Protection, SecretKey};
use dlms_tokio::{AgreementParties, Client, Error, Provider, raise_policy, rotate_key};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{certificate, pki};
use crate::args::{
    ByName, CertificateCommand, KeyName, KeysActivateArgs, KeysCommand, KeysResumeArgs, KeysRotateArgs,
    KeysStatusArgs,
};
use crate::connection::{CarrierName, ConnectionOptions};
use crate::failure::{Failure, Result};
use crate::key_files;
use crate::meter_keys::{self, Kept, KeyFile};
use crate::output;
use crate::parse::hex;
use crate::session::{self, Session};
use crate::target::{CounterSource, Keys, Target};

pub(crate) async fn run(command: &KeysCommand, json: bool) -> Result<()> {
    match command {
        KeysCommand::Rotate(args) => rotate(args, json).await,
        KeysCommand::Resume(args) => resume(args, json).await,
        KeysCommand::Status(args) => status(args, json),
        KeysCommand::Activate(args) => activate(args, json).await,
        KeysCommand::Certificate(CertificateCommand::Renew(args)) => certificate::renew(args, json).await,
    }
}

/// Opens an association with keys that may be wrong, and are therefore tried once. A failure that is no error of a
/// connection is kept in `failed`.
pub(super) async fn connect_once(
    target: Target,
    failed: &RefCell<Option<Failure>>,
) -> std::result::Result<Client, Error> {
    let target = Target { retries: 0, ..target };
    let options = session::options(&target).await.map_err(|failure| kept(failure, failed))?;
    Client::connect_with(dlms_tokio::provider_on(target.library)?, options).await
}

/// The error that stands for a failure which is kept.
pub(super) fn kept(failure: Failure, failed: &RefCell<Option<Failure>>) -> Error {
    let error = Error::Options(failure.to_string());
    failed.replace(Some(failure));
    error
}

/// What became of the keys.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    changed: Vec<KeyName>,
    key_file: String,
}

impl Report {
    fn tell(&self, json: bool) -> Result<()> {
        if json {
            return output::json(self);
        }
        for key in &self.changed {
            output::line(&format!("{} {}", key.text(), output::good().apply_to("changed")))?;
        }
        if self.changed.is_empty() {
            output::line("nothing is pending")?;
        }
        Ok(())
    }
}

/// A meter whose keys are changed.
pub(super) struct Change {
    pub(super) target: Target,
    keys: Keys,
    pub(super) file: KeyFile,
    parties: Option<AgreementParties>,
    provider: Provider,
    pub(super) setup: LogicalName,
    changed: Vec<KeyName>,
}

async fn rotate(args: &KeysRotateArgs, json: bool) -> Result<()> {
    let key = args.new_key_file.as_deref().map(|path| {
        let text = Zeroizing::new(key_files::secret_octets(path)?);
        match args.key.len() {
            1 => Ok(text),
            _ => Err(Failure::usage("--new-key-file is for one --key")),
        }
    });
    let key = key.transpose()?;
    let mut change = Change::open(&args.connection, args.setup).await?;
    if change.file.kept.pending.is_some() {
        return Err(Failure::usage("an earlier change is not finished").hint("run dlms keys resume first"));
    }
    let suite = change.keys.suite;
    let wrong_length =
        |_| Failure::usage(format!("--new-key-file: a key has {} octets here", suite.key_len()));
    let key = key.map(|octets| SecretKey::new(suite, &octets).map_err(wrong_length)).transpose()?;
    for name in &args.key {
        let new = NewRotation { key: key.clone(), ..NewRotation::new((*name).into(), args.by.into()) };
        let setup = change.setup;
        let begun = KeyRotation::begin(&mut change.environment(), setup, suite, new);
        let rotation = begun.map_err(|error| change.explained(&error.into()))?;
        change.drive(rotation, args.wrapping_master).await?;
        change.changed.push(*name);
    }
    change.report().tell(json)
}

async fn resume(args: &KeysResumeArgs, json: bool) -> Result<()> {
    let mut change = Change::open(&args.connection, None).await?;
    let (setup, suite) = (change.setup, change.keys.suite);
    let resumed = KeyRotation::resume(&mut change.environment(), setup, suite);
    if let Some(rotation) = resumed.map_err(|error| change.explained(&error.into()))? {
        let name = change.file.kept.pending.as_ref().map(|pending| pending.then.unwrap_or(pending.key));
        change.drive(rotation, args.wrapping_master).await?;
        change.changed.extend(name);
    }
    change.report().tell(json)
}

impl Change {
    pub(super) async fn open(options: &ConnectionOptions, setup: Option<LogicalName>) -> Result<Self> {
        let path = options.key_file()?.ok_or_else(|| {
            Failure::usage("the new keys need a place").hint("give --key-file PATH, or --meter NAME")
        })?;
        let target = options.resolve_to_change()?;
        if matches!(target.counter, CounterSource::Value(_)) {
            return Err(Failure::usage("--invocation-counter would begin each association anew")
                .hint("leave it out, or give --counter-from-meter"));
        }
        let full = Protection::AUTHENTICATED_ENCRYPTED;
        let keys = target.keys.clone().filter(|_| target.protection.contains(full));
        let keys = keys.ok_or_else(|| {
            Failure::usage("keys are changed in an association that is authenticated and encrypted")
                .hint("give --auth, --ek, --ak and --security auth-enc")
        })?;
        if keys.dedicated.is_some() || target.carrier == CarrierName::WrappedKey {
            return Err(Failure::usage(
                "--dedicated-key and --carrier wrapped-key do not go with changes of keys",
            ));
        }
        let parties = match (options.signature_keys(Some(&keys))?, target.server_title) {
            (Some(signatures), Some(server)) => Some(AgreementParties {
                signing_key: signatures.own,
                server_key: signatures.peer,
                client: keys.client_title,
                server,
            }),
            _ => None,
        };
        let mut initial = Kept::default();
        initial.ek = hex::text(keys.encryption.expose());
        initial.ak = hex::text(keys.authentication.expose());
        let mut file = KeyFile::open(&path, keys.suite, initial)?;
        if file.kept.master.is_none() {
            file.kept.master = keys.master.as_ref().map(|key| hex::text(key.expose()));
        }
        if file.kept.setup.is_empty() || setup.is_some() && file.kept.pending.is_none() {
            let name = match setup {
                Some(setup) => setup,
                None => setup_of(&target).await?,
            };
            file.kept.setup = name.to_string();
        }
        let provider = dlms_tokio::provider_on(target.library)?;
        Ok(Self { setup: file.setup()?, target, keys, file, parties, provider, changed: Vec::new() })
    }

    fn environment(&mut self) -> RotationEnvironment<'_, Provider> {
        RotationEnvironment {
            provider: &self.provider,
            store: &mut self.file,
            parties: self.parties.as_ref().map(|parties| parties.borrowed(&self.provider)),
        }
    }

    async fn drive(&mut self, rotation: KeyRotation, wrapping_master: bool) -> Result<()> {
        let mut rotation = if wrapping_master { rotation.with_master_key_for_wrapping() } else { rotation };
        let Self { target, keys, file, parties, provider, .. } = &mut *self;
        let (target, keys, failed) = (&*target, &*keys, &RefCell::new(None));
        let connect = move |_: Access, with: Option<SetupKeys>| async move {
            let unusable = || Error::Options("no keys to open an association with".to_owned());
            let with = with.ok_or_else(unusable)?;
            let keys = Keys { encryption: with.unicast, authentication: with.authentication, ..keys.clone() };
            connect_once(Target { keys: Some(keys), ..target.clone() }, failed).await
        };
        let done = rotate_key(provider, file, parties.as_ref(), &mut rotation, connect).await;
        match (done, failed.take()) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(failure)) => Err(failure),
            (Err(error), None) => Err(self.explained(&error)),
        }
    }

    /// What went wrong, and whether it can be gone on with.
    fn explained(&self, error: &Error) -> Failure {
        let failure = session::failure(error);
        match &self.file.kept.pending {
            Some(pending) => {
                let what = format!("{} is not known to be changed", pending.key.text());
                failure.about(what).hint("run dlms keys resume")
            }
            None => failure,
        }
    }

    fn report(&self) -> Report {
        Report { changed: self.changed.clone(), key_file: self.file.path().display().to_string() }
    }
}

/// What became of a policy.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Activated {
    setup: String,
    security_policy: u8,
}

async fn activate(args: &KeysActivateArgs, json: bool) -> Result<()> {
    const SIGNED: u8 = 0x90;
    let target = args.connection.resolve()?;
    if matches!(target.counter, CounterSource::Value(_)) {
        return Err(Failure::usage("--invocation-counter would begin each association anew")
            .hint("leave it out, or give --counter-from-meter"));
    }
    if !target.protection.contains(Protection::AUTHENTICATED_ENCRYPTED)
        || args.policy & SIGNED != 0 && !target.signs
    {
        return Err(Failure::usage("the association has less protection than the policy may demand")
            .hint("give --security auth-enc, and --sign where the policy asks for signatures"));
    }
    let setup = match args.setup {
        Some(setup) => setup,
        None => setup_of(&target).await?,
    };
    let (target, failed) = (&target, &RefCell::new(None));
    let connect = move || connect_once(target.clone(), failed);
    let done = raise_policy(&mut PolicyRaise::new(setup, args.policy), connect).await;
    done.map_err(|error| failed.take().unwrap_or_else(|| session::failure(&error)))?;
    if json {
        return output::json(&Activated { setup: setup.to_string(), security_policy: args.policy });
    }
    Ok(output::line(&format!(
        "security policy {:#04x} {}",
        args.policy,
        output::good().apply_to("in force")
    ))?)
}

/// The Security setup that the association says it is under.
async fn setup_of(target: &Target) -> Result<LogicalName> {
    const ASSOCIATION: LogicalName = LogicalName::new(0, 0, 40, 0, 0, 255);
    let attribute = cosem_objects::classes::AssociationLn::<0>::SECURITY_SETUP_REFERENCE.of(ASSOCIATION);
    let mut session = Session::open(target).await?;
    let value = session.get(attribute).await;
    session.release().await;
    let name = value?.ok().and_then(|value| match value.as_data() {
        dlms_axdr::Data::OctetString(octets) => <[u8; 6]>::try_from(octets).ok(),
        _ => None,
    });
    name.filter(|octets| octets.first_chunk() != Some(&[0, 0, 0])).map(LogicalName::from).ok_or_else(|| {
        Failure::usage("the association does not name its Security setup").hint("give --setup OBIS")
    })
}

/// What is known, and what is pending.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Status {
    key_file: String,
    setup: Option<String>,
    known: Vec<KeyName>,
    pending: Option<Pending>,
    /// What a certificate is for that is being renewed.
    certificate: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Pending {
    key: KeyName,
    by: ByName,
    /// Whether the meter said that it has the key.
    confirmed: bool,
    /// What is transferred under a master key that is agreed on for it.
    then: Option<KeyName>,
}

fn status(args: &KeysStatusArgs, json: bool) -> Result<()> {
    let path = match (&args.key_file, &args.meter) {
        (Some(path), _) => path.clone(),
        (None, Some(meter)) => ConnectionOptions::key_file_of(meter)?,
        (None, None) => {
            return Err(Failure::usage("whose keys?").hint("give --meter NAME or --key-file PATH"));
        }
    };
    let kept = meter_keys::read(&path)?;
    let mut status = Status {
        key_file: path.display().to_string(),
        setup: None,
        known: Vec::new(),
        pending: None,
        certificate: None,
    };
    if let Some(kept) = &kept {
        status.setup = Some(kept.setup.clone());
        status.known = [
            (KeyName::Ek, !kept.ek.is_empty()),
            (KeyName::Ak, !kept.ak.is_empty()),
            (KeyName::Broadcast, kept.broadcast.is_some()),
            (KeyName::Master, kept.master.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_known)| is_known.then_some(name))
        .collect();
        let renewed = kept.certificate.as_ref().and_then(|kept| KeyUsage::from_id(kept.usage));
        status.certificate = renewed.map(pki::usage_text);
        status.pending = kept.pending.as_ref().map(|pending| Pending {
            key: pending.key,
            by: pending.by,
            confirmed: pending.is_heard,
            then: pending.then,
        });
    }
    if json {
        return output::json(&status);
    }
    if kept.is_none() {
        return Ok(output::line(&format!("{}: no key was changed yet", status.key_file))?);
    }
    let known: Vec<_> = status.known.iter().map(|name| name.text()).collect();
    output::line(&format!("{}: {}", status.key_file, known.join(", ")))?;
    if let Some(usage) = status.certificate {
        output::line(&format!("pending: {usage} certificate; run dlms keys certificate renew"))?;
    }
    match &status.pending {
        None if status.certificate.is_some() => {}
        None => output::line("nothing is pending")?,
        Some(pending) => {
            let said =
                if pending.confirmed { "the meter has it" } else { "whether the meter has it is unknown" };
            output::line(&format!("pending: {}; {said}; run dlms keys resume", pending.key.text()))?;
        }
    }
    Ok(())
}
