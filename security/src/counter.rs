//! Invocation counters: one for sending per key, one floor for receiving per key and peer.
//!
//! A nonce is used once. The sender's counter is therefore written ahead: [`SendCounter`] has a ceiling stored before
//! it uses a value below it, and after a restart goes on at the ceiling, so that a power cut loses a few values and
//! repeats none. The receiver's floor moves after the tag was verified and never down; it too is stored ahead, before
//! what was received is acted on. Both go through [`CounterStore`], which is read as well as written: whoever has one
//! cannot forget to restore.

use core::fmt;

use crate::{SecurityError, StorageError, SystemTitle};

/// The invocation counter, the second half of the nonce. `FFFFFFFF` is never used.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvocationCounter(u32);

impl InvocationCounter {
    /// The value that no content may carry.
    pub const EXHAUSTED: Self = Self(u32::MAX);

    /// A counter of this value.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// Whether this is the value that no content may carry.
    pub const fn is_exhausted(self) -> bool {
        self.0 == u32::MAX
    }
}

impl fmt::Debug for InvocationCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvocationCounter({})", self.0)
    }
}

impl fmt::Display for InvocationCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one stored counter. The application chooses the numbers: one for each pair of a key value and an own system
/// title. A key value that is installed again must find its old counter again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CounterId(pub u32);

/// Persistent storage of counters, filled in by the application: a ceiling for each key under which this side sends,
/// and a floor for each peer that it hears under a key.
///
/// A value that was stored is on the medium when the call returns, and never goes down. A key or peer that was never
/// stored has 0. One process owns a store: two that sent under one key would use nonces twice.
///
/// # How often it is written
///
/// Values are reserved ahead in steps, so that flash survives. A meter that answers 10,000 protected requests a day, which
/// is 100 every quarter of an hour, receives 36.5 million in ten years and sends as many answers. With
/// [`SendCounter::DEFAULT_STEP`] and [`FloorStorage::DEFAULT_STEP`] that is 143,000 ceilings and 570,000 floors. In two
/// sectors of 4 KiB that are filled with records of 32 octets in turn, each sector is erased about 3,000 times, where
/// NOR flash endures 10,000 (inside a microcontroller) to 100,000 times. A restart skips less than one step of 2³²
/// values: with ten restarts a day for ten years, 9.3 million of the 4,295 million that a key has.
pub trait CounterStore {
    /// The ceiling that is stored for the counter `id`; 0 if there is none.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be read. Nothing is sent under the key then.
    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError>;

    /// Stores `ceiling` for the counter `id`. It must be on the medium when this returns: the values below it are used
    /// from then on. The stored ceiling never goes down.
    ///
    /// # Errors
    /// [`StorageError`] if it may not be there. The counter is then not used.
    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError>;

    /// The floor that is stored for `peer` under the key `id`; 0 if there is none.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be read. Nothing is accepted from the peer then.
    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError>;

    /// Stores `floor` as the lowest counter that is accepted from `peer` under the key `id` after a restart. It must be
    /// on the medium when this returns: messages with lower counters are acted on from then on. The stored floor never
    /// goes down.
    ///
    /// # Errors
    /// [`StorageError`] if it may not be there. The message that needs it is then refused, and nothing is executed.
    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError>;
}

impl<S: CounterStore + ?Sized> CounterStore for &mut S {
    fn ceiling(&mut self, id: CounterId) -> Result<u32, StorageError> {
        (**self).ceiling(id)
    }

    fn reserve(&mut self, id: CounterId, ceiling: u32) -> Result<(), StorageError> {
        (**self).reserve(id, ceiling)
    }

    fn floor(&mut self, id: CounterId, peer: SystemTitle) -> Result<u32, StorageError> {
        (**self).floor(id, peer)
    }

    fn reserve_floor(&mut self, id: CounterId, peer: SystemTitle, floor: u32) -> Result<(), StorageError> {
        (**self).reserve_floor(id, peer, floor)
    }
}

/// Storage for the counters of keys that do not outlive the process: refuses to reserve anything.
///
/// It goes with [`SendCounter::volatile`], which never asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStore;

impl CounterStore for NoStore {
    fn ceiling(&mut self, _: CounterId) -> Result<u32, StorageError> {
        Err(StorageError)
    }

