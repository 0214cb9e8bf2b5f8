//! Data-Access-Result and Action-Result (IEC 62056-5-3).

use dlms_axdr::TypeMismatch;

macro_rules! results {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A code that the standard does not define.
            Unknown(u8),
        }

        impl $name {
            /// The code on the wire.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Unknown(code) => code,
                }
            }

            /// The result with this code.
            pub const fn from_code(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    code => Self::Unknown(code),
                }
            }
        }
    };
}

results! {
    /// The result of reading or writing one attribute, when it is not the value.
    DataAccessResult {
        /// The access was made.
        Success = 0,
        /// A fault of the hardware.
        HardwareFault = 1,
        /// Not now; repeat later.
        TemporaryFailure = 2,
        /// The association has no such right, or the class no such attribute.
        ReadWriteDenied = 3,
        /// No object with this class and logical name.
        ObjectUndefined = 4,
        /// The object has another class.
        ObjectClassInconsistent = 9,
        /// The object is not available.
        ObjectUnavailable = 11,
        /// The value has the wrong type.
        TypeUnmatched = 12,
        /// Outside what this association may see.
        ScopeOfAccessViolated = 13,
        /// The block is not available.
        DataBlockUnavailable = 14,
        /// A long GET was aborted.
        LongGetAborted = 15,
        /// There is no long GET to go on with.
        NoLongGetInProgress = 16,
        /// A long SET was aborted.
        LongSetAborted = 17,
        /// There is no long SET to go on with.
        NoLongSetInProgress = 18,
        /// The block number is not the expected one.
        DataBlockNumberInvalid = 19,
        /// Any other reason.
        OtherReason = 250,
    }
}

results! {
    /// The result of invoking one method.
    ActionResult {
        /// The method was executed.
        Success = 0,
        /// A fault of the hardware.
        HardwareFault = 1,
        /// Not now, or still running; repeat later.
        TemporaryFailure = 2,
        /// The association has no such right, or the class no such method.
        ReadWriteDenied = 3,
        /// No object with this class and logical name.
        ObjectUndefined = 4,
        /// The object has another class.
        ObjectClassInconsistent = 9,
        /// The object is not available.
        ObjectUnavailable = 11,
        /// The parameter has the wrong type.
        TypeUnmatched = 12,
        /// Outside what this association may see.
        ScopeOfAccessViolated = 13,
        /// The block is not available.
        DataBlockUnavailable = 14,
        /// A long ACTION was aborted.
        LongActionAborted = 15,
        /// There is no long ACTION to go on with.
        NoLongActionInProgress = 16,
        /// Any other reason.
        OtherReason = 250,
    }
}

impl From<TypeMismatch> for DataAccessResult {
    fn from(_: TypeMismatch) -> Self {
        Self::TypeUnmatched
    }
}

impl From<TypeMismatch> for ActionResult {
    fn from(_: TypeMismatch) -> Self {
        Self::TypeUnmatched
    }
}
