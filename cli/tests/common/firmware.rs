//! What is on the data flash of `examples/firmware-meter`, and images of its firmware.

use std::convert::Infallible;
use std::path::Path;

use cosem_objects::classes::{FlashRows, RowStorage as _};
use dlms_axdr::{DateTime, Encoder};
use dlms_security::{CryptoProvider as _, Curve, NoRandom, PrivateKey, PublicKeyProvider as _, RustCrypto};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use super::Directory;

/// The rows that the load profile keeps: a year of quarters of an hour.
pub const CAPACITY: u32 = 35_040;

/// The data flash of the meter with rows in the load profile: time, status, import, export.
pub fn write_rows(directory: &Directory, rows: u32) {
    let mut storage = load_profile(vec![0xFF; 0x30_0000]);
    // 2025-01-01T00:00:00+01:00
    let begin = 1_735_686_000;
    for number in 0..rows {
        let time = DateTime::from_unix_seconds(begin + i64::from(number) * 900, -60).unwrap();
        let mut row = [0; 30];
        let mut encoder = Encoder::new(&mut row);
        encoder.data(&(time, 0u8, number * 7, 0u32)).unwrap();
        storage.insert(number, encoder.written()).unwrap();
    }
    std::fs::write(directory.file("flash.bin"), storage.into_flash().0).unwrap();
}

/// The load profile on what the data flash holds.
pub fn load_profile(flash: Vec<u8>) -> FlashRows<Chip, 44> {
    FlashRows::open(Chip(flash), 0x10_0000, 0x20_0000, CAPACITY).unwrap()
}

/// The chip that the emulator keeps in a file.
pub struct Chip(pub Vec<u8>);

impl ErrorType for Chip {
    type Error = Infallible;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), Infallible> {
        octets.copy_from_slice(&self.0[offset as usize..][..octets.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.0[from as usize..to as usize].fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), Infallible> {
        self.0[offset as usize..][..octets.len()].copy_from_slice(octets);
        Ok(())
    }
}

/// The program of an ELF file as an image of the firmware: header, program, signature.
pub fn signed_image(elf: &Path, version: &[u8]) -> Vec<u8> {
    const RUNS_AT: usize = 0x4400;
    let elf = std::fs::read(elf).unwrap();
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap()) as usize;
    let half = |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
    let mut program = Vec::new();
    for header in (0..half(44)).map(|number| word(28) + number * half(42)) {
        let [kind, offset, _, at, size] = [0, 1, 2, 3, 4].map(|field| word(header + 4 * field));
        if kind == 1 && size > 0 {
            let at = at - RUNS_AT;
            program.resize(program.len().max(at + size), 0);
            program[at..at + size].copy_from_slice(&elf[offset..offset + size]);
        }
    }
    let mut image = vec![0; 0x400];
    image[..4].copy_from_slice(b"DLMF");
    image[4..8].copy_from_slice(&(program.len() as u32).to_le_bytes());
    image[8..12].copy_from_slice(&crc(&program).to_le_bytes());
    image[12..12 + version.len()].copy_from_slice(version);
    image.extend_from_slice(&program);
    let provider = RustCrypto::new(NoRandom);
    let maker = PrivateKey::new(Curve::P384, &[0x4D; 48]).unwrap();
    let digest = provider.sha256(&[&image]).unwrap();
    image.extend_from_slice(provider.sign(&maker, &[&digest]).unwrap().octets());
    image
}

/// CRC-32 as in IEEE 802.3.
pub fn crc(octets: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !octets.iter().fold(u32::MAX, |crc, octet| (0..8).fold(crc ^ u32::from(*octet), |crc, _| step(crc)))
}
