//! What meters take in flash and RAM: `docs/footprint.md`, and whether it is still true.
//!
//! `benches/footprint` is a meter with a feature for each thing that it may have, `examples/firmware-meter` a whole one.
//! Both are built as they are, weighed by their symbols and lines, and run in qemu, where a client reads all of them.

mod check;
mod emulator;
mod image;
mod layers;
mod report;
mod session;

use std::path::Path;
use std::{fs, thread};

use anyhow::{Result, anyhow, bail};

pub use check::{Figures, compare};
use emulator::Emulator;
use image::{Build, Weight};

/// A microcontroller that images are made for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name for the compiler.
    pub name: &'static str,
    /// What has it.
    pub processor: &'static str,
}

/// The processors of `benches/footprint`.
pub const TARGETS: [Target; 3] = [
    Target { name: "thumbv6m-none-eabi", processor: "Cortex-M0" },
    Target { name: "thumbv7em-none-eabihf", processor: "Cortex-M4" },
    Target { name: "riscv32imc-unknown-none-elf", processor: "RISC-V" },
];
/// The processor that targets are stated for, and layers are shown of.
const REFERENCE: Target = TARGETS[1];
/// The processor of `examples/firmware-meter`.
const FIRMWARE: Target = Target { name: "thumbv7m-none-eabi", processor: "Cortex-M3" };

/// The meter without features.
const LLS_ALONE: &str = "LLS alone";
/// What the minimal meter adds to the one with LLS alone.
const MINIMAL: &str = "suite0";

/// What can be had besides, each alone on top of the minimal meter.
const OPTIONS: [(&str, &str); 10] = [
    ("access", "the service ACCESS"),
    ("general", "general-ciphering and its relatives"),
    ("suite2", "suites 1 and 2, HLS 7; with longer buffers"),
    ("keys", "Security setup: keys and policy can be changed"),
    ("flash-counters", "invocation counters on flash"),
    ("flash-profile", "the load profile on flash: a year instead of a day"),
    ("image", "image transfer into flash"),
    ("sign-on", "the sign-on of IEC 62056-21"),
    ("data-protection", "class 30, and the general envelopes"),
    ("classes", "five more classes: 4, 5, 22, 122, 124"),
];

/// A meter whose figures are stated.
struct Meter {
    name: String,
    target: Target,
    weight: Weight,
    /// The deepest stack.
    stack: Option<u64>,
}

/// Measures everything and writes the report.
///
/// # Errors
/// Something does not build or run.
pub fn write(file: &Path) -> Result<()> {
    let (meters, options) = thread::scope(|scope| {
        let options = scope.spawn(|| {
            let added = |(feature, what)| {
                let weight = Build::footprint(REFERENCE, &format!("{MINIMAL},{feature}")).aside().weigh()?;
                Ok(report::Added { feature, what, weight })
            };
            OPTIONS.into_iter().map(added).collect::<Result<Vec<_>>>()
        });
        Ok::<_, anyhow::Error>((measured(&[(LLS_ALONE, "")])?, joined(options)?))
    })?;
    let kept = fs::read_to_string(file).unwrap_or_default();
    let text = report::markdown(&meters, &options, &kept)?;
    fs::write(file, &text)?;
    print!("{text}");
    Ok(())
}

/// Measures what is stated about the minimal and the full meter and the firmware, and compares.
///
/// # Errors
/// A figure has grown, or something does not build or run.
pub fn check(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file)?;
    let stated_figures = Figures::parse(&text)?;
    let compiler = report::compiler()?;
    let found: Vec<_> = measured(&[])?.iter().map(Meter::figures).collect();
    let grown = compare(&stated_figures, &found);
    if grown.is_empty() {
        return Ok(());
    }
    let mut message = grown.join("\n");
    if !text.contains(&compiler) {
        message += &format!("\nThe table was not made with this compiler, {compiler}.");
    }
    bail!(
        "{message}\nMake it smaller, or renew the table and say why: `cargo run --release -p dlms-benches -- sizes`"
    );
}

/// The minimal and the full meter, and the firmware; before them, `others` by name and features. The processors are taken at
/// the same time, since a linker uses one core.
fn measured(others: &[(&str, &str)]) -> Result<Vec<Meter>> {
    let names = [others, &[("minimal", MINIMAL), ("full", "full")]].concat();
    let mut meters = thread::scope(|scope| {
        let processors = TARGETS.map(|target| {
            let names = &names;
            scope.spawn(move || {
                let meter = |&(name, features)| Meter::measure(name, &Build::footprint(target, features));
                names.iter().map(meter).collect::<Result<Vec<_>>>()
            })
        });
        let firmware = scope.spawn(|| Meter::measure("firmware-meter", &Build::firmware()));
        let mut meters = Vec::new();
        for processor in processors {
            meters.extend(joined(processor)?);
        }
        meters.push(joined(firmware)?);
        Ok::<_, anyhow::Error>(meters)
    })?;
    meters.sort_by_key(|meter| names.iter().position(|(name, _)| *name == meter.name).unwrap_or(names.len()));
    Ok(meters)
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("a measurement panicked"))?
}

impl Meter {
    fn measure(name: &str, build: &Build) -> Result<Self> {
        let weight = build.weigh()?;
        let stack = match Emulator::start(build, &weight)? {
            Some(emulator) => Some(emulator.deepest_stack(build.associations())?),
            None => None,
        };
        let meter = Self { name: name.to_owned(), target: build.target, weight, stack };
        eprintln!("{}", meter.figures());
        Ok(meter)
    }

    fn figures(&self) -> Figures {
        Figures {
            meter: self.name.clone(),
            target: self.target.name.to_owned(),
            flash: self.weight.flash,
            ram: self.weight.ram,
            stack: self.stack,
        }
    }
}
