//! The file in which the keys of one meter are kept once they change: those in use, and the one that is being changed.
//!
//! ```toml
//! setup = "0-0:43.0.0*255"
//! suite = 0
//! ek = "…"
//! ak = "…"
//! master = "…"
//!
//! [pending]
//! key = "ek"
//! by = "wrap"
//! value = "…"
//! ```
//!
//! Only its owner may read it. It is replaced as a whole, and on the disk before anything is sent. A lock beside it keeps
//! a second run from changing the same keys; who only reads takes none.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use dlms::client::rotation::{MeterKeys, PendingKey, RotationMethod, RotationStore};
use dlms_obis::LogicalName;
use dlms_security::{AuthenticationKey, KeyId, SecretKey, SecuritySuite, StorageError};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::args::{ByName, KeyName};
use crate::failure::{Exit, Failure, Result};
use crate::parse::hex;
use crate::places;

/// What the file holds. Keys are hexadecimal digits.
#[derive(Clone, Default, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) setup: String,
    suite: u8,
    pub(crate) ek: String,
    pub(crate) ak: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) master: Option<String>,
    /// Whether the meter has taken a key under the master key.
    #[serde(default)]
    master_is_proven: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) broadcast: Option<String>,
    /// The meter's public keys, where its certificates were renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peer_public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peer_agreement_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<KeptPending>,
    /// The certificate that is being renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<KeptCertificate>,
}

/// A certificate that is being renewed: what it is for, and the old and the new one in DER.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KeptCertificate {
    pub(crate) usage: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) old: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) new: Option<String>,
}

/// A key that is being changed.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KeptPending {
    #[zeroize(skip)]
    pub(crate) key: KeyName,
    #[zeroize(skip)]
    pub(crate) by: ByName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    pub(crate) is_requested: bool,
    pub(crate) is_heard: bool,
    tries_current: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[zeroize(skip)]
    pub(crate) then: Option<KeyName>,
}

/// The place of a meter's file, unless another one is named.
pub(crate) fn place(meter: &str) -> Result<PathBuf> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    let name = match meter.chars().all(is_plain) {
        true => meter.to_owned(),
        // No name of another meter, and no path.
        false => format!("{}.hex", hex::text(meter.as_bytes())),
    };
    Ok(places::state()?.join("keys").join(format!("{name}.toml")))
}

/// The file at `path`, if it is there.
pub(crate) fn read(path: &Path) -> Result<Option<Kept>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::usage(format!("{}: {error}", path.display()))),
    };
    // The reasons of the parser quote keys.
    let kept = toml::from_str(&text).map_err(|_| unusable(path))?;
    Ok(Some(kept))
}

fn unusable(path: &Path) -> Failure {
    let message = format!("{}: not a file of a meter's keys", path.display());
    Failure::new(Exit::Malformed, "key", "malformed", message)
}

/// The file, for a run that changes keys.
pub(crate) struct KeyFile {
    path: PathBuf,
    suite: SecuritySuite,
    pub(crate) kept: Kept,
    /// The certificate that was renewed in this run.
    pub(crate) renewed: Option<Vec<u8>>,
    _lock: File,
}

impl KeyFile {
    /// Opens the file at `path`; one that is not there yet begins with `initial`.
    pub(crate) fn open(path: &Path, suite: SecuritySuite, mut initial: Kept) -> Result<Self> {
        let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            let mut builder = DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::DirBuilderExt as _;
                builder.mode(0o700);
            }
            builder.create(directory).map_err(failed)?;
        }
        let lock = owner_only().truncate(false).open(with_suffix(path, ".lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                let message = format!("{}: another run is changing these keys", path.display());
                Failure::new(Exit::Link, "key", "in-use", message)
            }
            TryLockError::Error(error) => failed(error),
        })?;
        let kept = match read(path)? {
            Some(kept) if kept.suite != suite.id() => {
                let message = format!("{}: these are keys of suite {}", path.display(), kept.suite);
                return Err(Failure::usage(message));
            }
            Some(kept) => kept,
            None => {
                initial.suite = suite.id();
                initial
            }
        };
        let mut file = Self { path: path.to_owned(), suite, kept, renewed: None, _lock: lock };
        // What is wrong with it is to be found before anything is sent.
        file.keys().and(RotationStore::pending(&mut file)).map_err(|_| unusable(path))?;
        Ok(file)
    }

    /// The Security setup object.
    pub(crate) fn setup(&self) -> Result<LogicalName> {
        self.kept.setup.parse().map_err(|_| unusable(&self.path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Kept)) -> std::result::Result<(), StorageError> {
        let mut kept = self.kept.clone();
        change(&mut kept);
        self.write(&kept).map_err(|failure| {
            eprintln!("dlms: {failure}");
            StorageError
        })?;
        self.kept = kept;
        Ok(())
    }

    fn write(&self, kept: &Kept) -> Result<()> {
        let text = toml::to_string(kept).map_err(|error| Failure::bug(error.to_string()))?;
        let text = Zeroizing::new(text);
        let written = (|| {
            let temporary = with_suffix(&self.path, ".new");
            // A remainder of an earlier run may have other rights.
            let _ = fs::remove_file(&temporary);
            let mut file = owner_only().create_new(true).open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)?;
            // The rename itself must be on the disk too.
            let directory = self.path.parent().filter(|directory| !directory.as_os_str().is_empty());
            #[cfg(unix)]
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
            #[cfg(not(unix))]
            let _ = directory;
            Ok(())
        })();
        written.map_err(|error: std::io::Error| {
            Failure::new(Exit::Link, "key", "storage", format!("{}: {error}", self.path.display()))
        })
    }

    fn key(&self, digits: &str) -> std::result::Result<SecretKey, StorageError> {
        let octets = Zeroizing::new(hex::octets(digits).map_err(|_| StorageError)?);
        SecretKey::new(self.suite, &octets).map_err(|_| StorageError)
    }
}

