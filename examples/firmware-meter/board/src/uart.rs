//! A UART of Arm's Cortex-M System Design Kit: one octet each way, no FIFO.
//!
//! Nothing is lost while the meter computes: the emulator waits until an octet was taken. On a real line an interrupt or
//! DMA collects them meanwhile.

use crate::registers::{read, write};

const DATA: usize = 0x00;
const STATE: usize = 0x04;
const CONTROL: usize = 0x08;
const INTERRUPT: usize = 0x0C;
const DIVIDER: usize = 0x10;

const TRANSMIT_FULL: u32 = 1;
const RECEIVE_FULL: u32 = 2;
const TRANSMIT_ENABLE: u32 = 1;
const RECEIVE_ENABLE: u32 = 2;
const RECEIVE_INTERRUPT_ENABLE: u32 = 8;
const RECEIVE_INTERRUPT: u32 = 2;

/// The UART clock.
const CLOCK: u32 = 25_000_000;

/// The optical port: UART 0.
pub const OPTICAL_PORT: Uart = Uart { base: 0x4000_4000, interrupt: 0 };
/// The port of the communication module, or of RS-485: UART 1.
pub const REMOTE_PORT: Uart = Uart { base: 0x4000_5000, interrupt: 2 };

/// A UART.
#[derive(Clone, Copy, Debug)]
pub struct Uart {
    base: usize,
    interrupt: u16,
}

// SAFETY: the number of an interrupt of the board.
unsafe impl cortex_m::interrupt::InterruptNumber for Uart {
    fn number(self) -> u16 {
        self.interrupt
    }
}

impl Uart {
    /// Switches it on. What is received wakes the processor.
    pub fn start(self, baud: u32) {
        self.set_baud(baud);
        write(self.base + CONTROL, TRANSMIT_ENABLE | RECEIVE_ENABLE | RECEIVE_INTERRUPT_ENABLE);
        // SAFETY: interrupts stay masked; this one only ends the sleep.
        unsafe { cortex_m::peripheral::NVIC::unmask(self) };
    }

    /// Sets the rate.
    pub fn set_baud(self, baud: u32) {
        write(self.base + DIVIDER, CLOCK / baud);
    }

    /// Takes what was received.
    pub fn receive(self, octets: &mut [u8]) -> &[u8] {
        let mut length = 0;
        for octet in octets.iter_mut() {
            if read(self.base + STATE) & RECEIVE_FULL == 0 {
                break;
            }
            write(self.base + INTERRUPT, RECEIVE_INTERRUPT);
            *octet = read(self.base + DATA) as u8;
            length += 1;
        }
        cortex_m::peripheral::NVIC::unpend(self);
        octets.get(..length).unwrap_or(&[])
    }

    /// Sends, and waits meanwhile.
    pub fn send(self, octets: &[u8]) {
        for &octet in octets {
            while read(self.base + STATE) & TRANSMIT_FULL != 0 {}
            write(self.base + DATA, octet.into());
        }
    }
}
