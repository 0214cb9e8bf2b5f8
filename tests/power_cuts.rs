//! Power is cut between any two writes of a flash, and within them, at either end of a protected exchange: no nonce is used
//! twice, nothing is accepted twice, and what was confirmed is still there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "common/flash.rs"]
mod flash;

use std::collections::BTreeSet;

use common::{CLIENT_TITLE, Provider, SERVER_TITLE, provider};
use dlms::{Accepted, Demand, Envelope, Form, Keys, ProtectionError, SecurityContext, TransactionId};
use dlms::{HEADROOM, TAILROOM};
use dlms_security::{
    AuthenticationKey, CounterId, CounterStore, FlashCounters, FloorStorage, Forgetful, NoStore, Protection,
    SecretKey, SecurityError, SecuritySuite, StorageError, SystemTitle,
};
use proptest::prelude::*;

const UNIT: usize = 8;
const SECTOR: usize = 256;
/// Eight records beside the header and what is kept, so that areas change often.
const AREA: usize = 2 * SECTOR;
/// Two areas.
const SECTORS: usize = 2 * AREA / SECTOR;
const KEYS: usize = 3;

type Flash = flash::Flash<UNIT, SECTOR>;
type Counters = FlashCounters<Flash, 8>;

fn formatted() -> Flash {
    let flash = Flash::new(SECTORS);
    Counters::format(flash.clone(), 0, AREA as u32).unwrap();
    flash
}

fn open(flash: &Flash) -> Counters {
    Counters::open(flash.clone(), 0, AREA as u32).unwrap()
}

/// One end of the exchange.
struct Side {
    provider: Provider,
    own: SystemTitle,
    peer: SystemTitle,
    flash: Flash,
    store: Counters,
    context: SecurityContext<Provider>,
    key: usize,
    floors: FloorStorage,
}

impl Side {
    fn new(own: SystemTitle, peer: SystemTitle, floors: FloorStorage) -> Self {
        let flash = formatted();
        let provider = provider();
        let context = context(&provider, own, 0);
        Self { store: open(&flash), provider, own, peer, flash, context, key: 0, floors }
    }

    /// Power comes back: nothing is left but what is on the flash. Nobody restores anything.
    fn restart(&mut self) {
        self.flash.power_on();
        self.store = open(&self.flash);
        self.install(self.key);
    }

    fn install(&mut self, key: usize) {
        self.key = key;
        self.context = context(&self.provider, self.own, key);
    }

    fn keys(&mut self) -> (Keys<'_, Provider>, &mut Counters) {
        let keys = Keys {
            provider: &self.provider,
            context: &mut self.context,
            dedicated: None,
            key_ring: None,
            asymmetric: None,
        };
        (keys, &mut self.store)
    }

    fn seal(&mut self, payload: u32) -> Result<Vec<u8>, ProtectionError> {
        let mut buffer = vec![0; HEADROOM + 5 + TAILROOM];
        buffer[HEADROOM] = 0xC0;
        buffer[HEADROOM + 1..HEADROOM + 5].copy_from_slice(&payload.to_be_bytes());
        let protection = Protection::AUTHENTICATED_ENCRYPTED;
        let form = Form::new(Envelope::GLOBAL, protection, self.peer, TransactionId::default());
        let (mut keys, store) = self.keys();
        let at = keys.seal(store, &form, &mut buffer, HEADROOM..HEADROOM + 5)?;
        Ok(buffer[at].to_vec())
    }

    fn open(&mut self, apdu: &[u8]) -> Result<u32, ProtectionError> {
        let mut apdu = apdu.to_vec();
        let demand = Demand {
            floors: self.floors,
            accepted: Accepted::SERVICE_SPECIFIC,
            ..Demand::new(self.peer, Protection::AUTHENTICATED_ENCRYPTED)
        };
        let (mut keys, store) = self.keys();
        let opened = keys.open(store, &demand, &mut apdu)?;
        Ok(u32::from_be_bytes(apdu[opened.apdu][1..].try_into().unwrap()))
    }
}