impl RotationStore for KeyFile {
    fn keys(&mut self) -> std::result::Result<MeterKeys, StorageError> {
        let octets = Zeroizing::new(hex::octets(&self.kept.ak).map_err(|_| StorageError)?);
        let optional = |digits: &Option<String>| digits.as_deref().map(|digits| self.key(digits)).transpose();
        Ok(MeterKeys {
            unicast: self.key(&self.kept.ek)?,
            authentication: AuthenticationKey::for_suite(self.suite, &octets).map_err(|_| StorageError)?,
            broadcast: optional(&self.kept.broadcast)?,
            master: optional(&self.kept.master)?,
        })
    }

    fn pending(&mut self) -> std::result::Result<Option<PendingKey>, StorageError> {
        let Some(pending) = &self.kept.pending else { return Ok(None) };
        Ok(Some(PendingKey {
            id: pending.key.into(),
            method: pending.by.into(),
            key: pending.value.as_deref().map(|digits| self.key(digits)).transpose()?,
            is_requested: pending.is_requested,
            is_heard: pending.is_heard,
            tries_current: pending.tries_current,
            then: pending.then.map(KeyId::from),
            through_other: false,
        }))
    }

    fn set_pending(&mut self, pending: Option<&PendingKey>) -> std::result::Result<(), StorageError> {
        self.change(|kept| {
            kept.pending = pending.map(KeptPending::from);
            if pending.is_none() && !kept.master_is_proven {
                // It may be the wrong one: it is asked for again.
                kept.master = None;
            }
        })
    }

    fn commit(
        &mut self,
        id: KeyId,
        key: &SecretKey,
        next: Option<&PendingKey>,
    ) -> std::result::Result<(), StorageError> {
        self.change(|kept| {
            let digits = hex::text(key.expose());
            match id {
                KeyId::GlobalUnicast => kept.ek = digits,
                KeyId::Authentication => kept.ak = digits,
                KeyId::GlobalBroadcast => kept.broadcast = Some(digits),
                KeyId::Master => kept.master = Some(digits),
            }
            kept.master_is_proven |= kept.pending.as_ref().is_some_and(|pending| pending.by == ByName::Wrap);
            kept.master_is_proven |= id == KeyId::Master;
            kept.pending = next.map(KeptPending::from);
        })
    }
}

impl From<&PendingKey> for KeptPending {
    fn from(pending: &PendingKey) -> Self {
        Self {
            key: pending.id.into(),
            by: match pending.method {
                RotationMethod::Transfer => ByName::Wrap,
                RotationMethod::Agreement => ByName::Agreement,
            },
            value: pending.key.as_ref().map(|key| hex::text(key.expose())),
            is_requested: pending.is_requested,
            is_heard: pending.is_heard,
            tries_current: pending.tries_current,
            then: pending.then.map(KeyName::from),
        }
    }
}

impl From<KeyId> for KeyName {
    fn from(id: KeyId) -> Self {
        match id {
            KeyId::GlobalUnicast => Self::Ek,
            KeyId::GlobalBroadcast => Self::Broadcast,
            KeyId::Authentication => Self::Ak,
            KeyId::Master => Self::Master,
        }
    }
}

impl From<KeyName> for KeyId {
    fn from(name: KeyName) -> Self {
        match name {
            KeyName::Ek => Self::GlobalUnicast,
            KeyName::Ak => Self::Authentication,
            KeyName::Broadcast => Self::GlobalBroadcast,
            KeyName::Master => Self::Master,
        }
    }
}

impl From<ByName> for RotationMethod {
    fn from(name: ByName) -> Self {
        match name {
            ByName::Wrap => Self::Transfer,
            ByName::Agreement => Self::Agreement,
        }
    }
}

/// A file that only its owner may read and write, from the beginning.
fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
