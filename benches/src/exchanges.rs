//! Client and server in one memory: association, 100 GETs of a register, release.
//!
//! The floor makes the same calls of the cipher, on texts of the same lengths, and nothing else.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce};
use anyhow::{Result, anyhow, bail};
use dlms::SecurityContext;
use dlms::client::{Client, Environment, Event};
use dlms::server::Session;
use dlms::xdlms::{AttributeDescriptor, AttributeDescriptorWithSelection};
use dlms_security::Forgetful;

use crate::measure::{ROUNDS, Row, Table, Times};
use crate::meter::{
    AUTHENTICATION_KEY, CLIENT_TITLE, ENCRYPTION_KEY, ENERGY, Meter, Provider, READER, client_config,
    provider, security,
};

/// GETs in one association.
pub const GETS: usize = 100;
/// Times the association is made in one measurement.
const REPEATS: u32 = 20;
/// What the bare calls alone allow on the machine that the target was stated for, and the target.
const LIMIT: f64 = 3_200_000.0 / 2_000_000.0;

const NOW: Duration = Duration::ZERO;

/// Both ends.
pub struct Pair {
    meter: Meter,
    session: Session<Provider, Vec<u8>>,
    client: Client<Provider, Vec<u8>>,
    security: SecurityContext<Provider>,
    provider: Provider,
    counters: Forgetful,
    requests: Vec<u8>,
    responses: Vec<u8>,
}

impl Pair {
    /// Both ends, for one of the meter's clients, with a profile of `rows` rows.
    ///
    /// # Errors
    /// There is none.
    pub fn new(client: u16, rows: u32) -> Result<Self> {
        let provider = provider();
        Ok(Self {
            meter: Meter::new(rows)?,
            session: Session::new(client, vec![0; 256]),
            client: Client::new(client_config(client), Vec::new()),
            security: security(&provider, CLIENT_TITLE)?,
            provider,
            counters: Forgetful,
            requests: vec![0; 1200],
            responses: vec![0; 1200],
        })
    }

    fn start(&mut self, begin: impl FnOnce(&mut Engine<'_>, &mut [u8]) -> Result<Range>) -> Result<Range> {
        let Self { client, security, provider, counters, requests, .. } = self;
        let env = Environment {
            provider,
            counters,
            security: Some(security),
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: NOW,
        };
        begin(&mut Engine { client, env }, requests)
    }

    /// Carries what the client wrote to the server and back until there is nothing more to send.
    fn exchange(&mut self, first: Range, mut observe: impl FnMut(&Event<'_>) -> bool) -> Result<()> {
        let mut request = first;
        loop {
            let octets = self.requests.get_mut(request).unwrap_or_default();
            let response = self
                .session
                .handle_apdu(&mut self.meter.host(), NOW, octets, &mut self.responses)
                .ok_or_else(|| anyhow!("no answer"))?;
            let mut env = Environment {
                provider: &self.provider,
                counters: &mut self.counters,
                security: Some(&mut self.security),
                key_ring: None,
                public_keys: None,
                manufacturer: None,
                now: NOW,
            };
            let octets = self.responses.get_mut(response).unwrap_or_default();
            let reaction = self.client.handle_apdu(&mut env, octets, &mut self.requests)?;
            if let Some(event) = &reaction.event
                && !observe(event)
            {
                bail!("unexpected {event:?}");
            }
            match reaction.transmit {
                Some(next) => request = next,
                None => break,
            }
        }
        while self.session.poll_event().is_some() {}
        Ok(())
    }

    /// Opens the association.
    ///
    /// # Errors
    /// It was refused.
    pub fn associate(&mut self) -> Result<()> {
        let request = self.start(|engine, out| Ok(engine.client.associate(&mut engine.env, out)?))?;
        self.exchange(request, |event| matches!(event, Event::Associated(_)))
    }

    /// Closes the association.
    ///
    /// # Errors
    /// It was not closed.
    pub fn release(&mut self) -> Result<()> {
        let request = self.start(|engine, out| Ok(engine.client.release(&mut engine.env, out)?))?;
        self.exchange(request, |event| matches!(event, Event::Released { .. }))
    }

    /// Reads an attribute, piece by piece.
    ///
    /// # Errors
    /// It was refused.
    pub fn get(
        &mut self,
        item: AttributeDescriptorWithSelection<'_>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<()> {
        let request = self.start(|engine, out| Ok(engine.client.get(&mut engine.env, item, out)?))?;
        self.exchange(request, |event| match event {
            Event::GetPiece { octets, .. } => {
                take(octets);
                true
            }
            _ => false,
        })
    }

    /// An association with [`GETS`] GETs; the sum of what was read.
    ///
    /// # Errors
    /// Something was refused.
    pub fn session(&mut self) -> Result<u64> {
        self.associate()?;
        let mut sum = 0;
        for _ in 0..GETS {
            self.get(AttributeDescriptor::new(3, ENERGY, 2).into(), |octets| {
                sum += octets.last_chunk().map_or(0, |last| u64::from(u32::from_be_bytes(*last)));
            })?;
        }
        self.release()?;
        Ok(sum)
    }
}

type Range = std::ops::Range<usize>;

struct Engine<'e> {
    client: &'e mut Client<Provider, Vec<u8>>,
    env: Environment<'e, Provider>,
}

/// The bare cipher: additional data and nonces are there already.
struct Floor {
    cipher: Aes128Gcm,
    aad: [u8; 17],
    proof: [u8; 17 + 32],
    nonce: [u8; 12],
    text: [u8; 64],
}

impl Floor {
    fn new() -> Result<Self> {
        let mut aad = [0x30; 17];
        aad[1..].copy_from_slice(&AUTHENTICATION_KEY);
        Ok(Self {
            cipher: Aes128Gcm::new_from_slice(&ENCRYPTION_KEY)?,
            aad,
            proof: [0x10; 49],
            nonce: [7; 12],
            text: [0; 64],
        })
    }

