//! Invoke-Id-And-Priority and Long-Invoke-Id-And-Priority: which request a response answers, and how it is served.
//!
//! ```text
//! Invoke-Id-And-Priority       bit 7 priority | 6 service-class | 5-4 reserved | 3-0 invoke-id
//! Long-Invoke-Id-And-Priority  bit 31 priority | 30 service-class | 29 processing-option | 28 self-descriptive
//!                              | 27-24 reserved | 23-0 long-invoke-id
//! ```
//!
//! A response repeats the octet of the request; not every meter mirrors the bits above the id.

/// The invoke id of a service, with its service class and priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvokeIdAndPriority(pub u8);

impl InvokeIdAndPriority {
    const HIGH_PRIORITY: u8 = 0x80;
    const CONFIRMED: u8 = 0x40;
    const ID: u8 = 0x0F;

    /// The low four bits of `id`, with service class and priority.
    pub const fn new(id: u8, confirmed: bool, high_priority: bool) -> Self {
        let confirmed = if confirmed { Self::CONFIRMED } else { 0 };
        let priority = if high_priority { Self::HIGH_PRIORITY } else { 0 };
        Self(id & Self::ID | confirmed | priority)
    }

    /// The invoke id, 0 to 15.
    pub const fn id(self) -> u8 {
        self.0 & Self::ID
    }

    /// Whether the service is confirmed: a response is wanted.
    pub const fn is_confirmed(self) -> bool {
        self.0 & Self::CONFIRMED != 0
    }

    /// Whether the priority is high.
    pub const fn is_high_priority(self) -> bool {
        self.0 & Self::HIGH_PRIORITY != 0
    }

    /// Whether both mean the same request, whatever the other bits are.
    pub const fn same_id(self, other: Self) -> bool {
        self.id() == other.id()
    }
}

/// The invoke id of ACCESS and DataNotification, with the options of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LongInvokeIdAndPriority(pub u32);

impl LongInvokeIdAndPriority {
    /// The highest id.
    pub const MAX_ID: u32 = 0x00FF_FFFF;
    const HIGH_PRIORITY: u32 = 1 << 31;
    const CONFIRMED: u32 = 1 << 30;
    const BREAK_ON_ERROR: u32 = 1 << 29;
    const SELF_DESCRIPTIVE: u32 = 1 << 28;
    const ID: u32 = Self::MAX_ID;

    /// The low 24 bits of `id`, with service class and priority.
    pub const fn new(id: u32, confirmed: bool, high_priority: bool) -> Self {
        let confirmed = if confirmed { Self::CONFIRMED } else { 0 };
        let priority = if high_priority { Self::HIGH_PRIORITY } else { 0 };
        Self(id & Self::ID | confirmed | priority)
    }

    /// The same, where a list is not gone on with after the first item that fails.
    #[must_use]
    pub const fn break_on_error(self) -> Self {
        Self(self.0 | Self::BREAK_ON_ERROR)
    }

    /// The same, where the request specification is to come back with the response.
    #[must_use]
    pub const fn self_descriptive(self) -> Self {
        Self(self.0 | Self::SELF_DESCRIPTIVE)
    }

    /// The invoke id, 24 bits.
    pub const fn id(self) -> u32 {
        self.0 & Self::ID
    }

    /// Whether the service is confirmed: a response is wanted.
    pub const fn is_confirmed(self) -> bool {
        self.0 & Self::CONFIRMED != 0
    }

    /// Whether the priority is high.
    pub const fn is_high_priority(self) -> bool {
        self.0 & Self::HIGH_PRIORITY != 0
    }

    /// Whether a list is not gone on with after the first item that fails.
    pub const fn is_break_on_error(self) -> bool {
        self.0 & Self::BREAK_ON_ERROR != 0
    }

    /// Whether the request specification is to come back with the response.
    pub const fn is_self_descriptive(self) -> bool {
        self.0 & Self::SELF_DESCRIPTIVE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits() {
        let high = InvokeIdAndPriority(0xC1);
        assert_eq!((high.id(), high.is_confirmed(), high.is_high_priority()), (1, true, true));
        assert_eq!(InvokeIdAndPriority::new(1, true, true), high);
        let unconfirmed = InvokeIdAndPriority(0x81);
        assert_eq!((unconfirmed.id(), unconfirmed.is_confirmed()), (1, false));
        assert!(unconfirmed.same_id(high));
        assert_eq!(InvokeIdAndPriority::new(0xF1, true, false), InvokeIdAndPriority(0x41));

        let long = LongInvokeIdAndPriority(0x4000_0001);
        assert_eq!((long.id(), long.is_confirmed(), long.is_high_priority()), (1, true, false));
        assert_eq!(LongInvokeIdAndPriority::new(0xFF00_0001, true, false), long);
        let options = LongInvokeIdAndPriority(0x3000_01DB);
        assert_eq!(
            (options.id(), options.is_break_on_error(), options.is_self_descriptive()),
            (475, true, true)
        );
        assert_eq!(
            LongInvokeIdAndPriority::new(475, false, false).break_on_error().self_descriptive(),
            options
        );
    }
}
