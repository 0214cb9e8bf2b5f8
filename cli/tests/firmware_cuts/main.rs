//! Power is cut while the bare-metal meter of `examples/firmware-meter` switches its relay, captures rows, changes its keys
//! and takes a new image: each time it comes back, nothing that was confirmed is lost, nothing is half done, and no nonce
//! is used twice.
#![cfg(unix)]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod bench;
mod eavesdropper;
mod line;
mod reader;

use std::time::{Duration, SystemTime};

use bench::{Bench, Cut, Limits, check_counters};
use common::firmware::{CAPACITY, load_profile, signed_image, write_rows};
use cosem_objects::AccessSelector;
use cosem_objects::classes::RowStorage as _;
use dlms::client::security_setup::key_transfer;
use dlms::xdlms::{AttributeDescriptor, AttributeDescriptorWithSelection};
use dlms_axdr::{Data, Encoder};
use dlms_obis::LogicalName;
use dlms_security::{CryptoProvider as _, KeyId, SecretKey, SecuritySuite};
use reader::{Gone, Keys, Reader, Session};

const RELAY: LogicalName = LogicalName::new(0, 0, 96, 3, 10, 255);
const PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);
const IMAGE: LogicalName = LogicalName::new(0, 0, 44, 0, 0, 255);
const FIRMWARE: LogicalName = LogicalName::new(1, 0, 0, 2, 0, 255);

#[test]
fn while_the_relay_is_switched() {
    let Some(mut bench) = Bench::new("relay") else { return };
    let keys = [SecuritySuite::Suite0, SecuritySuite::Suite2].map(Keys::of_manufacture);
    // What was confirmed, and what was asked for since.
    let mut supply = (true, true);
    let check = |session: &mut Session<'_>, supply: &mut (bool, bool)| {
        let connected = session.get(70, RELAY, 2, |data| data == Data::Boolean(true))?;
        assert!(connected == supply.0 || connected == supply.1, "the relay has forgotten its place");
        session.get(70, RELAY, 3, |state| assert_eq!(state, Data::Enum(connected.into())))?;
        *supply = (connected, connected);
        Ok::<_, Gone>(())
    };
    let limits = Limits { running: Duration::from_millis(400), operations: 90 };
    while let Some(cut) = bench.next_cut(limits) {
        let random = bench.draw(1 << 31);
        // The signatures of HLS 7 take a while.
        let keys = &keys[usize::from(bench.draw(10) == 0)];
        let _ = bench.live(Some(cut), |reader, _| {
            check_counters(reader, keys, random)?;
            let old = reader.ears.old_request(keys, random).map(<[u8]>::to_vec);
            let work = |session: &mut Session<'_>| {
                old.map_or(Ok(()), |old| session.send_again(&old))?;
                check(session, &mut supply)?;
                for _ in 0..40 {
                    let method = if supply.0 { 1 } else { 2 };
                    supply.1 = !supply.0;
                    session.invoke(70, RELAY, method, &0i8)?;
                    supply.0 = supply.1;
                }
                Ok(())
            };
            reader.associate(Some(keys), work)?.expect("an association");
            Ok(())
        });
    }
    bench.end(|reader, _| {
        reader.associate(Some(&keys[1]), |_| Ok(()))?.expect("an association");
        let checked = reader.associate(Some(&keys[0]), |session| check(session, &mut supply))?;
        checked.expect("an association");
        Ok(())
    });
}

/// A meter out of manufacture is switched on for the first time, and the power goes within each operation of that.
#[test]
fn while_a_new_meter_starts() {
    let Some(mut bench) = Bench::new("start") else { return };
    let mut operation = 0;
    loop {
        bench.renew();
        let cut = Cut::Within { operation, unchanged: bench.draw(256) as u8 };
        if bench.live(Some(cut), |_, _| Ok(())).is_ok() {
            break;
        }
        bench.live(None, |_, _| Ok(())).expect("the meter starts");
        operation += 1;
    }
    assert!(operation > 3, "{operation}");
    bench.end(|_, _| Ok(()));
}

