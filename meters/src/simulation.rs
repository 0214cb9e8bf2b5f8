//! A meter that lives: time passes, energy rises, profiles fill, the relay switches, and a restart forgets nothing.

use std::path::PathBuf;
use std::time::Duration;

use cosem_objects::behaviour::{self, WallTime};
use cosem_objects::classes::{ControlState, SoftwareClock, Trigger};
use cosem_objects::{Effect, Effects, LogicalDevice};
use dlms::server::{AssociationConfig, Event};
use dlms::{KeyRing, SecurityContext};
use dlms_axdr::{DateTime, OwnedData};
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationKey, CounterId, CryptoProvider, KeyId, KeyStore, RequiredProtection, SecretKey, SystemTitle,
};

use crate::associations::Credentials;
use crate::certificates::{Certificates, Peers};
use crate::counters::Counters;
use crate::device::MeterDevice;
use crate::keys::Keys;
use crate::load::Household;
use crate::model::Model;
use crate::notation::{logical_name, parse};
use crate::objects::{AnyObject, number, set_number, title as title_octets};
use crate::registers::Registers;
use crate::signatures::{self, Clients};
use crate::state::{KeptTime, StateDirectory, StateError};
use crate::{Error, MeterModel, ModelError};

/// How a simulation runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time when it starts, in milliseconds since 1970-01-01 UTC.
    pub unix_milliseconds: i64,
    /// How many seconds pass in the meter in one second of the caller's time.
    pub speed: f64,
    /// What the load curve and the voltage follow; the same seed gives the same values.
    pub seed: u64,
    /// Where the meter keeps what survives a restart; in memory if there is none.
    pub state: Option<PathBuf>,
}

/// A simulated meter.
///
/// A server works on [`Simulation::device`] and [`Simulation::counters`], with what [`Simulation::associations`] and
/// [`Simulation::security`] tell it, and hands back the events of its sessions:
///
/// ```text
/// simulation.advance(now)?;
/// session.handle_apdu(&mut Host { device: &mut simulation.device, counters: &mut simulation.counters, .. }, ..);
/// while let Some(event) = session.poll_event() { simulation.handle_event(&event, &security)?; }
/// simulation.save_if_due(now)?;
/// ```
pub struct Simulation {
    /// The objects.
    pub device: MeterDevice,
    /// The invocation counters.
    pub counters: Counters,
    model: Model,
    household: Household,
    registers: Registers,
    state: Option<StateDirectory>,
    speed: f64,
    /// Simulated time at [`Simulation::elapsed`] zero, in milliseconds since 1970-01-01 UTC.
    origin: i64,
    elapsed: Duration,
    /// The caller's time up to which time has passed.
    now: Duration,
    relay: Option<ControlState>,
    month: Option<u8>,
    is_changed: bool,
    saved_at: Option<Duration>,
    scratch: Vec<u8>,
}

/// The breaker of the supply.
const RELAY: LogicalName = LogicalName::new(0, 0, 96, 3, 10, 255);
/// The version of the firmware.
const FIRMWARE: LogicalName = LogicalName::new(1, 0, 0, 2, 0, 255);

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// A state is written at least this often.
const SAVE_INTERVAL: Duration = Duration::from_secs(30);
/// A state that changed is not written more often than this.
const CHANGED_INTERVAL: Duration = Duration::from_secs(1);

/// How a meter's past looks when it starts for the first time: days of which only what is captured daily or monthly is
/// kept, then days with all rows.
struct History {
    rough_days: i64,
    fine_days: i64,
    /// The step through the fine days, in seconds.
    grain: i64,
}

/// Codes of events in the logs, as far as the simulation has such events.
mod event_code {
    pub(super) const POWER_UP: i64 = 2;
    pub(super) const CLOCK_ADJUSTED: i64 = 5;
    pub(super) const FIRMWARE_ACTIVATED: i64 = 18;
    pub(super) const READY_FOR_RECONNECTION: i64 = 59;
    pub(super) const RECONNECTED_BY_HAND: i64 = 61;
    pub(super) const DISCONNECTED_REMOTELY: i64 = 62;
    pub(super) const RECONNECTED_REMOTELY: i64 = 63;
    pub(super) const DISCONNECTED_LOCALLY: i64 = 64;
}