    fn reserve(&mut self, _: CounterId, _: u32) -> Result<(), StorageError> {
        Err(StorageError)
    }

    fn floor(&mut self, _: CounterId, _: SystemTitle) -> Result<u32, StorageError> {
        Err(StorageError)
    }

    fn reserve_floor(&mut self, _: CounterId, _: SystemTitle, _: u32) -> Result<(), StorageError> {
        Err(StorageError)
    }
}

/// Storage that agrees to everything and keeps nothing: for tests and simulations, and for keys that nobody uses after
/// this process. Anywhere else a restart would use nonces twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgetful;

impl CounterStore for Forgetful {
    fn ceiling(&mut self, _: CounterId) -> Result<u32, StorageError> {
        Ok(0)
    }

    fn reserve(&mut self, _: CounterId, _: u32) -> Result<(), StorageError> {
        Ok(())
    }

    fn floor(&mut self, _: CounterId, _: SystemTitle) -> Result<u32, StorageError> {
        Ok(0)
    }

    fn reserve_floor(&mut self, _: CounterId, _: SystemTitle, _: u32) -> Result<(), StorageError> {
        Ok(())
    }
}

/// How the floor of a peer survives a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloorStorage {
    /// Stored this many counters ahead: for a server, which tells a client that is below the floor what the lowest
    /// acceptable counter is. 1 stores each exactly.
    Ahead(u32),
    /// Each stored exactly: for who receives from a peer that cannot be told to skip, as clients from servers.
    Exact,
    /// Not stored: for what another proof shows to be new, such as a challenge that was answered.
    Volatile,
    /// Not stored, and it holds for nothing but other content without a tag, until something with a tag comes: anybody
    /// can forge the counter of such content, and must not shut out what is authentic.
    Unauthenticated,
}

impl FloorStorage {
    /// How far ahead floors are stored unless told otherwise.
    pub const DEFAULT_STEP: u32 = 64;
}

/// The send counter of one key. Everything under the key draws from it: InitiateRequest, the proof of HLS mechanism 5,
/// every carrier.
#[derive(Debug)]
pub struct SendCounter {
    id: CounterId,
    next: u32,
    ceiling: u32,
    step: u32,
}

impl SendCounter {
    /// How many values are reserved at once unless told otherwise.
    pub const DEFAULT_STEP: u32 = 256;

    /// A counter that goes on at the ceiling that storage holds, and not below `stored_ceiling`; 0 if the key was never
    /// used.
    pub const fn new(id: CounterId, stored_ceiling: u32) -> Self {
        Self { id, next: stored_ceiling, ceiling: stored_ceiling, step: Self::DEFAULT_STEP }
    }

    /// A counter from 0 that is never stored: for a dedicated key, which is new in every association, and for nothing
    /// else.
    pub const fn volatile() -> Self {
        Self { id: CounterId(0), next: 0, ceiling: u32::MAX, step: Self::DEFAULT_STEP }
    }

    /// Reserves `step` values at once, at least 1. A large step wears the storage less and loses more values at each
    /// restart.
    #[must_use]
    pub const fn with_step(mut self, step: u32) -> Self {
        self.step = if step == 0 { 1 } else { step };
        self
    }

    /// The name of the counter.
    pub const fn id(&self) -> CounterId {
        self.id
    }

    /// The value that the next call of [`Self::next`] gives, unless storage holds a higher ceiling.
    pub const fn upcoming(&self) -> InvocationCounter {
        InvocationCounter(self.next)
    }

    /// Uses one value. Whatever becomes of the message, it is not given again.
    ///
    /// # Errors
    /// [`SecurityError::CounterExhausted`] at `FFFFFFFF`: the counter does not wrap, the key must be changed.
    /// [`SecurityError::Storage`] if no values could be reserved; nothing is used then.
    pub fn next(
        &mut self,
        store: &mut (impl CounterStore + ?Sized),
    ) -> Result<InvocationCounter, SecurityError> {
        if self.next == u32::MAX {
            return Err(SecurityError::CounterExhausted);
        }
        if self.next >= self.ceiling {
            // Whoever else drew from this counter has left its ceiling there.
            self.next = self.next.max(store.ceiling(self.id)?);
            if self.next == u32::MAX {
                return Err(SecurityError::CounterExhausted);
            }
            let ceiling = self.next.saturating_add(self.step);
            store.reserve(self.id, ceiling)?;
            self.ceiling = ceiling;
        }
        let counter = InvocationCounter(self.next);
        self.next += 1;
        Ok(counter)
    }

