//! Images: how they are built, and what they take.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

use super::layers::{Layers, layers};
use super::session::Associations;
use super::{FIRMWARE, Target};

/// An image to be built.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) target: Target,
    folder: PathBuf,
    features: String,
    /// The program, and the one that starts it.
    program: &'static str,
    boot: Option<&'static str>,
    /// Where it is built: apart, so that several can be at the same time.
    place: String,
}

/// What an image takes, in octets.
#[derive(Clone, Debug)]
pub(crate) struct Weight {
    /// Code, constants, and what variables are initialised with.
    pub(crate) flash: u64,
    /// Variables.
    pub(crate) ram: u64,
    /// Where the flash goes.
    pub(crate) layers: Layers,
    /// The sizes that the image states of its parts.
    pub(crate) parts: BTreeMap<String, u64>,
    /// Where the stack may be.
    pub(crate) stack: (u64, u64),
    /// The program, and the one that starts it.
    pub(crate) program: PathBuf,
    pub(crate) boot: Option<PathBuf>,
}

impl Build {
    /// The meter with these features.
    pub(crate) fn footprint(target: Target, features: &str) -> Self {
        Self {
            target,
            folder: workspace().join("benches/footprint"),
            features: features.to_owned(),
            program: "dlms-footprint",
            boot: None,
            place: format!("footprint/{}", target.name),
        }
    }

    /// The firmware of the example.
    pub(crate) fn firmware() -> Self {
        Self {
            target: FIRMWARE,
            folder: workspace().join("examples/firmware-meter"),
            features: String::new(),
            program: "meter",
            boot: Some("boot"),
            place: String::new(),
        }
    }

    /// The same beside others for this target.
    pub(crate) fn aside(mut self) -> Self {
        self.place += "-options";
        self
    }

    /// Whom it talks to.
    pub(crate) fn associations(&self) -> Associations {
        match (self.boot, self.features.as_str()) {
            (Some(_), _) => Associations::Firmware,
            (None, "full") => Associations::Full,
            (None, "") => Associations::WithoutCipher,
            (None, _) => Associations::Minimal,
        }
    }

    /// Builds and weighs it.
    ///
    /// # Errors
    /// It does not build, or is no image.
    pub(crate) fn weigh(&self) -> Result<Weight> {
        let built = self.build()?;
        let program = built.join(self.program);
        let octets = fs::read(&program)?;
        let file = object::File::parse(&*octets)?;
        let mut weight = Weight {
            flash: 0,
            ram: 0,
            layers: layers(&program, &file)?,
            parts: BTreeMap::new(),
            stack: (0, 0),
            boot: self.boot.map(|boot| built.join(boot)),
            program,
        };
        for section in file.sections() {
            match section.kind() {
                SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::ReadOnlyString => {
                    weight.flash += section.size();
                }
                // What is initialised lies in both.
                SectionKind::Data => {
                    weight.flash += section.size();
                    weight.ram += section.size();
                }
                SectionKind::UninitializedData => weight.ram += section.size(),
                _ => {}
            }
        }
        for symbol in file.symbols() {
            match symbol.name()? {
                "_stack_end" => weight.stack.0 = symbol.address(),
                "_stack_start" => weight.stack.1 = symbol.address(),
                name => {
                    if let Some(part) = name.strip_prefix("SIZE_") {
                        weight.parts.insert(part.to_owned(), symbol.size());
                    }
                }
            }
        }
        Ok(weight)
    }

    fn build(&self) -> Result<PathBuf> {
        // The firmware is built where the tests look for it, the others beside it.
        let target = match (env::var_os("CARGO_TARGET_DIR").map(PathBuf::from), self.boot) {
            (Some(folder), Some(_)) => folder,
            (Some(folder), None) => folder.join(&self.place),
            (None, Some(_)) => self.folder.join("target"),
            (None, None) => workspace().join("target").join(&self.place),
        };
        let status = Command::new("cargo")
            .args(["build", "--release", "--locked", "--quiet", "--target", self.target.name])
            .args(["--features", &self.features, "--target-dir"])
            .arg(&target)
            .current_dir(&self.folder)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status()?;
        if !status.success() {
            let Target { name, .. } = self.target;
            bail!("{} does not build; is the target {name} installed?", self.folder.display());
        }
        Ok(target.join(self.target.name).join("release"))
    }
}

impl Weight {
    /// The size of a part.
    ///
    /// # Errors
    /// The image does not state it.
    pub(crate) fn part(&self, name: &str) -> Result<u64> {
        self.parts.get(name).copied().with_context(|| format!("no size of {name}"))
    }
}

pub(crate) fn workspace() -> &'static Path {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.parent().unwrap_or(folder)
}