/// The load profile is full from the beginning: each row takes the place of the oldest one.
#[test]
fn while_rows_are_captured() {
    let Some(mut bench) = Bench::new("profile") else { return };
    let keys = Keys::of_manufacture(SecuritySuite::Suite0);
    write_rows(&bench.flash, CAPACITY);
    let mut rows = Rows { captured: Vec::new(), confirmed: 0, asked: 0, quarter: quarter() };
    let limits = Limits { running: Duration::from_millis(400), operations: 160 };
    while let Some(cut) = bench.next_cut(limits) {
        let random = bench.draw(1 << 31);
        rows.find(&bench, random % 8 == 0);
        let _ = bench.live(Some(cut), |reader, _| {
            check_counters(reader, &keys, random)?;
            let old = reader.ears.old_request(&keys, random).map(<[u8]>::to_vec);
            let work = |session: &mut Session<'_>| {
                old.map_or(Ok(()), |old| session.send_again(&old))?;
                rows.read(session)?;
                for _ in 0..60 {
                    rows.asked += 1;
                    session.invoke(7, PROFILE, 2, &0i8)?;
                    rows.confirmed += 1;
                }
                Ok(())
            };
            reader.associate(Some(&keys), work)?.expect("an association");
            Ok(())
        });
    }
    rows.find(&bench, true);
    bench.end(|reader, _| {
        reader.associate(Some(&keys), |session| rows.read(session))?.expect("an association");
        Ok(())
    });
}

/// What is known of the rows since the beginning.
struct Rows {
    captured: Vec<Vec<u8>>,
    /// How many captures were confirmed, and asked for.
    confirmed: usize,
    asked: usize,
    /// When the meter captures by itself.
    quarter: u64,
}

impl Rows {
    /// What is on the flash while the power is off.
    fn find(&mut self, bench: &Bench, whole: bool) {
        let profile = load_profile(std::fs::read(bench.flash.file("flash.bin")).unwrap());
        let row = |position| profile.with_row(position, <[u8]>::to_vec).expect("a row that can be read");
        // Structure, time, status, then the number of the row from manufacture, times seven.
        let number = |row: &[u8]| u32::from_be_bytes(row[19..23].try_into().unwrap()) / 7;
        let oldest = number(&row(0));
        let made = CAPACITY - oldest;
        let captured: Vec<_> = (made..profile.len()).map(row).collect();
        assert!(captured.starts_with(&self.captured), "rows have changed");
        let by_itself = (quarter() - self.quarter) as usize;
        assert!(captured.len() >= self.confirmed, "{} of {} rows", captured.len(), self.confirmed);
        assert!(
            captured.len() <= self.asked + by_itself,
            "{} rows, asked for {}",
            captured.len(),
            self.asked
        );
        if whole {
            for position in 0..made {
                assert_eq!(number(&row(position)), oldest + position, "a row is missing");
            }
        }
        (self.confirmed, self.asked, self.quarter) = (captured.len(), captured.len(), quarter());
        self.captured = captured;
    }

    /// The meter says the same.
    fn read(&self, session: &mut Session<'_>) -> Result<(), Gone> {
        const LAST: usize = 3;
        let len = session.number(7, PROFILE, 7)?;
        assert!(len <= CAPACITY && len + 400 > CAPACITY, "{len} rows");
        let Some(last) = self.captured.len().checked_sub(LAST).filter(|_| quarter() == self.quarter) else {
            return Ok(());
        };
        let mut entries = [0; 32];
        let mut encoder = Encoder::new(&mut entries);
        encoder.data(&(len - LAST as u32 + 1, len, 1u16, 0u16)).unwrap();
        let parameters = Data::from_octets(encoder.written()).unwrap();
        let selection = Some(AccessSelector { selector: 2, parameters });
        let attribute = AttributeDescriptor::new(7, PROFILE, 2);
        session.get_selected(AttributeDescriptorWithSelection { attribute, selection }, |data| {
            let Data::Array(read) = data else { panic!("{data:?}") };
            let read: Vec<_> = read.into_iter().map(|row| encoded(&row)).collect();
            assert_eq!(read, self.captured[last..]);
        })
    }
}

