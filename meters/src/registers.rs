//! Which object shows which quantity, by the value groups of its name.
//!
//! | group | |
//! | --- | --- |
//! | A | 1: electricity |
//! | C | 1, 2 active energy or power in and out; 3 to 8 reactive; 9, 10 apparent; 13 power factor; 14 frequency; 15 sum; 16 net; 31, 91 current; 32 voltage |
//! | D | 4 demand; 7 instantaneous; 8 since ever; 9 since the last billing period; 24 average |
//! | E | 0 total; 1 to 4 the rate |

use cosem_objects::EncodedValue;

use crate::device::MeterDevice;
use crate::load::Terminals;
use crate::objects::{AnyObject, number, set_number};

/// The objects that follow the load.
pub(crate) struct Registers {
    energies: Vec<Energy>,
    /// Place of the object, group C.
    instantaneous: Vec<(usize, u8)>,
    demands: Vec<(usize, u8)>,
}

struct Energy {
    place: usize,
    quantity: u8,
    rate: u8,
    /// The register with its fraction, and what was written of it.
    exact: f64,
    written: i64,
}

/// The hours in which the second rate counts.
const NIGHT: [i64; 2] = [22, 6];

impl Registers {
    pub(crate) fn new(device: &MeterDevice) -> Self {
        let mut registers = Self { energies: Vec::new(), instantaneous: Vec::new(), demands: Vec::new() };
        for (place, object) in device.objects.iter().enumerate() {
            let [1, 0, quantity, kind, rate, 255] = *object.as_object().logical_name().octets() else {
                continue;
            };
            match (object, kind) {
                (AnyObject::Register(register), 8 | 9) if rate <= 4 && is_energy(quantity) => {
                    let written = number(&register.value).unwrap_or(0);
                    let exact = written as f64;
                    registers.energies.push(Energy { place, quantity, rate, exact, written });
                }
                (AnyObject::Register(_), 7 | 24) if rate == 0 && is_instantaneous(quantity) => {
                    registers.instantaneous.push((place, quantity));
                }
                (AnyObject::DemandRegister(_), 4) => registers.demands.push((place, quantity)),
                _ => {}
            }
        }
        registers
    }

    /// Energy flows for some hours.
    pub(crate) fn count(
        &mut self,
        device: &mut MeterDevice,
        terminals: &Terminals,
        local_seconds: i64,
        hours: f64,
    ) {
        let hour = local_seconds.rem_euclid(86_400) / 3600;
        let rate = if hour >= NIGHT[0] || hour < NIGHT[1] { 2 } else { 1 };
        for energy in &mut self.energies {
            if energy.rate != 0 && energy.rate != rate {
                continue;
            }
            let Some(AnyObject::Register(register)) = device.objects.get_mut(energy.place) else { continue };
            let shown = number(&register.value).unwrap_or(0);
            if shown != energy.written {
                // Somebody else set or reset the register.
                energy.exact = shown as f64;
            }
            let power = quantity(terminals, energy.quantity);
            energy.exact += power * hours / 10f64.powi(register.scaler_unit.scaler.into());
            set_number(&mut register.value, energy.exact as i64);
            energy.written = number(&register.value).unwrap_or(0);
        }
        for &(place, quantity_) in &self.demands {
            if let Some(AnyObject::DemandRegister(demand)) = device.objects.get_mut(place) {
                demand.measure(quantity(terminals, quantity_) as i64);
            }
        }
    }

    /// The instantaneous values.
    pub(crate) fn show(&self, device: &mut MeterDevice, terminals: &Terminals) {
        for &(place, quantity_) in &self.instantaneous {
            let Some(AnyObject::Register(register)) = device.objects.get_mut(place) else { continue };
            let scaled = quantity(terminals, quantity_) / 10f64.powi(register.scaler_unit.scaler.into());
            show_number(&mut register.value, scaled.round() as i64);
        }
    }
}

fn show_number(value: &mut EncodedValue, shown: i64) {
    if number(value) != Some(shown) {
        set_number(value, shown);
    }
}

const fn is_energy(quantity: u8) -> bool {
    matches!(quantity, 1..=10 | 15 | 16)
}

const fn is_instantaneous(quantity: u8) -> bool {
    matches!(quantity, 1..=4 | 9 | 10 | 13 | 14 | 16 | 31 | 32 | 91)
}

/// A quantity by its value group C, in its unit.
fn quantity(terminals: &Terminals, quantity: u8) -> f64 {
    let &Terminals { voltage, current, frequency, import, export, reactive, power_factor } = terminals;
    let apparent = voltage * current;
    match quantity {
        1 => import,
        2 => export,
        // The load is inductive: quadrant I while energy comes in, quadrant IV while it goes out.
        3 | 5 if import > 0.0 => reactive,
        4 | 8 if export > 0.0 => reactive,
        9 if import > 0.0 => apparent,
        10 if export > 0.0 => apparent,
        13 => power_factor,
        14 => frequency,
        15 => import + export,
        16 => import - export,
        31 | 91 => current,
        32 => voltage,
        _ => 0.0,
    }
}