    /// Both ends' calls for one APDU of so many octets.
    fn apdu(&mut self, length: usize) -> Result<()> {
        let Self { cipher, aad, nonce, text, .. } = self;
        let text = &mut text[..length];
        let nonce = *black_box(&Nonce::from(*nonce));
        let sealed = cipher.encrypt_inout_detached(&nonce, aad, (&mut *text).into());
        let tag = sealed.map_err(|_| anyhow!("cipher"))?;
        cipher
            .decrypt_inout_detached(&nonce, aad, black_box(text).into(), &tag)
            .map_err(|_| anyhow!("cipher"))
    }

    /// Both ends' calls for one proof of HLS-GMAC.
    fn proof(&mut self) -> Result<()> {
        let nonce = *black_box(&Nonce::from(self.nonce));
        let sealed = self.cipher.encrypt_inout_detached(&nonce, &self.proof, (&mut [][..]).into());
        let tag = sealed.map_err(|_| anyhow!("cipher"))?;
        self.cipher
            .decrypt_inout_detached(&nonce, &self.proof, (&mut [][..]).into(), black_box(&tag))
            .map_err(|_| anyhow!("cipher"))
    }

    fn session(&mut self) -> Result<()> {
        // InitiateRequest and InitiateResponse, in AARQ and AARE.
        self.apdu(14)?;
        self.apdu(14)?;
        // Both proofs, and the ACTION that carries them.
        self.proof()?;
        self.apdu(32)?;
        self.proof()?;
        self.apdu(25)?;
        for _ in 0..GETS {
            // get-request-normal, get-response-normal with a double-long-unsigned.
            self.apdu(13)?;
            self.apdu(9)?;
        }
        // The same again, in RLRQ and RLRE.
        self.apdu(14)?;
        self.apdu(14)
    }
}

/// Measures the rows.
///
/// # Errors
/// Client and server do not understand each other.
pub fn table(rounds: Option<usize>) -> Result<Table> {
    let rounds = rounds.unwrap_or(ROUNDS);
    let mut pair = Pair::new(READER, 1)?;
    let mut floor = Floor::new()?;
    let sum = pair.session()?;
    if sum != 5009 * GETS as u64 {
        bail!("the register was read as {sum}");
    }
    floor.session()?;
    let allocations = allocation_counter::measure(|| {
        black_box(pair.session().unwrap_or_default());
    });
    let mut failed = None;
    let times = Times::take(
        rounds,
        || {
            let start = Instant::now();
            for _ in 0..REPEATS {
                failed = failed.take().or(floor.session().err());
            }
            start.elapsed() / REPEATS
        },
        || {
            let start = Instant::now();
            for _ in 0..REPEATS {
                black_box(pair.session().unwrap_or_default());
            }
            start.elapsed() / REPEATS
        },
    );
    if let Some(error) = failed {
        return Err(error);
    }
    let rate = |time: Duration| format!("{:.2} M exchanges/s", GETS as f64 / time.as_secs_f64() / 1e6);
    let row = times.row("association (HLS-GMAC), 100 ciphered GETs, release", LIMIT, rate);
    let count = allocations.count_total;
    Ok(Table {
        title: "Engines".to_owned(),
        about: "`client::Client` against `server::Session` on one core, in one memory, suite 0, authenticated and \
                encrypted. The floor makes the same cipher calls with a cached key and nothing else; an exchange is one \
                GET. The target is 2.0 of the 3.2 million exchanges that the floor alone would allow."
            .to_owned(),
        rows: vec![row, Row::figure("allocations in it", count, "0", Some(count == 0))],
        after: String::new(),
    })
}