fn context(provider: &Provider, own: SystemTitle, key: usize) -> SecurityContext<Provider> {
    let suite = SecuritySuite::Suite0;
    let octets = [key as u8 + 1; 16];
    let ek = SecretKey::new(suite, &octets).unwrap();
    let ak = AuthenticationKey::for_suite(suite, &[9; 16]).unwrap();
    SecurityContext::new(provider, suite, own, &ek, ak, CounterId(key as u32), 0).unwrap()
}

/// The counter of a service-specific APDU.
fn counter(apdu: &[u8]) -> u32 {
    u32::from_be_bytes(apdu[3..7].try_into().unwrap())
}

const fn is_cut(error: &ProtectionError) -> bool {
    matches!(error, ProtectionError::Security(SecurityError::Storage(StorageError)))
}

struct World {
    client: Side,
    meter: Side,
    next_payload: u32,
    nonces: BTreeSet<(usize, SystemTitle, u32)>,
    /// Payloads that either end acted on.
    accepted: BTreeSet<u32>,
    /// What an eavesdropper has.
    recorded: Vec<(bool, Vec<u8>)>,
}

impl World {
    fn new(step: u32) -> Self {
        Self {
            client: Side::new(CLIENT_TITLE, SERVER_TITLE, FloorStorage::Exact),
            meter: Side::new(SERVER_TITLE, CLIENT_TITLE, FloorStorage::Ahead(step)),
            next_payload: 0,
            nonces: BTreeSet::new(),
            accepted: BTreeSet::new(),
            recorded: Vec::new(),
        }
    }

    fn send(&mut self, from_client: bool) -> Option<Vec<u8>> {
        let side = if from_client { &mut self.client } else { &mut self.meter };
        self.next_payload += 1;
        match side.seal(self.next_payload) {
            Ok(apdu) => {
                assert!(self.nonces.insert((side.key, side.own, counter(&apdu))), "a nonce is used twice");
                let ceiling = open(&side.flash.copy()).ceiling(CounterId(side.key as u32)).unwrap();
                assert!(counter(&apdu) < ceiling, "used before it was stored");
                self.recorded.push((from_client, apdu.clone()));
                Some(apdu)
            }
            Err(error) => {
                assert!(is_cut(&error), "{error}");
                side.restart();
                None
            }
        }
    }

    fn receive(&mut self, at_meter: bool, apdu: &[u8]) -> bool {
        let side = if at_meter { &mut self.meter } else { &mut self.client };
        match side.open(apdu) {
            Ok(payload) => {
                assert!(self.accepted.insert(payload), "a message is accepted twice");
                let floor = open(&side.flash.copy()).floor(CounterId(side.key as u32), side.peer).unwrap();
                assert!(counter(apdu) < floor, "acted on before it was stored");
                true
            }
            Err(ProtectionError::Replay(lowest)) if at_meter => {
                let lowest = dlms_security::InvocationCounter::new(lowest);
                let _ = self.client.context.advance_counter(lowest, 100_000);
                false
            }
            Err(error) => {
                if is_cut(&error) {
                    side.restart();
                }
                false
            }
        }
    }

    fn exchange(&mut self) -> bool {
        let Some(request) = self.send(true) else { return false };
        if !self.receive(true, &request) {
            return false;
        }
        let Some(response) = self.send(false) else { return false };
        self.receive(false, &response)
    }