fn encoded(data: &Data<'_>) -> Vec<u8> {
    let mut octets = [0; 64];
    let mut encoder = Encoder::new(&mut octets);
    encoder.data(data).unwrap();
    encoder.written().to_vec()
}

fn quarter() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 900
}

#[test]
fn while_keys_are_changed() {
    let Some(mut bench) = Bench::new("keys") else { return };
    // Those that were confirmed, and those that were asked for since.
    let mut keys = Keys::of_manufacture(SecuritySuite::Suite0);
    let mut asked: Option<Keys> = None;
    let mut number = 100;
    let find = |reader: &mut Reader, keys: &mut Keys, asked: &mut Option<Keys>| {
        let works =
            |reader: &mut Reader, keys: &Keys| Ok(reader.associate(Some(keys), |_| Ok(()))?.is_some());
        let Some(new) = asked else {
            assert!(works(reader, keys)?, "keys that were confirmed do not work");
            return Ok(());
        };
        // One set works, and not the other one.
        let is_changed = works(reader, new)?;
        assert_eq!(works(reader, keys)?, !is_changed, "after a change that was not confirmed");
        if is_changed {
            *keys = new.clone();
        }
        *asked = None;
        Ok::<_, Gone>(())
    };
    let limits = Limits { running: Duration::from_millis(600), operations: 110 };
    while let Some(cut) = bench.next_cut(limits) {
        let random = bench.draw(1 << 31);
        let _ = bench.live(Some(cut), |reader, _| {
            find(reader, &mut keys, &mut asked)?;
            check_counters(reader, &keys, random)?;
            for _ in 0..12 {
                number += 1;
                let new = Keys {
                    encryption: key(number, 1),
                    authentication: key(number, 2),
                    counters: number,
                    ..keys.clone()
                };
                asked = Some(new.clone());
                let changed = reader.associate(Some(&keys), |session| change(session, &new))?;
                changed.expect("an association");
                let old = std::mem::replace(&mut keys, new);
                asked = None;
                if number % 4 == 0 {
                    assert!(
                        reader.associate(Some(&old), |_| Ok(()))?.is_none(),
                        "the old keys are still taken"
                    );
                }
            }
            Ok(())
        });
    }
    bench.end(|reader, _| find(reader, &mut keys, &mut asked));
}

/// Transfers encryption and authentication key, both at once.
fn change(session: &mut Session<'_>, new: &Keys) -> Result<(), Gone> {
    let provider = session.provider();
    let master: Vec<u8> = (0xA0..0xB0).collect();
    let key = |octets: &[u8]| SecretKey::new(new.suite, octets).unwrap();
    let kek = provider.wrap_key(new.suite, &key(&master)).unwrap();
    let keys =
        [(KeyId::GlobalUnicast, key(&new.encryption)), (KeyId::Authentication, key(&new.authentication))];
    let mut buffer = [0; 128];
    let parameter = key_transfer(&provider, new.suite, &kek, &keys, &mut buffer).unwrap();
    session.invoke(64, SETUP, 2, &parameter)
}

fn key(number: u32, kind: u8) -> Vec<u8> {
    let mut key = vec![kind; 16];
    key[..4].copy_from_slice(&number.to_be_bytes());
    key
}

#[test]
fn while_an_image_is_transferred() {
    let Some(mut bench) = Bench::new("image") else { return };
    let keys = Keys::of_manufacture(SecuritySuite::Suite0);
    let mut update = ImageUpdate::new(&bench, 1);
    let mut running = "1.0.0".to_owned();
    let limits = Limits { running: Duration::from_millis(1500), operations: 1200 };
    while let Some(cut) = bench.next_cut(limits) {
        let random = bench.draw(1 << 31);
        let _ = bench.live(Some(cut), |reader, meter| {
            check_counters(reader, &keys, random)?;
            update.go_on(reader, &keys, &mut running)?;
            if running != update.version {
                // The new image is started.
                meter.wait_while_on("is ready").ok_or(Gone)?;
            }
            Ok(())
        });
        if running == update.version {
            update = ImageUpdate::new(&bench, update.number + 1);
        }
    }
    bench.end(|reader, meter| {
        update.go_on(reader, &keys, &mut running)?;
        if running != update.version {
            meter.wait_for("is ready");
            update.go_on(reader, &keys, &mut running)?;
        }
        assert_eq!(running, update.version);
        Ok(())
    });
}

