//! NOR flash: each unit is written once between two erasures, erasures are counted, and the power can be cut.
#![allow(dead_code, unreachable_pub, missing_docs)]

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

/// A chip that is still there when who used it is gone.
#[derive(Clone)]
pub struct Flash<const UNIT: usize, const SECTOR: usize>(Rc<RefCell<Medium>>);

struct Medium {
    octets: Vec<u8>,
    /// How often each sector was erased.
    erasures: Vec<u32>,
    /// Units that are still written, or sectors erased, before the power goes.
    left: Option<usize>,
    /// Which bits of the unit that is being written then stay as they were.
    torn: u8,
}

#[derive(Debug)]
pub struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl<const UNIT: usize, const SECTOR: usize> Flash<UNIT, SECTOR> {
    pub fn new(sectors: usize) -> Self {
        Self::with(vec![0xFF; sectors * SECTOR])
    }

    fn with(octets: Vec<u8>) -> Self {
        let erasures = vec![0; octets.len() / SECTOR];
        Self(Rc::new(RefCell::new(Medium { octets, erasures, left: None, torn: 0 })))
    }

    /// Another chip with the same on it.
    pub fn copy(&self) -> Self {
        Self::with(self.0.borrow().octets.clone())
    }

    pub fn cut_after(&self, units: usize, torn: u8) {
        let mut medium = self.0.borrow_mut();
        (medium.left, medium.torn) = (Some(units), torn);
    }

    pub fn power_on(&self) {
        self.0.borrow_mut().left = None;
    }

    /// Whether a cut is still to come.
    pub fn awaits_cut(&self) -> bool {
        self.0.borrow().left.is_some()
    }

    /// How often each sector was erased.
    pub fn erasures(&self) -> Vec<u32> {
        self.0.borrow().erasures.clone()
    }
}

impl Medium {
    fn step(&mut self) -> bool {
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

impl<const UNIT: usize, const SECTOR: usize> ErrorType for Flash<UNIT, SECTOR> {
    type Error = PowerCut;
}

impl<const UNIT: usize, const SECTOR: usize> ReadNorFlash for Flash<UNIT, SECTOR> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), PowerCut> {
        octets.copy_from_slice(&self.0.borrow().octets[offset as usize..][..octets.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().octets.len()
    }
}

impl<const UNIT: usize, const SECTOR: usize> NorFlash for Flash<UNIT, SECTOR> {
    const WRITE_SIZE: usize = UNIT;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        let mut medium = self.0.borrow_mut();
        for sector in (from as usize..to as usize).step_by(SECTOR) {
            let length = if medium.left == Some(0) { SECTOR / 2 } else { SECTOR };
            let is_whole = medium.step();
            medium.octets[sector..sector + length].fill(0xFF);
            if !is_whole {
                // Once the power is gone, nothing more changes.
                medium.left = Some(0);
                return Err(PowerCut);
            }
            medium.erasures[sector / SECTOR] += 1;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), PowerCut> {
        let mut medium = self.0.borrow_mut();
        for (index, unit) in octets.chunks(UNIT).enumerate() {
            let at = offset as usize + index * UNIT;
            assert!(medium.octets[at..at + UNIT].iter().all(|octet| *octet == 0xFF), "written twice");
            if !medium.step() {
                let torn = medium.torn;
                for (old, new) in medium.octets[at..at + UNIT].iter_mut().zip(unit) {
                    *old = new | torn;
                }
                return Err(PowerCut);
            }
            medium.octets[at..at + UNIT].copy_from_slice(unit);
        }
        Ok(())
    }
}