    /// Skips to `value`, as a peer says that it expects it (an invocation counter object, an exception-response). A
    /// lower value changes nothing.
    ///
    /// The hint is not authenticated, so it may skip no more than `limit` values: a forged one must not use the
    /// counter up. The new value is reserved when it is first used, like any other.
    ///
    /// # Errors
    /// [`SecurityError::CounterJump`] beyond the limit, [`SecurityError::CounterExhausted`] for `FFFFFFFF`.
    pub fn advance_to(&mut self, value: InvocationCounter, limit: u32) -> Result<(), SecurityError> {
        if value.is_exhausted() {
            return Err(SecurityError::CounterExhausted);
        }
        let jump = value.0.saturating_sub(self.next);
        if jump > limit {
            return Err(SecurityError::CounterJump { received: value.0, limit });
        }
        self.next = self.next.max(value.0);
        Ok(())
    }
}

/// The lowest acceptable counter of one peer under one key.
///
/// It belongs to the key, not to the association: it survives releases, refusals and new associations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplayWindow {
    lowest_acceptable: u32,
    /// The same for content without a tag, where it is higher.
    pub(crate) lowest_unauthenticated: u32,
    max_jump: u32,
}

impl ReplayWindow {
    /// A window that accepts `lowest_acceptable` and above; 0 for a new key.
    pub const fn new(lowest_acceptable: InvocationCounter) -> Self {
        Self { lowest_acceptable: lowest_acceptable.0, lowest_unauthenticated: 0, max_jump: u32::MAX }
    }

    /// Refuses counters more than `max_jump` above the lowest acceptable one, so that a peer with the key cannot use
    /// it up in one message.
    #[must_use]
    pub const fn with_max_jump(mut self, max_jump: u32) -> Self {
        self.max_jump = max_jump;
        self
    }

    /// The lowest counter that would be accepted.
    pub const fn lowest_acceptable(&self) -> InvocationCounter {
        InvocationCounter(self.lowest_acceptable)
    }

    /// Whether a counter may be accepted, before its tag is looked at. Changes nothing.
    ///
    /// # Errors
    /// [`SecurityError::Replay`], [`SecurityError::CounterExhausted`], [`SecurityError::CounterJump`].
    pub const fn check(&self, counter: InvocationCounter) -> Result<(), SecurityError> {
        if counter.is_exhausted() {
            return Err(SecurityError::CounterExhausted);
        }
        if counter.0 < self.lowest_acceptable {
            return Err(SecurityError::Replay {
                received: counter.0,
                lowest_acceptable: self.lowest_acceptable,
            });
        }
        if counter.0 - self.lowest_acceptable > self.max_jump {
            return Err(SecurityError::CounterJump { received: counter.0, limit: self.max_jump });
        }
        Ok(())
    }

    /// The window for content without a tag, which must also be above what else came without one.
    #[must_use]
    pub const fn for_unauthenticated(self) -> Self {
        self.raised_to(self.lowest_unauthenticated)
    }

    /// The window with a floor of at least `floor`.
    #[must_use]
    pub const fn raised_to(mut self, floor: u32) -> Self {
        if floor > self.lowest_acceptable {
            self.lowest_acceptable = floor;
        }
        self
    }

    /// Moves the floor above a counter whose tag was verified. The floor never moves down.
    pub const fn accept(&mut self, counter: InvocationCounter) {
        let above = counter.0.saturating_add(1);
        if above > self.lowest_acceptable {
            self.lowest_acceptable = above;
        }
        self.lowest_unauthenticated = above;
    }