impl Simulation {
    /// A meter of this model: as it was when it was switched off, or with a past of some days.
    ///
    /// # Errors
    /// The model or the state directory is not what it should be.
    pub fn new(meter: MeterModel, options: Options) -> Result<Self, Error> {
        let model = meter.model()?;
        let (history, nominal_voltage) = match meter {
            MeterModel::Lab => (History { rough_days: 0, fine_days: 400, grain: 900 }, 230.0),
            MeterModel::Pmm1220 => (History { rough_days: 400, fine_days: 8, grain: 300 }, 220.0),
        };
        let state = options.state.as_deref().map(StateDirectory::open).transpose()?;
        let counters = Counters::open(state.as_ref().map(StateDirectory::counters))?;
        let mut device = MeterDevice::new(&model, options.unix_milliseconds)?;
        let kept = state.as_ref().map(|state| state.load(&mut device)).transpose()?.flatten();
        let past = (history.rough_days + history.fine_days) * DAY * 1000;
        let (origin, ahead) = match kept {
            // A clock does not go back, even if the last run was faster than time.
            Some(kept) => (options.unix_milliseconds.max(kept.simulated), kept.clock_ahead),
            None => (options.unix_milliseconds - past, 0),
        };
        for object in &mut device.objects {
            if let AnyObject::Clock(clock) = object {
                clock.source = SoftwareClock::starting_at(origin + ahead, Duration::ZERO);
            }
        }
        let mut simulation = Self {
            registers: Registers::new(&device),
            device,
            counters,
            household: Household::new(options.seed, nominal_voltage),
            model,
            state,
            speed: options.speed,
            origin,
            elapsed: Duration::ZERO,
            now: Duration::ZERO,
            relay: None,
            month: None,
            is_changed: true,
            saved_at: None,
            scratch: vec![0; 4096],
        };
        simulation.relay = simulation.relay_state();
        if kept.is_none() {
            simulation.live_through(&history);
        }
        simulation.restore_counter_objects()?;
        simulation.log("standard", event_code::POWER_UP);
        simulation.drive(0);
        Ok(simulation)
    }

    /// What a server is told about each association, in the order of their ids.
    ///
    /// # Errors
    /// The model is not what it should be.
    pub fn associations(&self) -> Result<Vec<AssociationConfig>, ModelError> {
        self.model.association.iter().map(|association| association.config(&self.model)).collect()
    }

    /// Where keys and policies are kept that clients change.
    ///
    /// # Errors
    /// The state directory is not what it should be.
    pub fn keys<P: CryptoProvider>(&self, provider: &P) -> Result<Keys, Error> {
        let mut store = Keys::open(self.state.as_ref().map(StateDirectory::keys))?;
        let title = self.system_title()?;
        for (place, keys) in self.model.key_set.iter().enumerate() {
            let (suite, ek, _) = keys.values()?;
            let key = SecretKey::new(suite, &ek)?;
            store.name(&provider.fingerprint(title, &key)?, CounterId(place as u32));
        }
        Ok(store)
    }

    /// The keys of the Security setups, with their counters as they were kept.
    ///
    /// # Errors
    /// The model or the state directory is not what it should be, or the provider does not take a key.
    pub fn security<P: CryptoProvider>(&self, provider: &P) -> Result<Vec<SecurityContext<P>>, Error> {
        let title = self.system_title()?;
        let mut store = self.keys(provider)?;
        let contexts = self.model.key_set.iter().enumerate().map(|(place, keys)| {
            let (suite, ek, ak) = keys.values()?;
            let ek = store.key(place, KeyId::GlobalUnicast).unwrap_or(ek);
            let ak = store.key(place, KeyId::Authentication).unwrap_or(ak);
            let ek = SecretKey::new(suite, &ek)?;
            let fingerprint = provider.fingerprint(title, &ek)?;
            let id = store.counter_id(place, &fingerprint).map_err(dlms_security::SecurityError::Storage)?;
            let ak = AuthenticationKey::for_suite(suite, &ak)?;
            let reserved = self.counters.reserved(id);
            let mut context = SecurityContext::new(provider, suite, title, &ek, ak, id, reserved)?;
            // A file does not wear out, and a client need not be told to skip.
            context.set_floor_step(1);
            context.set_policy(store.policy(place).unwrap_or(self.policy(place)?));
            context.set_last_client(Some(SystemTitle::from_octets(title_octets(&keys.client_title)?)));
            Ok(context)
        });
        contexts.collect()
    }

