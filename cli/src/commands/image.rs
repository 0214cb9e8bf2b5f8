//! `dlms image`: the image transfer process (IEC 62056-6-2, class 18), resumable.
//!
//! enabled? → block size → initiate → blocks → which are missing? → verify → activate. The meter does not say whose
//! image it is in the middle of, so what was initiated is noted on this side; blocks that it has of the same image are
//! not sent again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cosem_objects::classes::{ImageTransfer, ImageTransferStatus, SingleActionSchedule};
use cosem_objects::{ActionResult, DataAccessResult, MethodReference};
use dlms_axdr::{Data, DateTime, FromData as _, OwnedData};
use dlms_security::CryptoProvider as _;
use serde::Serialize;

use super::profile::clock;
use crate::args::{Activate, ImageArgs};
use crate::connection::Target;
use crate::failure::{Exit, Failure, Result};
use crate::output::{self, progress};
use crate::parse::hex;
use crate::parse::time::{End, Moment};
use crate::places;
use crate::session::{Session, refused, slug};

type Class = ImageTransfer<(), 0>;

/// How long a meter may take to verify or activate an image.
const PATIENCE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(500);
/// How often the missing blocks are sent again.
const ROUNDS: usize = 3;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Outcome {
    image_id: String,
    size: usize,
    block_size: usize,
    blocks: usize,
    blocks_sent: usize,
    resumed: bool,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<String>,
}

pub(crate) async fn run(args: &ImageArgs, json: bool) -> Result<()> {
    let target = args.connection.resolve()?;
    let image = std::fs::read(&args.file)
        .map_err(|error| Failure::usage(format!("{}: {error}", args.file.display())))?;
    if image.is_empty() {
        return Err(Failure::usage(format!("{} is empty", args.file.display())));
    }
    let id = match &args.id {
        Some(id) => id.clone(),
        None => args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    };
    let note = Note::of(&target, args, &id, &image)?;
    let session = Session::open(&target).await?;
    let mut transfer = Transfer { session, args, image: &image, id: &id };
    let outcome = transfer.run(&note).await;
    transfer.session.release().await;
    let outcome = outcome?;
    if json {
        return output::json(&outcome);
    }
    let how = if outcome.resumed { " (resumed)" } else { "" };
    output::line(&format!(
        "{:?}: {} octets, {} of {} blocks sent{how}",
        outcome.image_id, outcome.size, outcome.blocks_sent, outcome.blocks
    ))?;
    output::line(&format!("status: {}", output::good().apply_to(&outcome.status)))?;
    if let Some(activation) = &outcome.activation {
        output::line(&format!("activation: {activation}"))?;
    }
    Ok(())
}

/// A file that says which image was initiated at a meter.
struct Note {
    path: PathBuf,
    /// Of the image and its identifier.
    digest: String,
}

impl Note {
    fn of(target: &Target, args: &ImageArgs, id: &str, image: &[u8]) -> Result<Self> {
        let provider = dlms_tokio::provider();
        let meter = format!("{} {} {:?} {}", target.address, target.server, target.physical, args.object);
        let name = hex::text(&provider.sha256(&[b"dlms image", meter.as_bytes()])[..12]);
        let digest = hex::text(&provider.sha256(&[id.as_bytes(), &[0], image]));
        Ok(Self { path: places::state()?.join("images").join(name), digest })
    }

    fn is_noted(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text.trim() == self.digest)
    }

    fn write(&self) -> Result<()> {
        let about = |error: std::io::Error| Failure::from(error).about(self.path.display());
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory).map_err(about)?;
        }
        std::fs::write(&self.path, &self.digest).map_err(about)
    }

    fn clear(&self) {
        // A note that stays behind is compared with the meter's status before it is believed.
        let _ = std::fs::remove_file(&self.path);
    }
}

struct Transfer<'a> {
    session: Session,
    args: &'a ImageArgs,
    image: &'a [u8],
    id: &'a str,
}

