//! Keys are changed, and it is tried what they are good for.

use cosem_objects::classes::SecuritySetup;
use dlms::KeyRing;
use dlms::client::broadcast::{self, Broadcast};
use dlms::client::rotation::{
    Access, KeyRotation, NewRotation, Parties, RotationEnvironment, RotationError, STEP_BUFFER, SetupKeys,
    Step,
};
use dlms::client::{Environment, SetItem};
use dlms::xdlms::AttributeDescriptor;
use dlms_axdr::Data;
use dlms_security::{CounterId, CryptoProvider, KeyId, Protection, SecretKey};

use super::world::{End, Reply, World};
use super::{METER, NOW, OTHER, OWN, SETUP, TEXT, UTILITY};

impl World {
    /// One run of the head-end: it resumes, or begins.
    fn run(&mut self, new: &NewRotation) -> Result<(), End> {
        self.runs += 1;
        self.cut();
        self.open = None;
        let (own, server) = (self.own_key(), self.first_server_key());
        let recorder = self.recorder.clone();
        let parties = own.as_ref().zip(server.as_ref()).map(|(signing_key, server_key)| Parties {
            provider: recorder.public(),
            signing_key,
            server_key,
            client: UTILITY,
            server: METER,
        });
        macro_rules! env {
            () => {
                &mut RotationEnvironment { provider: &recorder, store: &mut self.store, parties }
            };
        }
        let mut rotation = match KeyRotation::resume(env!(), SETUP, self.suite)? {
            Some(rotation) => rotation,
            None => KeyRotation::begin(env!(), SETUP, self.suite, new.clone())?,
        };
        let mut buffer = [0; STEP_BUFFER];
        loop {
            let step = rotation.next(env!(), &mut buffer)?;
            if let Step::Invoke(..) = step {
                assert!(
                    self.store.pending.as_ref().is_some_and(|pending| pending.is_requested),
                    "stored first"
                );
            }
            let reply = match step {
                Step::Done => return Ok(()),
                Step::Associate(Access::Other) => self.associate(OTHER, &self.other_keys(), server)?,
                Step::Associate(access) => self.associate(OWN, &rotation.keys(access).unwrap(), server)?,
                step => self.perform(&step)?,
            };
            rotation.answer(env!(), reply.answer())?;
        }
    }

    /// Runs the head-end until a key is committed and nothing is pending; gives what its last run came to.
    pub fn rotate(&mut self, new: &NewRotation) -> Result<(), End> {
        let commits = self.store.commits;
        for _ in 0..12 {
            let ended = self.run(new);
            self.store.was_killed = false;
            match ended {
                Ok(()) => return Ok(()),
                // Killed between the commit and the end.
                Err(_) if self.store.commits > commits && self.store.pending.is_none() => return Ok(()),
                Err(End::Failed(RotationError::Refused(result))) => {
                    return Err(End::Failed(RotationError::Refused(result)));
                }
                Err(_) => {}
            }
        }
        panic!("no end is in sight")
    }

    /// Whether an association opens with these keys, and something can be read in it.
    pub fn opens_with(&mut self, keys: &SetupKeys) -> bool {
        let server = self.first_server_key();
        if !matches!(self.associate(OWN, keys, server), Ok(Reply::Associated)) {
            return false;
        }
        let policy = cosem_objects::classes::SecuritySetup::SECURITY_POLICY.of(SETUP).into();
        matches!(self.perform(&Step::Read(policy)), Ok(Reply::Returned(_)))
    }

    /// A key_transfer of the authentication key as it is, under a master key.
    pub fn transfers_under(&mut self, master: &SecretKey) -> bool {
        let keys = self.store.setup_keys();
        assert!(self.opens_with(&keys));
        let kek = self.recorder.wrap_key(self.suite, master).unwrap();
        let same = self.store.key(KeyId::Authentication);
        let mut buffer = [0; STEP_BUFFER];
        let parameter = dlms::client::security_setup::key_transfer(
            &self.recorder,
            self.suite,
            &kek,
            &[(KeyId::Authentication, same)],
            &mut buffer,
        );
        let method = SecuritySetup::KEY_TRANSFER.of(SETUP).into();
        matches!(self.perform(&Step::Invoke(method, parameter.unwrap())), Ok(Reply::Returned(None)))
    }

    /// Whether the meter does what a broadcast under this key says.
    pub fn hears_broadcast(&mut self, key: &SecretKey) -> bool {
        let text = self.recorder.reveal(key)[..8].to_vec();
        let keys = self.store.setup_keys();
        assert!(self.opens_with(&keys));
        let fingerprint = self.recorder.fingerprint(UTILITY, key).unwrap();
        let id = CounterId(u32::from_be_bytes(*fingerprint.octets().first_chunk().unwrap()));
        let mut ring = KeyRing::new();
        ring.set_broadcast_key(&self.recorder, self.suite, key, id, 0).unwrap();
        let open = self.open.as_mut().unwrap();
        let mut env = Environment {
            provider: &self.recorder,
            counters: &mut self.counters,
            security: Some(&mut open.security),
            key_ring: Some(&mut ring),
            public_keys: None,
            manufacturer: None,
            now: NOW,
        };
        let how = Broadcast {
            carrier: dlms::Carrier::ServiceSpecific,
            protection: Protection::AUTHENTICATED_ENCRYPTED,
            recipient: METER,
        };
        let mut out = vec![0; 512];
        let value = Data::OctetString(&text);
        let item = SetItem::new(AttributeDescriptor::new(1, TEXT, 2), &value);
        let range = broadcast::set(&mut env, &how, item, &mut out).unwrap();
        let apdu = out[range].to_vec();
        self.through(&apdu);
        // Over HDLC, the station still waits for an answer.
        assert!(self.opens_with(&keys));
        let read = self.perform(&Step::Read(AttributeDescriptor::new(1, TEXT, 2)));
        matches!(read, Ok(Reply::Returned(Some(read))) if read.ends_with(&text))
    }
}