    /// The master and broadcast keys of the Security setups.
    ///
    /// # Errors
    /// As [`Simulation::security`].
    pub fn key_rings<P: CryptoProvider>(&self, provider: &P) -> Result<Vec<KeyRing<P>>, Error> {
        let mut store = self.keys(provider)?;
        let title = self.system_title()?;
        let rings = self.model.key_set.iter().enumerate().map(|(place, keys)| {
            let (suite, ..) = keys.values()?;
            let mut ring = KeyRing::new();
            let kek = keys.kek.as_ref().and_then(|kek| crate::notation::hex(kek));
            if let Some(kek) = store.key(place, KeyId::Master).or(kek) {
                ring.set_master_key(provider, suite, &SecretKey::new(suite, &kek)?)?;
            }
            if let Some(key) = store.key(place, KeyId::GlobalBroadcast) {
                let key = SecretKey::new(suite, &key)?;
                let fingerprint = provider.fingerprint(title, &key)?;
                let id = store.counter_id(place, &fingerprint);
                let id = id.map_err(dlms_security::SecurityError::Storage)?;
                ring.set_broadcast_key(provider, suite, &key, id, 0)?;
            }
            Ok(ring)
        });
        rings.collect()
    }

    /// The meter's key pairs, at the place of each Security setup: those of the model, or those that took their places.
    ///
    /// # Errors
    /// The model or the state directory has a key that is none.
    pub fn key_pairs(&self) -> Result<Vec<dlms::KeyPairs>, Error> {
        let store = Keys::open(self.state.as_ref().map(StateDirectory::keys))?;
        let mut pairs = signatures::key_pairs(&self.model)?;
        for (place, (pairs, keys)) in pairs.iter_mut().zip(&self.model.key_set).enumerate() {
            if let Some(curve) = keys.curve() {
                store.restore_pairs(place, curve, pairs)?;
            }
        }
        Ok(pairs)
    }

    /// The clients whose signatures the meter takes.
    ///
    /// # Errors
    /// The model has a key or a title that is none.
    pub fn clients(&self) -> Result<Clients, Error> {
        Ok(signatures::clients(&self.model)?)
    }

    /// Whom the meter trusts: the clients of its model, and those whose certificate it has. It takes certificates by
    /// the authorities whose own are given, in DER.
    ///
    /// # Errors
    /// The model has a key or a title that is none, or the state directory cannot be read.
    pub fn peers(&self, authorities: &[Vec<u8>]) -> Result<Peers, Error> {
        let path = self.state.as_ref().map(StateDirectory::certificates);
        let certificates = Certificates::open(path, authorities)?;
        Ok(Peers { certificates, clients: self.clients()? })
    }

    /// The policy that the model gives a Security setup.
    fn policy(&self, place: usize) -> Result<RequiredProtection, ModelError> {
        let Some(keys) = self.model.key_set.get(place) else { return Ok(RequiredProtection::empty()) };
        let wrong = || ModelError::Value(keys.security_setup.clone());
        let object =
            self.model.object.iter().find(|object| object.class == 64 && object.ln == keys.security_setup);
        let Some(object) = object else { return Ok(RequiredProtection::empty()) };
        let OwnedData::Enum(code) = parse(object.value(2).ok_or_else(wrong)?)? else {
            return Err(wrong());
        };
        let policy = match object.version {
            0 => RequiredProtection::from_policy_v0(code),
            _ => RequiredProtection::from_policy_v1(code),
        };
        policy.map_err(|_| wrong())
    }

    /// What clients need to open the associations, the public one first. The keys are test material.
    ///
    /// # Errors
    /// The model is not what it should be.
    pub fn credentials(&self) -> Result<Vec<Credentials>, ModelError> {
        credentials(&self.model)
    }

