//! A UART of Arm's Cortex-M System Design Kit, driven by its interrupts: the processor does other things, or sleeps, while
//! octets come and go. A read that is dropped loses nothing.

use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;

use cortex_m::peripheral::NVIC;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::waitqueue::AtomicWaker;
use embedded_io_async::{ErrorType, Read, Write};

use crate::registers::{CLOCK, UART_0, UART_1, read, write};
use crate::{Interrupt, unmask};

const DATA: usize = 0x00;
const STATE: usize = 0x04;
const CONTROL: usize = 0x08;
const INTERRUPT: usize = 0x0C;
const DIVIDER: usize = 0x10;

const TRANSMIT_FULL: u32 = 1;
const RECEIVE_FULL: u32 = 2;
/// Both directions, with their interrupts.
const ENABLE: u32 = 1 | 2 | 4 | 8;
const TRANSMIT: u32 = 1;
const RECEIVE: u32 = 2;

/// Octets that wait in each direction: what comes while the processor computes, a signature being the longest of it.
const BUFFER: usize = 256;

/// The port of the consumer's display: UART 0.
pub static CONSUMER_PORT: Uart = Uart::new(UART_0, 0);
/// The port of the communication module, or of RS-485: UART 1.
pub static REMOTE_PORT: Uart = Uart::new(UART_1, 2);

/// A UART. Each direction is for one task.
pub struct Uart {
    base: usize,
    receive: Interrupt,
    transmit: Interrupt,
    received: Pipe<CriticalSectionRawMutex, BUFFER>,
    to_send: Pipe<CriticalSectionRawMutex, BUFFER>,
    sent: AtomicWaker,
}

impl Uart {
    const fn new(base: usize, interrupt: u16) -> Self {
        Self {
            base,
            receive: Interrupt(interrupt),
            transmit: Interrupt(interrupt + 1),
            received: Pipe::new(),
            to_send: Pipe::new(),
            sent: AtomicWaker::new(),
        }
    }

    pub(crate) fn start(&self, baud: u32) {
        write(self.base + DIVIDER, CLOCK / baud);
        write(self.base + CONTROL, ENABLE);
        unmask(self.receive);
        unmask(self.transmit);
    }

    pub(crate) fn on_interrupt(&self, interrupt: Interrupt) {
        if interrupt == self.receive {
            self.take_received();
        } else if interrupt == self.transmit {
            self.send_next();
        }
    }

    /// What finds no room stays where it is: the emulator then waits. On a real line it would be lost, and HDLC asks for it
    /// again.
    fn take_received(&self) {
        write(self.base + INTERRUPT, RECEIVE);
        while !self.received.is_full() && self.is_in(RECEIVE_FULL) {
            let _ = self.received.try_write(&[read(self.base + DATA) as u8]);
            write(self.base + INTERRUPT, RECEIVE);
        }
    }

    fn send_next(&self) {
        write(self.base + INTERRUPT, TRANSMIT);
        let mut octet = [0];
        while !self.is_in(TRANSMIT_FULL) && self.to_send.try_read(&mut octet).is_ok() {
            write(self.base + DATA, octet[0].into());
        }
        if self.is_sent() {
            self.sent.wake();
        }
    }

    fn is_sent(&self) -> bool {
        self.to_send.is_empty() && !self.is_in(TRANSMIT_FULL)
    }

    fn is_in(&self, state: u32) -> bool {
        read(self.base + STATE) & state != 0
    }
}

impl ErrorType for &Uart {
    type Error = Infallible;
}

impl Read for &Uart {
    async fn read(&mut self, octets: &mut [u8]) -> Result<usize, Infallible> {
        let length = self.received.read(octets).await;
        // There is room again for what had none.
        NVIC::pend(self.receive);
        Ok(length)
    }
}

impl Write for &Uart {
    async fn write(&mut self, octets: &[u8]) -> Result<usize, Infallible> {
        let length = self.to_send.write(octets).await;
        NVIC::pend(self.transmit);
        Ok(length)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        poll_fn(|context| {
            self.sent.register(context.waker());
            if self.is_sent() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        Ok(())
    }
}
