//! `dlms image`: the image transfer process (IEC 62056-6-2, class 18), resumable.
//!
//! The meter does not say whose image it is in the middle of, so what was initiated is noted on this side: only an
//! interrupted transfer of the same image is gone on with.

use std::path::PathBuf;

use cosem_objects::DataAccessResult;
use cosem_objects::classes::SingleActionSchedule;
use dlms_axdr::{DateTime, OwnedData};
use dlms_security::CryptoProvider as _;
use dlms_tokio::{ImageProgress, ImageTransfer};
use indicatif::ProgressBar;
use serde::Serialize;

use super::profile::clock;
use crate::args::{Activate, ImageArgs};
use crate::failure::{Exit, Failure, Result};
use crate::output::{self, progress};
use crate::parse::hex;
use crate::parse::time::{End, Moment};
use crate::places;
use crate::session::{Session, failure, refused};
use crate::target::Target;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Outcome {
    image_id: String,
    size: usize,
    block_size: u32,
    blocks: u32,
    /// Those that were there from an earlier attempt.
    blocks_before: u32,
    status: &'static str,
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
    let mut session = Session::open(&target).await?;
    let outcome = transfer(&mut session, args, &id, &image, &note).await;
    session.release().await;
    let outcome = outcome?;
    if json {
        return output::json(&outcome);
    }
    let how = match outcome.blocks_before {
        0 => String::new(),
        before => format!(", {before} of them in an earlier attempt"),
    };
    output::line(&format!(
        "{:?}: {} octets in {} blocks{how}",
        outcome.image_id, outcome.size, outcome.blocks
    ))?;
    output::line(&format!("status: {}", output::good().apply_to(outcome.status)))?;
    if let Some(activation) = &outcome.activation {
        output::line(&format!("activation: {activation}"))?;
    }
    Ok(())
}

async fn transfer(
    session: &mut Session,
    args: &ImageArgs,
    id: &str,
    image: &[u8],
    note: &Note,
) -> Result<Outcome> {
    let transfer = ImageTransfer {
        object: args.object,
        resume: note.is_noted(),
        activate: args.activate == Activate::Now,
        ..ImageTransfer::new(id.as_bytes(), image)
    };
    // From here on the meter may have begun: an attempt that breaks off can be gone on with.
    note.write()?;
    let bar = progress::bar("blocks", Some(0));
    let mut begin = (0, 0, 0);
    let done = session
        .client()
        .image_transfer(&transfer, |progress| {
            if let ImageProgress::Initiated { blocks, block_size, first } = progress {
                begin = (blocks, block_size, first);
            }
            show(&bar, progress);
        })
        .await;
    bar.finish_and_clear();
    done.map_err(|error| match error {
        dlms_tokio::Error::DataAccess(result) => refused(format!("image transfer {}", args.object), result),
        dlms_tokio::Error::Action(result) => refused(format!("image transfer {}", args.object), result),
        error => failure(&error),
    })?;
    note.clear();
    let (blocks, block_size, blocks_before) = begin;
    let (status, activation) = match args.activate {
        Activate::No => ("verification-successful", None),
        Activate::Now => ("activation-successful", Some("now".to_owned())),
        Activate::At(moment) => ("verification-successful", Some(schedule(session, args, moment).await?)),
    };
    Ok(Outcome {
        image_id: id.to_owned(),
        size: image.len(),
        block_size,
        blocks,
        blocks_before,
        status,
        activation,
    })
}

fn show(bar: &ProgressBar, progress: ImageProgress) {
    match progress {
        ImageProgress::Initiated { blocks, first, .. } => {
            bar.set_length(blocks.into());
            bar.set_position(first.into());
        }
        ImageProgress::Transferred { blocks, .. } => bar.set_position(blocks.into()),
        ImageProgress::Missing { first } => bar.println(format!("block {first} is missing and sent again")),
        ImageProgress::Verifying => bar.println("the meter verifies the image"),
        ImageProgress::Activating => bar.println("the meter activates the image"),
        ImageProgress::Verified | ImageProgress::Activated => {}
    }
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
        let name = hex::text(&provider.sha256(&[b"dlms image", meter.as_bytes()])?[..12]);
        let digest = hex::text(&provider.sha256(&[id.as_bytes(), &[0], image])?);
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

/// Has the meter's schedule activate the image.
async fn schedule(session: &mut Session, args: &ImageArgs, moment: Moment) -> Result<String> {
    let clock = if moment.is_relative() { clock(session).await? } else { DateTime::NOT_SPECIFIED };
    let time = moment.resolve(clock, End::Begin).ok_or_else(|| {
        Failure::new(Exit::Malformed, "objects", "clock", "the meter's clock does not say the time")
            .hint("give an absolute time")
    })?;
    let entry = OwnedData::Structure(vec![
        OwnedData::OctetString(time.time().0.to_vec()),
        OwnedData::OctetString(time.date().0.to_vec()),
    ]);
    let attribute = SingleActionSchedule::<0>::EXECUTION_TIME.of(args.schedule);
    match session.set(attribute, &OwnedData::Array(vec![entry])).await? {
        DataAccessResult::Success => Ok(crate::profile::time_text(time, false)),
        result => Err(refused(format!("the schedule {}", args.schedule), result)
            .hint("the image is verified; activate it with --activate now")),
    }
}