    /// The system title of the meter.
    ///
    /// # Errors
    /// The model is not what it should be.
    pub fn system_title(&self) -> Result<SystemTitle, ModelError> {
        title_octets(&self.model.meter.system_title).map(SystemTitle::from_octets)
    }

    /// The name of the meter's logical device.
    pub fn logical_device_name(&self) -> &str {
        &self.model.meter.logical_device_name
    }

    /// The name of the model.
    pub fn model_name(&self) -> &str {
        &self.model.meter.model
    }

    /// What the meter's clock shows.
    pub fn wall_time(&self) -> Option<WallTime> {
        behaviour::wall_time(&self.device)
    }

    /// Lets time pass until `now`, which is measured from the start of the simulation.
    pub fn advance(&mut self, now: Duration) {
        let Some(passed) = now.checked_sub(self.now) else { return };
        self.now = now;
        let target = self.elapsed + passed.mul_f64(self.speed.max(0.0));
        while self.elapsed < target {
            self.step(MINUTE, Some(target));
        }
    }

    /// Takes note of an event of a session. What a counter object shows and what must survive is brought up to date.
    ///
    /// # Errors
    /// A counter could not be stored.
    pub fn handle_event<P: CryptoProvider>(
        &mut self,
        event: &Event,
        security: &[SecurityContext<P>],
    ) -> Result<(), Error> {
        match event {
            Event::Effect(effect) => self.handle_effect(effect),
            // An image arrives in many blocks: those are kept every few seconds only.
            Event::MethodInvoked { class_id: 18, .. } => self.is_changed = true,
            Event::AttributeWritten { .. } | Event::MethodInvoked { .. } => {
                self.save()?;
            }
            &Event::WindowMoved { security: setup, peer } => {
                if let Some(context) = security.get(setup) {
                    self.show_counter(setup, context.lowest_acceptable(peer).value());
                }
            }
            // The proof of mechanism 5 carries a counter too.
            Event::Associated { association } => {
                let config = self.model.association.get(usize::from(association.0));
                if let Some(setup) =
                    config.and_then(|config| config.key_set(&self.model)).map(|(setup, _)| setup)
                    && let Some(context) = security.get(setup)
                {
                    for (_, lowest) in context.windows() {
                        self.show_counter(setup, lowest.value());
                    }
                }
            }
            _ => {}
        }
        self.watch_relay();
        self.drive(0);
        Ok(())
    }

    /// The customer's button: closes a breaker that is ready for reconnection, or opens it where the mode allows.
    pub fn press_button(&mut self) {
        let trigger = match self.relay_state() {
            Some(ControlState::Connected) => Trigger::ManualDisconnect,
            _ => Trigger::ManualReconnect,
        };
        let Some(place) = self.device.find(70, RELAY) else { return };
        if let Some(AnyObject::DisconnectControl(control)) = self.device.objects.get_mut(place) {
            let _ = control.trigger(trigger, &mut Effects::new());
        }
        self.watch_relay();
        self.drive(0);
    }

    /// Writes the state where there is a state directory: a second after the last time if something changed, else now
    /// and then.
    ///
    /// # Errors
    /// A file could not be written.
    pub fn save_if_due(&mut self, now: Duration) -> Result<(), Error> {
        let interval = if self.is_changed { CHANGED_INTERVAL } else { SAVE_INTERVAL };
        let is_due = self.saved_at.is_none_or(|saved_at| now.saturating_sub(saved_at) >= interval);
        if self.state.is_none() || !is_due {
            return Ok(());
        }
        self.saved_at = Some(now);
        self.save()
    }

    /// Writes the state, where there is a state directory.
    ///
    /// # Errors
    /// A file could not be written.
    pub fn save(&mut self) -> Result<(), Error> {
        let simulated = self.simulated();
        let clock = self.wall_time().map_or(simulated, |wall| wall.unix_milliseconds);
        let time = KeptTime { simulated, clock_ahead: clock - simulated };
        if let Some(state) = &mut self.state {
            state.save(&self.device, time)?;
        }
        self.is_changed = false;
        Ok(())
    }

