//! What a meter remembers when it is switched off: values, configuration, rows, relay, image, secrets.
//!
//! | file | content |
//! | --- | --- |
//! | `state.toml` | the time, and the attributes of each object as they are on the wire |
//! | `CLASS-NAME.rows` | the rows of a profile, each after its length (4 octets) |
//! | `CLASS-NAME.image` | the octets of a firmware image |
//! | `counters.toml` | see [`crate::counters`] |
//! | `keys.toml` | see [`crate::keys`] |
//! | `certificates.toml` | see [`crate::certificates`] |
//!
//! Files are replaced, never changed in place: a meter that is killed finds the old or the new state.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use cosem_objects::behaviour::Profile;
use cosem_objects::classes::{ControlState, ImageTransferState, ImageTransferStatus, RowStorage};
use cosem_objects::{Context, Effects, Object};
use dlms_axdr::{Data, Encoder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::device::MeterDevice;
use crate::image::Image;
use crate::notation::{hex, to_hex};
use crate::objects::AnyObject;

/// A state directory that could not be read or written.
#[derive(Debug, Error)]
pub enum StateError {
    /// A file could not be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] std::io::Error),
    /// A file is not what it should be.
    #[error("{0}: {1}")]
    Format(PathBuf, #[source] Box<toml::de::Error>),
    /// The state could not be written as TOML.
    #[error(transparent)]
    Serialize(#[from] toml::ser::Error),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    #[serde(flatten)]
    time: KeptTime,
    /// By class and name, then by attribute: the value in hexadecimal digits.
    attributes: BTreeMap<String, BTreeMap<String, String>>,
    /// Relays by name: control_state.
    relay: BTreeMap<String, u8>,
    /// Image transfers by name.
    image: BTreeMap<String, KeptImage>,
    /// Secrets of associations by name.
    secret: BTreeMap<String, String>,
}

/// When a meter was switched off. In milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KeptTime {
    /// Simulated time since 1970-01-01 UTC.
    pub(crate) simulated: i64,
    /// By how much the meter's clock is ahead of it.
    pub(crate) clock_ahead: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptImage {
    status: u8,
    identifier: String,
    size: u32,
    transferred: String,
}

/// The state directory of a meter.
#[derive(Debug)]
pub(crate) struct StateDirectory {
    path: PathBuf,
    /// The revision of each profile and image when it was written last.
    written: BTreeMap<PathBuf, u64>,
}

impl StateDirectory {
    /// The directory, made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path).map_err(|error| StateError::File(path.to_owned(), error))?;
        Ok(Self { path: path.to_owned(), written: BTreeMap::new() })
    }

    pub(crate) fn counters(&self) -> PathBuf {
        self.path.join("counters.toml")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.path.join("keys.toml")
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.path.join("certificates.toml")
    }

    /// Puts a meter into the state that it was switched off in. Gives the time of that, if there is a state.
    pub(crate) fn load(&self, device: &mut MeterDevice) -> Result<Option<KeptTime>, StateError> {
        let Some(kept) = read_toml::<Kept>(&self.path.join("state.toml"))? else { return Ok(None) };
        for object in &mut device.objects {
            let name = file_name(object.as_object());
            if let Some(attributes) = kept.attributes.get(&name) {
                restore_attributes(object.as_object_mut(), attributes);
            }
            match object {
                AnyObject::ProfileGeneric(profile) => {
                    for row in rows(&read_file(&self.path.join(format!("{name}.rows")))?.unwrap_or_default())
                    {
                        // A row of an older layout is left out.
                        let _ = profile.store(row);
                    }
                }
                AnyObject::DisconnectControl(control) => {
                    if let Some(state) = kept.relay.get(&name).and_then(|&code| ControlState::from_code(code))
                    {
                        *control = control.clone().in_state(state);
                    }
                }
                AnyObject::ImageTransfer(transfer) => {
                    if let Some(image) = kept.image.get(&name) {
                        let octets = read_file(&self.path.join(format!("{name}.image")))?.unwrap_or_default();
                        if let Some(state) = image.state(octets.len()) {
                            transfer.storage = Image::restore(&state.identifier, octets);
                            transfer.restore(state);
                        }
                    }
                }
                AnyObject::AssociationLn(association) => {
                    if let Some(secret) = kept.secret.get(&name).and_then(|secret| hex(secret)) {
                        let _ = association.set_secret(&secret);
                    }
                }
                _ => {}
            }
        }
        Ok(Some(kept.time))
    }

    /// Writes the state of a meter.
    pub(crate) fn save(&mut self, device: &MeterDevice, time: KeptTime) -> Result<(), StateError> {
        let mut kept = Kept { time, ..Kept::default() };
        for object in &device.objects {
            let name = file_name(object.as_object());
            let attributes = kept_attributes(device, object);
            if !attributes.is_empty() {
                kept.attributes.insert(name.clone(), attributes);
            }
            match object {
                AnyObject::ProfileGeneric(profile) => {
                    let path = self.path.join(format!("{name}.rows"));
                    self.write_once(path, profile.revision(), || {
                        let mut octets = Vec::new();
                        for position in 0..profile.storage().len() {
                            profile.storage().with_row(position, |row| {
                                octets.extend((row.len() as u32).to_be_bytes());
                                octets.extend(row);
                            });
                        }
                        octets
                    })?;
                }
                AnyObject::DisconnectControl(control) => {
                    kept.relay.insert(name, control.control_state().code());
                }
                AnyObject::ImageTransfer(transfer) => {
                    let state = transfer.state();
                    let blocks =
                        state.transferred.iter().map(|octet| u64::from(octet.count_ones())).sum::<u64>();
                    let path = self.path.join(format!("{name}.image"));
                    self.write_once(path, blocks, || transfer.storage.octets.clone())?;
                    let used =
                        state.transferred.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
                    let image = KeptImage {
                        status: state.status.code(),
                        identifier: to_hex(&state.identifier),
                        size: state.size,
                        transferred: to_hex(&state.transferred[..used]),
                    };
                    kept.image.insert(name, image);
                }
                AnyObject::AssociationLn(association) => {
                    if let Some(secret) = association.association_secret() {
                        kept.secret.insert(name, to_hex(secret));
                    }
                }
                _ => {}
            }
        }
        write_file(&self.path.join("state.toml"), toml::to_string(&kept)?.as_bytes())
    }

    /// Writes a file unless it was written with this revision.
    fn write_once(
        &mut self,
        path: PathBuf,
        revision: u64,
        content: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), StateError> {
        if self.written.get(&path) == Some(&revision) {
            return Ok(());
        }
        write_file(&path, &content())?;
        self.written.insert(path, revision);
        Ok(())
    }
}

impl KeptImage {
    fn state(&self, octets: usize) -> Option<ImageTransferState<8192>> {
        let mut state = ImageTransferState::NONE;
        let transferred = hex(&self.transferred)?;
        state.transferred.get_mut(..transferred.len())?.copy_from_slice(&transferred);
        state.status = ImageTransferStatus::from_code(self.status)?;
        state.identifier.extend_from_slice(&hex(&self.identifier)?).ok()?;
        state.size = self.size;
        (octets == self.size as usize).then_some(state)
    }
}

/// `CLASS-NAME`, with the name in hexadecimal digits.
fn file_name(object: &dyn Object) -> String {
    format!("{}-{}", object.class().id, to_hex(object.logical_name().octets()))
}

/// The attributes of a class that survive, in the order in which they are set.
fn surviving(class_id: u16) -> &'static [i8] {
    match class_id {
        1 | 3 => &[2],
        4 => &[2, 4, 5],
        5 => &[8, 9],
        7 => &[3, 4, 5, 6, 8],
        8 => &[3, 5, 6, 7, 8],
        15 => &[10],
        18 => &[5],
        22 => &[2, 3, 4],
        70 => &[4],
        _ => &[],
    }
}

fn kept_attributes(device: &MeterDevice, object: &AnyObject) -> BTreeMap<String, String> {
    let context = Context { association: None, device };
    let object = object.as_object();
    let mut buffer = vec![0; 16 * 1024];
    let mut kept = BTreeMap::new();
    for &attribute in surviving(object.class().id) {
        let mut encoder = Encoder::new(&mut buffer);
        if object.get(attribute, None, &context, &mut encoder).is_ok() {
            kept.insert(attribute.to_string(), to_hex(encoder.written()));
        }
    }
    kept
}

/// Sets what was kept. What the object does not take any more stays as the model has it.
fn restore_attributes(object: &mut dyn Object, kept: &BTreeMap<String, String>) {
    let mut effects = Effects::new();
    if object.class().id == 22 {
        // The type of a schedule is checked against its times.
        let _ = object.set(4, None, Data::Array(dlms_axdr::Sequence::EMPTY), &mut effects);
    }
    for attribute in surviving(object.class().id) {
        let octets = kept.get(&attribute.to_string()).and_then(|text| hex(text));
        if let Some(octets) = octets
            && let Ok(value) = Data::from_octets(&octets)
        {
            let _ = object.set(*attribute, None, value, &mut effects);
        }
    }
}

fn rows(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    core::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let row = tail.get(..u32::from_be_bytes(*length) as usize)?;
        rest = &tail[row.len()..];
        Some(row)
    })
}

fn read_file(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(octets)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::File(path.to_owned(), error)),
    }
}

/// A file's content; `None` if there is no such file.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let Some(octets) = read_file(path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&octets);
    toml::from_str(&text).map(Some).map_err(|error| StateError::Format(path.to_owned(), Box::new(error)))
}

/// Replaces a file; its content is on the medium when this returns.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let failed = |error| StateError::File(path.to_owned(), error);
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut file = fs::File::create(&new).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}