    /// Moves the floor of content without a tag above a counter, which says nothing about other content.
    pub const fn accept_unauthenticated(&mut self, counter: InvocationCounter) {
        self.lowest_unauthenticated = counter.0.saturating_add(1);
    }
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new(InvocationCounter(0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;

    /// A medium that can fail before or after the write, as a power cut leaves it.
    #[derive(Default)]
    struct Medium {
        stored: u32,
        fail_before: bool,
        fail_after: bool,
    }

    impl CounterStore for Medium {
        fn ceiling(&mut self, _: CounterId) -> Result<u32, StorageError> {
            Ok(self.stored)
        }

        fn floor(&mut self, _: CounterId, _: SystemTitle) -> Result<u32, StorageError> {
            Err(StorageError)
        }

        fn reserve_floor(&mut self, _: CounterId, _: SystemTitle, _: u32) -> Result<(), StorageError> {
            Err(StorageError)
        }

        fn reserve(&mut self, _: CounterId, ceiling: u32) -> Result<(), StorageError> {
            if self.fail_before {
                return Err(StorageError);
            }
            assert!(ceiling > self.stored, "a ceiling never goes down");
            self.stored = ceiling;
            if self.fail_after {
                return Err(StorageError);
            }
            Ok(())
        }
    }

    #[test]
    fn the_last_value_is_used_and_then_no_other() {
        let mut medium = Medium { stored: u32::MAX - 1, ..Medium::default() };
        let mut counter = SendCounter::new(CounterId(0), u32::MAX - 1);
        assert_eq!(counter.next(&mut medium).unwrap().value(), u32::MAX - 1);
        for _ in 0..3 {
            assert_eq!(counter.next(&mut medium), Err(SecurityError::CounterExhausted));
        }
        assert_eq!(counter.upcoming(), InvocationCounter::EXHAUSTED);
        assert_eq!(medium.stored, u32::MAX);
    }

    #[test]
    fn storage_is_written_once_per_step() {
        let mut medium = Medium::default();
        let mut counter = SendCounter::new(CounterId(0), 0).with_step(10);
        for expected in 0..25 {
            assert_eq!(counter.next(&mut medium).unwrap().value(), expected);
        }
        assert_eq!(medium.stored, 30);
        medium.fail_before = true;
        for _ in 25..30 {
            counter.next(&mut medium).unwrap();
        }
        assert_eq!(counter.next(&mut medium), Err(SecurityError::Storage(StorageError)));
        medium.fail_before = false;
        assert_eq!(counter.next(&mut medium).unwrap().value(), 30);
    }

    #[test]
    fn who_forgets_to_restore_repeats_nothing() {
        let mut medium = Medium { stored: 700, ..Medium::default() };
        let mut counter = SendCounter::new(CounterId(0), 0).with_step(10);
        assert_eq!(counter.next(&mut medium).unwrap().value(), 700);
        // Nor do two that share one store.
        let mut other = SendCounter::new(CounterId(0), 0).with_step(10);
        assert_eq!(other.next(&mut medium).unwrap().value(), 710);
        for value in (701..710).chain(720..730) {
            assert_eq!(counter.next(&mut medium).unwrap().value(), value);
        }
    }

    #[test]
    fn dedicated_keys_need_no_storage() {
        let mut counter = SendCounter::volatile();
        assert_eq!(counter.next(&mut NoStore).unwrap().value(), 0);
        assert_eq!(counter.next(&mut NoStore).unwrap().value(), 1);
    }

    #[test]
    fn hints_are_bounded_and_only_go_up() {
        let mut medium = Medium::default();
        let mut counter = SendCounter::new(CounterId(0), 100);
        medium.stored = 100;
        counter.advance_to(InvocationCounter(50), 1000).unwrap();
        assert_eq!(counter.upcoming().value(), 100);
        assert!(counter.advance_to(InvocationCounter(1101), 1000).is_err());
        assert!(counter.advance_to(InvocationCounter(u32::MAX), u32::MAX).is_err());
        counter.advance_to(InvocationCounter(1100), 1000).unwrap();
        assert_eq!(counter.next(&mut medium).unwrap().value(), 1100);
        assert_eq!(medium.stored, 1100 + SendCounter::DEFAULT_STEP);
    }

    #[test]
    fn floors_move_above_what_was_accepted_and_never_down() {
        let mut window = ReplayWindow::new(InvocationCounter(5));
        assert!(window.check(InvocationCounter(4)).is_err());
        window.check(InvocationCounter(5)).unwrap();
        window.accept(InvocationCounter(5));
        assert_eq!(window.lowest_acceptable().value(), 6);
        window.accept(InvocationCounter(2));
        assert_eq!(window.lowest_acceptable().value(), 6);
        assert!(window.check(InvocationCounter::EXHAUSTED).is_err());
        window.accept(InvocationCounter(u32::MAX - 1));
        assert!(window.check(InvocationCounter(u32::MAX - 1)).is_err());
        let careful = ReplayWindow::new(InvocationCounter(5)).with_max_jump(10);
        careful.check(InvocationCounter(15)).unwrap();
        assert!(careful.check(InvocationCounter(16)).is_err());
    }

    #[test]
    fn what_has_no_tag_shuts_out_nothing_that_has_one() {
        let last = InvocationCounter(u32::MAX - 1);
        let mut window = ReplayWindow::new(InvocationCounter(5));
        assert!(window.for_unauthenticated().check(InvocationCounter(4)).is_err());
        window.for_unauthenticated().check(last).unwrap();
        window.accept_unauthenticated(last);
        assert!(window.for_unauthenticated().check(last).is_err());
        window.check(InvocationCounter(5)).unwrap();
        // What has a tag opens the way again, above itself.
        window.accept(InvocationCounter(5));
        assert!(window.for_unauthenticated().check(InvocationCounter(5)).is_err());
        window.for_unauthenticated().check(InvocationCounter(6)).unwrap();
    }

    #[derive(Clone, Debug)]
    enum Event {
        Send,
        CutPower,
        CutPowerBeforeWrite,
        CutPowerAfterWrite,
        Hint(u32),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            8 => Just(Event::Send),
            1 => Just(Event::CutPower),
            1 => Just(Event::CutPowerBeforeWrite),
            1 => Just(Event::CutPowerAfterWrite),
            1 => (0..40u32).prop_map(Event::Hint),
        ]
    }

    proptest! {
        /// Whenever power is cut, no value leaves twice.
        #[test]
        fn no_value_is_used_twice(
            start in prop_oneof![Just(0u32), Just(u32::MAX - 20)],
            step in 1..6u32,
            events in prop::collection::vec(event(), 0..200),
        ) {
            let mut medium = Medium { stored: start, ..Medium::default() };
            let mut counter = SendCounter::new(CounterId(1), medium.stored).with_step(step);
            let mut used = BTreeSet::new();
            for event in events {
                let restart = match event {
                    Event::Send => {
                        match counter.next(&mut medium) {
                            Ok(value) => prop_assert!(used.insert(value) && value.value() < medium.stored),
                            Err(error) => prop_assert_eq!(error, SecurityError::CounterExhausted),
                        }
                        false
                    }
                    Event::Hint(ahead) => {
                        let hint = InvocationCounter(counter.upcoming().value().saturating_add(ahead));
                        let _ = counter.advance_to(hint, 30);
                        false
                    }
                    Event::CutPower => true,
                    Event::CutPowerBeforeWrite => {
                        // The values reserved before still leave; the next reservation dies before the write.
                        medium.fail_before = true;
                        while let Ok(value) = counter.next(&mut medium) {
                            prop_assert!(used.insert(value));
                        }
                        medium.fail_before = false;
                        true
                    }
                    Event::CutPowerAfterWrite => {
                        medium.fail_after = true;
                        while let Ok(value) = counter.next(&mut medium) {
                            prop_assert!(used.insert(value));
                        }
                        medium.fail_after = false;
                        true
                    }
                };
                if restart {
                    counter = SendCounter::new(CounterId(1), medium.stored).with_step(step);
                }
            }
        }

        /// Whatever arrives in whatever order, no counter is accepted twice.
        #[test]
        fn no_value_is_accepted_twice(received in prop::collection::vec((0..50u32, any::<bool>()), 0..100)) {
            let mut window = ReplayWindow::default();
            let mut accepted = Vec::new();
            for (value, tag_matches) in received {
                let before = window;
                let counter = InvocationCounter(value);
                if window.check(counter).is_ok() && tag_matches {
                    window.accept(counter);
                    prop_assert!(accepted.last().is_none_or(|last| *last < value));
                    accepted.push(value);
                } else {
                    prop_assert_eq!(before, window);
                }
            }
        }
    }
}