    fn simulated(&self) -> i64 {
        self.origin + self.elapsed.as_millis() as i64
    }

    /// Fills the meter with a past that ends now.
    fn live_through(&mut self, history: &History) {
        let rough = Duration::from_secs((history.rough_days * DAY) as u64);
        while self.elapsed < rough {
            self.step(DAY, Some(rough));
        }
        for object in &mut self.device.objects {
            if let AnyObject::ProfileGeneric(profile) = object
                && (1..DAY as u32).contains(&profile.capture_period())
            {
                profile.clear();
            }
        }
        let fine = rough + Duration::from_secs((history.fine_days * DAY) as u64);
        while self.elapsed < fine {
            self.step(history.grain, Some(fine));
        }
    }

    /// Lets time pass until local time is a multiple of `grain` seconds, at most until `limit`.
    fn step(&mut self, grain: i64, limit: Option<Duration>) {
        let local = self.local_milliseconds();
        let whole = Duration::from_millis((grain * 1000 - local.rem_euclid(grain * 1000)) as u64);
        let step = limit.map_or(whole, |limit| whole.min(limit.saturating_sub(self.elapsed)));
        self.drive(step.as_millis() as i64);
        self.elapsed += step;
        let mut effects = Vec::new();
        behaviour::tick(&mut self.device, self.elapsed, &mut self.scratch, &mut |effect| {
            effects.push(*effect)
        });
        for effect in &effects {
            self.handle_effect(effect);
        }
        self.watch_relay();
        self.watch_month();
    }

    fn local_milliseconds(&self) -> i64 {
        self.wall_time().map_or_else(|| self.simulated(), |wall| wall.local_milliseconds())
    }

    /// The load of the next milliseconds goes into the registers.
    fn drive(&mut self, milliseconds: i64) {
        let local = self.local_milliseconds();
        let is_connected = self.relay.is_none_or(|state| state == ControlState::Connected);
        let mut left = milliseconds;
        let mut at = local;
        while left > 0 {
            let part = left.min(3_600_000);
            let terminals = self.household.at(at.div_euclid(1000), is_connected);
            self.registers.count(
                &mut self.device,
                &terminals,
                at.div_euclid(1000),
                part as f64 / 3_600_000.0,
            );
            at += part;
            left -= part;
        }
        let terminals = self.household.at(at.div_euclid(1000), is_connected);
        self.registers.show(&mut self.device, &terminals);
    }

    fn handle_effect(&mut self, effect: &Effect) {
        self.is_changed = true;
        match *effect {
            Effect::PeriodClosed { register } => self.keep_maximum(register),
            Effect::ClockAdjusted { milliseconds, .. } if milliseconds.abs() > 1000 => {
                self.log("standard", event_code::CLOCK_ADJUSTED);
            }
            Effect::ImageActivated { image_transfer } => self.show_firmware(image_transfer),
            _ => {}
        }
    }

    /// The maximum demand (D = 6) beside a Demand register (D = 4).
    fn keep_maximum(&mut self, register: LogicalName) {
        let [a, b, c, _, e, f] = *register.octets();
        let maximum = LogicalName::new(a, b, c, 6, e, f);
        let Some(AnyObject::DemandRegister(demand)) =
            self.device.find(5, register).and_then(|place| self.device.objects.get(place))
        else {
            return;
        };
        let (average, capture_time) = (demand.last_average_value, demand.capture_time);
        let Some(AnyObject::ExtendedRegister(maximum)) =
            self.device.find(4, maximum).and_then(|place| self.device.objects.get_mut(place))
        else {
            return;
        };
        if number(&maximum.value).is_some_and(|value| i64::from(average) > value) {
            set_number(&mut maximum.value, average.into());
            maximum.capture_time = capture_time;
        }
    }