    fn handle(&mut self, event: &Event) {
        match *event {
            Event::Exchange => {
                self.exchange();
            }
            Event::Lose { from_client } => {
                self.send(from_client);
            }
            Event::Cut { client, units, torn } => {
                let side = if client { &self.client } else { &self.meter };
                side.flash.cut_after(units, torn);
            }
            Event::Restart { client } => {
                if client { &mut self.client } else { &mut self.meter }.restart();
            }
            Event::Replay(which) => {
                if let Some((to_meter, apdu)) = self.recorded.get(which % self.recorded.len().max(1)).cloned()
                {
                    self.receive(to_meter, &apdu);
                }
            }
            Event::ChangeKey(key) => {
                self.client.install(key);
                self.meter.install(key);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Exchange,
    /// A message that is recorded and does not arrive.
    Lose {
        from_client: bool,
    },
    Cut {
        client: bool,
        units: usize,
        torn: u8,
    },
    Restart {
        client: bool,
    },
    Replay(usize),
    ChangeKey(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => Just(Event::Exchange),
        1 => any::<bool>().prop_map(|from_client| Event::Lose { from_client }),
        3 => (any::<bool>(), 0..80usize, any::<u8>())
            .prop_map(|(client, units, torn)| Event::Cut { client, units, torn }),
        1 => any::<bool>().prop_map(|client| Event::Restart { client }),
        3 => any::<usize>().prop_map(Event::Replay),
        1 => (0..KEYS).prop_map(Event::ChangeKey),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn neither_end_repeats_anything(step in 1..6u32, events in prop::collection::vec(event(), 0..120)) {
        let mut world = World::new(step);
        for event in &events {
            world.handle(event);
        }
        // With power, both find each other again.
        world.client.restart();
        world.meter.restart();
        prop_assert!((0..3).any(|_| world.exchange()), "shut out");
        // And nothing that was recorded is of any use.
        for (to_meter, apdu) in world.recorded.clone() {
            world.receive(to_meter, &apdu);
        }
    }

    /// The store alone: after each cut it holds what was confirmed last, or what was being written.
    #[test]
    fn what_is_confirmed_is_there(
        changes in prop::collection::vec((0..3u32, any::<bool>(), 1..50u32, 0..60usize, any::<u8>()), 1..80),
    ) {
        let flash = formatted();
        let mut store = open(&flash);
        let mut confirmed = [[0; 2]; 3];
        for (id, is_floor, more, units, torn) in changes {
            let known = &mut confirmed[id as usize][usize::from(is_floor)];
            let value = *known + more;
            flash.cut_after(units, torn);
            let done = match is_floor {
                true => store.reserve_floor(CounterId(id), CLIENT_TITLE, value),
                false => store.reserve(CounterId(id), value),
            };
            if done.is_err() {
                flash.power_on();
                store = open(&flash);
            }
            flash.power_on();
            let read = |store: &mut Counters| match is_floor {
                true => store.floor(CounterId(id), CLIENT_TITLE).unwrap(),
                false => store.ceiling(CounterId(id)).unwrap(),
            };
            let found = read(&mut store);
            prop_assert!(found == value || (done.is_err() && found == *known), "{found}");
            prop_assert_eq!(read(&mut open(&flash.copy())), found);
            *known = found;
            for (id, [ceiling, floor]) in (0..).zip(confirmed) {
                prop_assert_eq!(store.ceiling(CounterId(id)), Ok(ceiling));
                prop_assert_eq!(store.floor(CounterId(id), CLIENT_TITLE), Ok(floor));
            }
        }
    }
}

/// Every single place where the power can go during a sequence that fills the areas several times.
#[test]
fn at_every_write() {
    let mut cuts = 0;
    for units in 0.. {
        let mut world = World::new(2);
        world.meter.flash.cut_after(units, 0xFF);
        world.client.flash.cut_after(units.saturating_mul(2), 0x0F);
        for round in 0..40 {
            world.exchange();
            if round % 8 == 7 {
                world.handle(&Event::ChangeKey(round % KEYS));
            }
        }
        let is_cut = |flash: &Flash| !flash.awaits_cut();
        if !is_cut(&world.meter.flash) && !is_cut(&world.client.flash) {
            break;
        }
        cuts += 1;
        world.meter.restart();
        world.client.restart();
        assert!((0..3).any(|_| world.exchange()), "shut out after {units} units");
        for (to_meter, apdu) in world.recorded.clone() {
            world.receive(to_meter, &apdu);
        }
    }
    assert!(cuts > 100, "{cuts}");
}

/// A store that is made for the first time can be made again, whenever the power goes meanwhile; one that was used cannot.
#[test]
fn while_it_is_made() {
    for torn in [0x00, 0xA5, 0xFF] {
        for units in 0..8 {
            let flash = Flash::new(SECTORS);
            flash.cut_after(units, torn);
            let made = FlashCounters::<_, 8>::format(flash.clone(), 0, AREA as u32).is_ok();
            flash.power_on();
            let is_there = FlashCounters::<_, 8>::open(flash.clone(), 0, AREA as u32).is_ok();
            assert!(is_there || !made);
            assert_eq!(FlashCounters::<_, 8>::is_unused(flash, 0, AREA as u32), Ok(true));
        }
    }
    let flash = formatted();
    open(&flash).reserve(CounterId(0), 5).unwrap();
    assert_eq!(FlashCounters::<_, 8>::is_unused(flash, 0, AREA as u32), Ok(false));
}

#[test]
fn a_forgotten_key_begins_anew_and_a_medium_that_is_not_ours_is_refused() {
    assert!(FlashCounters::<_, 8>::open(Flash::new(SECTORS), 0, AREA as u32).is_err());
    assert!(FlashCounters::<_, 16>::format(Flash::new(SECTORS), 0, AREA as u32).is_err(), "too short");
    assert!(FlashCounters::<_, 8>::format(Flash::new(SECTORS), 8, AREA as u32).is_err(), "not aligned");
    let flash = formatted();
    let mut store = open(&flash);
    for n in 0..8 {
        store.reserve(CounterId(n), 5).unwrap();
    }
    assert_eq!(store.reserve(CounterId(8), 5), Err(StorageError), "full");
    assert_eq!(store.reserve(CounterId(0), 4), Ok(()));
    assert_eq!(store.ceiling(CounterId(0)), Ok(5), "a ceiling never goes down");
    store.forget(CounterId(3)).unwrap();
    store.reserve(CounterId(8), 6).unwrap();
    let mut store = open(&flash);
    assert_eq!((store.ceiling(CounterId(3)), store.ceiling(CounterId(8))), (Ok(0), Ok(6)));
}

/// Who has nowhere to keep counters neither sends under a key nor takes what comes under it.
#[test]
fn without_a_store_a_key_is_of_no_use() {
    let provider = provider();
    let suite = SecuritySuite::Suite0;
    let context = |title| {
        let (key, authentication) = common::keys(suite);
        SecurityContext::<Provider>::new(&provider, suite, title, &key, authentication, CounterId(0), 0)
            .unwrap()
    };
    let protection = Protection::AUTHENTICATED_ENCRYPTED;
    let seal = |store: &mut dyn CounterStore| {
        let mut buffer = [0; HEADROOM + 16 + TAILROOM];
        let place = HEADROOM..HEADROOM + 16;
        buffer[place.clone()].fill(0xC0);
        let sealed = context(CLIENT_TITLE).seal(
            &provider,
            store,
            None,
            Envelope::GLOBAL,
            protection,
            &mut buffer,
            place,
        );
        sealed.map(|sealed| buffer[sealed].to_vec())
    };
    let refused = ProtectionError::Security(SecurityError::Storage(StorageError));
    assert_eq!(seal(&mut NoStore), Err(refused));
    let sealed = seal(&mut Forgetful).unwrap();
    let open = |store: &mut dyn CounterStore| {
        context(SERVER_TITLE).open(&provider, store, None, CLIENT_TITLE, protection, &mut sealed.clone())
    };
    assert_eq!(open(&mut NoStore).err(), Some(refused));
    assert!(open(&mut Forgetful).is_ok());
}
