//! One meter, its client, and what cuts its power: at random instants, and within random operations of its data flash.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use dlms_obis::LogicalName;

use crate::common::Directory;
use crate::common::emulator::{Emulator, images};
use crate::reader::{Gone, Keys, Reader};

/// When the power goes.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// So long after it came, mostly before the meter is ready.
    Starting(Duration),
    /// So long after the meter was ready.
    Running(Duration),
    /// Within an operation of the data flash, and which bits of an octet are not reached.
    Within { operation: u32, unchanged: u8 },
}

/// How long the power stays at most.
#[derive(Clone, Copy)]
pub struct Limits {
    pub running: Duration,
    pub operations: u32,
}

/// The octets of the data flash.
const FLASH: usize = 0x30_0000;

pub struct Bench {
    name: &'static str,
    pub images: PathBuf,
    pub flash: Directory,
    pub reader: Reader,
    seed: u64,
    random: u64,
    cuts: u32,
    wanted: u32,
    cut: Option<Cut>,
    begin: Instant,
}

impl Bench {
    /// `None` if the images were not built. `DLMS_POWER_CUTS` says how often the power is cut in all tests together,
    /// `DLMS_POWER_SEED` repeats a run: what a cut within an operation finds depends on nothing else.
    pub fn new(name: &'static str) -> Option<Self> {
        let number = |variable| std::env::var(variable).ok().map(|value| value.parse().unwrap());
        let cuts: u64 = number("DLMS_POWER_CUTS").unwrap_or(8);
        let seed = number("DLMS_POWER_SEED").unwrap_or_else(|| u64::from(std::process::id()));
        let flash = Directory::new();
        let bench = Self {
            name,
            images: images()?,
            reader: Reader::new(flash.file("remote.socket")),
            flash,
            seed,
            random: seed ^ u64::from(name.as_bytes()[0]) << 32,
            cuts: 0,
            wanted: cuts.div_ceil(4) as u32,
            cut: None,
            begin: Instant::now(),
        };
        bench.renew();
        Some(bench)
    }

    /// A meter out of manufacture.
    pub fn renew(&self) {
        std::fs::write(self.flash.file("flash.bin"), vec![0xFF; FLASH]).unwrap();
    }

    /// A number below `limit`.
    pub fn draw(&mut self, limit: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % limit
    }

    /// When the power goes next; `None` if it was cut often enough.
    pub fn next_cut(&mut self, limits: Limits) -> Option<Cut> {
        if self.cuts == self.wanted {
            return None;
        }
        let mut within = |limit: Duration| Duration::from_micros(self.draw(limit.as_micros() as u64));
        let instants = [within(Duration::from_millis(600)), within(limits.running)];
        Some(match self.draw(8) {
            0 => Cut::Starting(instants[0]),
            1..=3 => Cut::Running(instants[1]),
            _ => Cut::Within {
                operation: self.draw(limits.operations.into()) as u32,
                unchanged: self.draw(256) as u8,
            },
        })
    }

    /// One life of the meter. When `work` is done, the power is cut anyway.
    pub fn live(
        &mut self,
        cut: Option<Cut>,
        work: impl FnOnce(&mut Reader, &mut Emulator) -> Result<(), Gone>,
    ) -> Result<(), Gone> {
        self.cut = cut;
        self.cuts += u32::from(cut.is_some());
        let order = self.flash.file("power.bin");
        match cut {
            Some(Cut::Within { operation, unchanged }) => {
                let [o0, o1, o2, o3] = operation.to_le_bytes();
                std::fs::write(order, [o0, o1, o2, o3, unchanged]).unwrap();
            }
            _ => _ = std::fs::remove_file(order),
        }
        let mut meter = Emulator::switch_on(&self.images, &self.flash);
        if let Some(Cut::Starting(delay)) = cut {
            meter.cut_after(delay);
        }
        meter.wait_while_on("is ready").ok_or(Gone)?;
        if let Some(Cut::Running(delay)) = cut {
            meter.cut_after(delay);
        }
        work(&mut self.reader, &mut meter)
    }

    /// The last life, in which the power stays.
    pub fn end(mut self, work: impl FnOnce(&mut Reader, &mut Emulator) -> Result<(), Gone>) {
        self.live(None, work).expect("the meter comes back");
        self.cut = None;
        let (cuts, nonces, seconds) = (self.cuts, self.reader.ears.nonces(), self.begin.elapsed().as_secs());
        println!("{}: {cuts} cuts of the power in {seconds} s, {nonces} nonces", self.name);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (name, cuts, cut, seed) = (self.name, self.cuts, self.cut, self.seed);
            eprintln!("{name}: after cut {cuts}, {cut:?}, of DLMS_POWER_SEED={seed}");
        }
    }
}

/// What is to hold after each restart, whatever was going on: the meter remembers what it heard, and nothing that was sent
/// once is of use again.
pub fn check_counters(reader: &mut Reader, keys: &Keys, random: u64) -> Result<(), Gone> {
    let setup = u8::from(keys.encryption.len() > 16);
    let counter = LogicalName::new(0, 0, 43, 1, setup, 255);
    let shown = reader.associate(None, |session| session.number(1, counter, 2))?;
    let answered = reader.ears.answered(keys);
    // The counter is that of the key that is in use now.
    if let Some(shown) = shown {
        assert!(shown >= answered, "the meter has answered {answered} and remembers {shown}");
    }
    reader.send_opening_again(keys, random)
}