impl Transfer<'_> {
    async fn run(&mut self, note: &Note) -> Result<Outcome> {
        let object = self.args.object;
        match self.read(Class::IMAGE_TRANSFER_ENABLED.of(object)).await? {
            Ok(OwnedData::Boolean(true)) => {}
            Ok(_) => {
                let message =
                    format!("{object}: the meter does not take images (image_transfer_enabled is false)");
                return Err(Failure::new(Exit::Refused, "objects", "image-transfer-disabled", message)
                    .hint("set attribute 5 of the object to true"));
            }
            Err(result) => return Err(refused(format!("image_transfer_enabled of {object}"), result)),
        }
        let size = self.read(Class::IMAGE_BLOCK_SIZE.of(object)).await?;
        let size = size.map_err(|result| refused(format!("image_block_size of {object}"), result))?;
        let block_size = match size.as_data().integer().and_then(|size| usize::try_from(size).ok()) {
            Some(size) if size > 0 => size,
            _ => return Err(malformed("image_block_size")),
        };
        let blocks = self.image.len().div_ceil(block_size);
        let resumed = note.is_noted() && self.status().await? == ImageTransferStatus::Initiated;
        let mut missing = match resumed {
            true => self.missing(blocks).await?,
            false => {
                self.initiate().await?;
                note.write()?;
                (0..blocks).collect()
            }
        };
        let bar = progress::bar("blocks", Some(blocks as u64));
        bar.set_position((blocks - missing.len()) as u64);
        let mut sent = 0;
        for _ in 0..ROUNDS {
            for &block in &missing {
                self.send(block, block_size).await?;
                sent += 1;
                bar.inc(1);
            }
            missing = self.missing(blocks).await?;
            if missing.is_empty() {
                break;
            }
            bar.set_position((blocks - missing.len()) as u64);
        }
        bar.finish_and_clear();
        if !missing.is_empty() {
            let message = format!("{object}: the meter still misses {} of {blocks} blocks", missing.len());
            return Err(Failure::new(Exit::Refused, "objects", "blocks-missing", message));
        }
        let status = self
            .finish(
                Class::IMAGE_VERIFY.of(object),
                "image_verify",
                ImageTransferStatus::VerificationSuccessful,
            )
            .await?;
        note.clear();
        let (status, activation) = match self.args.activate {
            Activate::No => (status, None),
            Activate::Now => {
                let done = ImageTransferStatus::ActivationSuccessful;
                let status = self.finish(Class::IMAGE_ACTIVATE.of(object), "image_activate", done).await?;
                (status, Some("now".to_owned()))
            }
            Activate::At(moment) => (status, Some(self.schedule(moment).await?)),
        };
        Ok(Outcome {
            image_id: self.id.to_owned(),
            size: self.image.len(),
            block_size,
            blocks,
            blocks_sent: sent,
            resumed,
            status: slug(&format!("{status:?}")),
            activation,
        })
    }

    async fn read(
        &mut self,
        attribute: cosem_objects::AttributeReference,
    ) -> Result<std::result::Result<OwnedData, DataAccessResult>> {
        self.session.get(attribute).await
    }

    async fn initiate(&mut self) -> Result<()> {
        let size = u32::try_from(self.image.len()).map_err(|_| Failure::usage("the image exceeds 4 GiB"))?;
        let parameter = OwnedData::Structure(vec![
            OwnedData::OctetString(self.id.as_bytes().to_vec()),
            OwnedData::DoubleLongUnsigned(size),
        ]);
        let method = Class::IMAGE_TRANSFER_INITIATE.of(self.args.object);
        match self.session.invoke(method, &parameter).await?.0 {
            ActionResult::Success => Ok(()),
            result => Err(refused("image_transfer_initiate", result)),
        }
    }

    async fn send(&mut self, block: usize, block_size: usize) -> Result<()> {
        let start = block * block_size;
        let octets = &self.image[start..(start + block_size).min(self.image.len())];
        let parameter = OwnedData::Structure(vec![
            OwnedData::DoubleLongUnsigned(u32::try_from(block).unwrap_or(u32::MAX)),
            OwnedData::OctetString(octets.to_vec()),
        ]);
        let method = Class::IMAGE_BLOCK_TRANSFER.of(self.args.object);
        match self.session.invoke(method, &parameter).await?.0 {
            // A block that the meter could not take now is found missing later.
            ActionResult::Success | ActionResult::TemporaryFailure => Ok(()),
            result => Err(refused(format!("image_block_transfer, block {block}"), result)),
        }
    }

    /// The blocks that the meter does not have.
    async fn missing(&mut self, blocks: usize) -> Result<Vec<usize>> {
        let attribute = Class::IMAGE_TRANSFERRED_BLOCKS_STATUS.of(self.args.object);
        if let Ok(data) = self.read(attribute).await? {
            let Data::BitString(bits) = data.as_data() else {
                return Err(malformed("image_transferred_blocks_status"));
            };
            return Ok((0..blocks).filter(|&block| bits.get(block) != Some(true)).collect());
        }
        // Not every meter lets the bit string be read; the first missing block says where to go on.
        let attribute = Class::IMAGE_FIRST_NOT_TRANSFERRED_BLOCK_NUMBER.of(self.args.object);
        let first = self.read(attribute).await?;
        let first = first.map_err(|result| refused("image_first_not_transferred_block_number", result))?;
        let first = first.as_data().integer().and_then(|first| usize::try_from(first).ok());
        let first = first.ok_or_else(|| malformed("image_first_not_transferred_block_number"))?;
        Ok((first..blocks).collect())
    }

    async fn status(&mut self) -> Result<ImageTransferStatus> {
        let status = self.read(Class::IMAGE_TRANSFER_STATUS.of(self.args.object)).await?;
        let status = status.map_err(|result| refused("image_transfer_status", result))?;
        ImageTransferStatus::from_data(status.as_data()).map_err(|_| malformed("image_transfer_status"))
    }

    /// Invokes a method that may take long, and waits for the state that it leads to.
    async fn finish(
        &mut self,
        method: MethodReference,
        name: &str,
        done: ImageTransferStatus,
    ) -> Result<ImageTransferStatus> {
        let (result, _) = self.session.invoke(method, &OwnedData::Integer(0)).await?;
        if !matches!(result, ActionResult::Success | ActionResult::TemporaryFailure) {
            return Err(refused(name, result));
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status().await?;
            let is_running = match status {
                status if status == done => return Ok(status),
                ImageTransferStatus::VerificationInitiated | ImageTransferStatus::ActivationInitiated => true,
                // Right after the request a meter may not have begun yet.
                ImageTransferStatus::Initiated | ImageTransferStatus::VerificationSuccessful => {
                    result == ActionResult::TemporaryFailure
                }
                _ => false,
            };
            if !is_running {
                let status = slug(&format!("{status:?}"));
                return Err(Failure::new(
                    Exit::Refused,
                    "objects",
                    status.clone(),
                    format!("{name}: {status}"),
                ));
            }
            if Instant::now() > deadline {
                let message = format!("{name}: not finished after {} seconds", PATIENCE.as_secs());
                return Err(Failure::new(Exit::Link, "objects", "time-out", message));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Has the meter's schedule activate the image.
    async fn schedule(&mut self, moment: Moment) -> Result<String> {
        let clock =
            if moment.is_relative() { clock(&mut self.session).await? } else { DateTime::NOT_SPECIFIED };
        let time = moment
            .resolve(clock, End::Begin)
            .ok_or_else(|| malformed("the meter's clock").hint("give an absolute time"))?;
        let entry = OwnedData::Structure(vec![
            OwnedData::OctetString(time.time().0.to_vec()),
            OwnedData::OctetString(time.date().0.to_vec()),
        ]);
        let attribute = SingleActionSchedule::<0>::EXECUTION_TIME.of(self.args.schedule);
        match self.session.set(attribute, &OwnedData::Array(vec![entry])).await? {
            DataAccessResult::Success => Ok(crate::profile::time_text(time, false)),
            result => Err(refused(format!("the schedule {}", self.args.schedule), result)
                .hint("the image is verified; activate it with --activate now")),
        }
    }
}

fn malformed(what: &str) -> Failure {
    Failure::new(Exit::Malformed, "objects", "malformed-value", format!("{what} has no value of its type"))
}