/// An update of the firmware, and what of it was confirmed.
struct ImageUpdate {
    number: u32,
    version: String,
    image: Vec<u8>,
    is_begun: bool,
    blocks: Vec<bool>,
    is_verified: bool,
    is_activated: bool,
    /// Whether the activation was asked for.
    may_be_activated: bool,
}

impl ImageUpdate {
    const BLOCK: usize = 256;
    const INITIATED: u8 = 1;
    const VERIFIED: u8 = 3;

    fn new(bench: &Bench, number: u32) -> Self {
        let version = format!("1.{number}.0");
        let image = signed_image(&bench.images.join("meter"), version.as_bytes());
        let blocks = vec![false; image.len().div_ceil(Self::BLOCK)];
        Self {
            number,
            version,
            image,
            blocks,
            is_begun: false,
            is_verified: false,
            is_activated: false,
            may_be_activated: false,
        }
    }

    /// Nothing that was confirmed is lost. Returns the version that runs.
    fn check(&mut self, session: &mut Session<'_>, running: &str) -> Result<String, Gone> {
        let version = session.get(1, FIRMWARE, 2, |data| match data {
            Data::OctetString(version) => String::from_utf8(version.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        })?;
        let is_new = version == self.version;
        assert!(
            is_new && self.may_be_activated || version == running && !self.is_activated,
            "{version} runs"
        );
        if is_new {
            self.is_activated = true;
            return Ok(version);
        }
        let status = self.status(session)?;
        if self.is_verified {
            assert_eq!(status, Self::VERIFIED);
        } else if self.is_begun {
            assert!(matches!(status, Self::INITIATED | Self::VERIFIED), "{status}");
        }
        if self.is_begun {
            let there = self.transferred(session)?;
            let confirmed = self.blocks.iter().enumerate().filter(|(_, block)| **block);
            for (number, _) in confirmed {
                assert!(there[number], "block {number} is lost");
            }
            self.blocks = there;
        }
        Ok(version)
    }

    /// Goes on until the image is activated, unless it runs already.
    fn go_on(&mut self, reader: &mut Reader, keys: &Keys, running: &mut String) -> Result<(), Gone> {
        let work = |session: &mut Session<'_>| {
            *running = self.check(session, running)?;
            if *running == self.version { Ok(()) } else { self.transfer(session) }
        };
        reader.associate(Some(keys), work)?.expect("an association");
        Ok(())
    }

    fn transfer(&mut self, session: &mut Session<'_>) -> Result<(), Gone> {
        if !self.is_begun {
            let size = self.image.len() as u32;
            session.invoke(18, IMAGE, 1, &(self.version.as_bytes(), size))?;
            self.is_begun = true;
        }
        for (number, block) in self.image.chunks(Self::BLOCK).enumerate() {
            if !self.blocks[number] {
                session.invoke(18, IMAGE, 2, &(number as u32, block))?;
                self.blocks[number] = true;
            }
        }
        if self.status(session)? != Self::VERIFIED {
            session.invoke(18, IMAGE, 3, &0i8)?;
        }
        self.is_verified = true;
        self.may_be_activated = true;
        session.invoke(18, IMAGE, 4, &0i8)?;
        self.is_activated = true;
        Ok(())
    }

    fn status(&self, session: &mut Session<'_>) -> Result<u8, Gone> {
        session.get(18, IMAGE, 6, |data| match data {
            Data::Enum(status) => status,
            other => panic!("{other:?}"),
        })
    }

    fn transferred(&self, session: &mut Session<'_>) -> Result<Vec<bool>, Gone> {
        session.get(18, IMAGE, 3, |data| match data {
            Data::BitString(bits) => bits.iter().collect(),
            other => panic!("{other:?}"),
        })
    }
}