    /// With a new month the registers of the billing period begin again.
    fn watch_month(&mut self) {
        let month = self.wall_time().map(|wall| wall.date_time().0[2]);
        if month == self.month {
            return;
        }
        if self.month.is_some() {
            for object in &mut self.device.objects {
                match object {
                    AnyObject::Register(register) if register.logical_name.octets()[3] == 9 => {
                        set_number(&mut register.value, 0);
                    }
                    AnyObject::ExtendedRegister(register) if register.logical_name.octets()[3] == 6 => {
                        set_number(&mut register.value, 0);
                        register.capture_time = DateTime::NOT_SPECIFIED;
                    }
                    _ => {}
                }
            }
        }
        self.month = month;
    }

    fn relay_state(&self) -> Option<ControlState> {
        match self.device.objects.get(self.device.find(70, RELAY)?)? {
            AnyObject::DisconnectControl(control) => Some(control.control_state()),
            _ => None,
        }
    }

    fn watch_relay(&mut self) {
        use ControlState::{Connected, Disconnected, ReadyForReconnection};
        let (Some(before), Some(after)) = (self.relay, self.relay_state()) else { return };
        if before == after {
            return;
        }
        self.relay = Some(after);
        self.is_changed = true;
        let code = match (before, after) {
            (_, Disconnected) => event_code::DISCONNECTED_REMOTELY,
            (Connected, ReadyForReconnection) => event_code::DISCONNECTED_LOCALLY,
            (_, ReadyForReconnection) => event_code::READY_FOR_RECONNECTION,
            (ReadyForReconnection, Connected) => event_code::RECONNECTED_BY_HAND,
            (_, Connected) => event_code::RECONNECTED_REMOTELY,
        };
        self.log("disconnect", code);
    }

    /// A row in an event log.
    fn log(&mut self, name: &str, code: i64) {
        let Some(log) = self.model.event_log.iter().find(|log| log.name == name) else { return };
        let (Ok(profile), Ok(object)) = (logical_name(&log.ln), logical_name(&log.code_object)) else {
            return;
        };
        if let Some(value) = self.device.value_mut(1, object) {
            set_number(value, code);
        }
        let mut effects = Effects::new();
        let _ = effects.push(Effect::Capture { profile });
        behaviour::execute(&mut self.device, &effects, &mut self.scratch, &mut |_| {});
        self.is_changed = true;
    }

    /// The identifier of the image that was activated becomes the version of the firmware.
    fn show_firmware(&mut self, image_transfer: LogicalName) {
        let identifier =
            match self.device.find(18, image_transfer).and_then(|place| self.device.objects.get(place)) {
                Some(AnyObject::ImageTransfer(transfer)) => transfer.state().identifier.clone(),
                _ => return,
            };
        if let Some(version) = self.device.value_mut(1, FIRMWARE) {
            version.replace(dlms_axdr::Data::OctetString(&identifier));
        }
        self.log("standard", event_code::FIRMWARE_ACTIVATED);
    }

    /// The highest counter that was received under the keys of a Security setup.
    fn show_counter(&mut self, setup: usize, lowest_acceptable: u32) {
        let Some(keys) = self.model.key_set.get(setup) else { return };
        let Ok(name) = logical_name(&keys.counter) else { return };
        if let Some(value) = self.device.value_mut(1, name) {
            let highest = i64::from(lowest_acceptable) - 1;
            if number(value).is_some_and(|shown| highest > shown) {
                set_number(value, highest);
            }
        }
    }

    fn restore_counter_objects(&mut self) -> Result<(), StateError> {
        let path = self.state.as_ref().map(StateDirectory::keys);
        let keys = Keys::open(path)?;
        for setup in 0..self.model.key_set.len() {
            if let Some(name) =
                self.model.key_set.get(setup).and_then(|keys| logical_name(&keys.counter).ok())
                && let Some(value) = self.device.value_mut(1, name)
            {
                set_number(value, 0);
            }
            let windows = self.counters.windows(keys.unicast(setup));
            let highest = windows.into_iter().map(|(_, lowest)| lowest.value()).max();
            self.show_counter(setup, highest.unwrap_or(0));
        }
        Ok(())
    }
}

/// What clients need to open the associations of a model, the public one first.
pub(crate) fn credentials(model: &Model) -> Result<Vec<Credentials>, ModelError> {
    model.association.iter().map(|association| association.credentials(model)).collect()
}

impl core::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} at {:?}", self.model.meter.model, self.wall_time())
    }
}
