//! The security policy is raised: security_activate, and whether it took effect.
//!
//! Both possible states are met with one association, whose requests have the protection that the new policy demands:
//! more than is required is always taken. The policy that is read in it tells which state it is, so nothing needs to be
//! stored: to resume is to begin anew.

use cosem_objects::classes::SecuritySetup;
use dlms_axdr::{Data, Enum, FromData};
use dlms_obis::LogicalName;

use super::{Access, Answer, RotationError, Step, Tries};

/// A security policy that is to be in force. See the [module](super) for how it is driven.
#[derive(Debug)]
pub struct PolicyRaise {
    setup: LogicalName,
    policy: u8,
    state: State,
    is_open: bool,
    tries: Tries,
    requests: Tries,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Read,
    Activate,
    Finished,
}

impl PolicyRaise {
    /// The policy, in the numbers of the version of the object: 0 to 3 in version 0, bits in version 1. Both are sets that
    /// only grow.
    pub const fn new(setup: LogicalName, policy: u8) -> Self {
        Self { setup, policy, state: State::Read, is_open: false, tries: Tries(0), requests: Tries(0) }
    }

    /// What to do next; the same again until [`PolicyRaise::answer`] is called. An association is opened with
    /// [`Access::Pending`]: with the protection that the new policy demands.
    ///
    /// # Errors
    /// `buffer` is shorter than 2 octets.
    pub fn next<'s>(&mut self, buffer: &'s mut [u8]) -> Result<Step<'s>, RotationError> {
        match self.state {
            State::Finished => Ok(Step::Done),
            _ if !self.is_open => Ok(Step::Associate(Access::Pending)),
            State::Read => Ok(Step::Read(SecuritySetup::SECURITY_POLICY.of(self.setup).into())),
            State::Activate => {
                let parameter = super::encoded(&Enum(self.policy), buffer)?;
                Ok(Step::Invoke(SecuritySetup::SECURITY_ACTIVATE.of(self.setup).into(), parameter))
            }
        }
    }

    /// Takes what came of the last step.
    ///
    /// # Errors
    /// Why the policy is not known to be in force; whoever begins anew finds out.
    pub fn answer(&mut self, answer: Answer<'_>) -> Result<(), RotationError> {
        match (self.is_open, self.state, answer) {
            (false, _, Answer::Associated) => {
                self.is_open = true;
                self.tries.reset();
                Ok(())
            }
            (false, _, Answer::NotAssociated) => Err(RotationError::NotAssociated),
            (true, State::Read, Answer::Returned(value)) => self.found(value),
            (true, State::Read, Answer::Denied(result)) => Err(RotationError::Refused(result)),
            (true, State::Activate, Answer::Returned(_)) => {
                self.state = State::Read;
                Ok(())
            }
            (true, State::Activate, Answer::Denied(result)) => Err(RotationError::Refused(result)),
            (_, _, Answer::Lost | Answer::Unreached) => {
                self.is_open = false;
                self.state = State::Read;
                self.tries.failed()
            }
            _ => Err(RotationError::Unexpected),
        }
    }

    fn found(&mut self, value: Option<Data<'_>>) -> Result<(), RotationError> {
        let Some(Ok(Enum(policy))) = value.map(Enum::from_data) else {
            return Err(RotationError::Malformed("security_policy"));
        };
        if policy & self.policy == self.policy {
            self.state = State::Finished;
            return Ok(());
        }
        self.requests.failed().map_err(|_| RotationError::NotInUse)?;
        self.state = State::Activate;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SETUP: LogicalName = LogicalName::new(0, 0, 43, 0, 0, 255);

    #[test]
    fn a_lost_answer_is_made_up_for_by_reading() {
        let mut buffer = [0; 2];
        let mut raise = PolicyRaise::new(SETUP, 0x6C);
        assert_eq!(raise.next(&mut buffer), Ok(Step::Associate(Access::Pending)));
        raise.answer(Answer::Associated).unwrap();
        assert!(matches!(raise.next(&mut buffer), Ok(Step::Read(_))));
        raise.answer(Answer::Returned(Some(Data::Enum(0x24)))).unwrap();
        assert!(
            matches!(raise.next(&mut buffer), Ok(Step::Invoke(method, Data::Enum(0x6C))) if method.method_id == 1)
        );
        raise.answer(Answer::Lost).unwrap();
        assert_eq!(raise.next(&mut buffer), Ok(Step::Associate(Access::Pending)));
        raise.answer(Answer::Associated).unwrap();
        assert!(matches!(raise.next(&mut buffer), Ok(Step::Read(_))));
        raise.answer(Answer::Returned(Some(Data::Enum(0x6C)))).unwrap();
        assert_eq!(raise.next(&mut buffer), Ok(Step::Done));
    }

    #[test]
    fn a_policy_that_stays_as_it_is_is_told() {
        let mut raise = PolicyRaise::new(SETUP, 0x6C);
        raise.answer(Answer::Associated).unwrap();
        let mut ended = None;
        for _ in 0..100 {
            let answer = match raise.state {
                State::Read => Answer::Returned(Some(Data::Enum(0))),
                _ => Answer::Returned(None),
            };
            if let Err(error) = raise.answer(answer) {
                ended = Some(error);
                break;
            }
        }
        assert_eq!(ended, Some(RotationError::NotInUse));
        let mut raise = PolicyRaise::new(SETUP, 0x6C);
        assert_eq!(raise.answer(Answer::NotAssociated), Err(RotationError::NotAssociated));
        assert_eq!(raise.answer(Answer::Returned(None)), Err(RotationError::Unexpected));
    }
}
