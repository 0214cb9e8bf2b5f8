//! A logical device: its objects and their access rights.

use dlms_obis::LogicalName;

use crate::{AccessRights, Object};

/// One of the associations that a logical device offers, by its place in the device's own list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AssociationId(pub u8);

/// A collection of objects. Indices are stable and dense: `0..object_count()`.
pub trait LogicalDevice {
    /// How many objects there are.
    fn object_count(&self) -> usize;

    /// The object at `index`.
    fn object(&self, index: usize) -> Option<&dyn Object>;

    /// The object at `index`, to be changed.
    fn object_mut(&mut self, index: usize) -> Option<&mut dyn Object>;

    /// The rights of an association to an attribute.
    fn attribute_access(&self, association: AssociationId, index: usize, attribute: i8) -> AccessRights;

    /// The rights of an association to a method.
    fn method_access(&self, association: AssociationId, index: usize, method: i8) -> AccessRights;

    /// Whether the object appears in the association's object_list and can be accessed there at all.
    fn is_visible(&self, association: AssociationId, index: usize) -> bool;

    /// The place of the object with this class and logical name. The default looks at each object in turn.
    fn find(&self, class_id: u16, logical_name: LogicalName) -> Option<usize> {
        (0..self.object_count()).find(|&index| {
            self.object(index)
                .is_some_and(|object| object.class().id == class_id && object.logical_name() == logical_name)
        })
    }

    /// The place of the Association object that describes `association`; it also answers to the name of the current
    /// association, 0-0:40.0.0.255.
    fn association_object(&self, association: AssociationId) -> Option<usize>;

    /// The secret of an association, if it was set through its Association object; it takes the place of the
    /// configured one.
    fn secret(&self, association: AssociationId) -> Option<&[u8]> {
        self.object(self.association_object(association)?)?.association_secret()
    }
}

/// The objects of a [`LogicalDevice`] that is a plain struct: writes its `object_count`, `object` and `object_mut`. What
/// is there in some builds only has its `#[cfg]` here too.
///
/// ```
/// use cosem_objects::classes::{Clock, Register, SoftwareClock};
/// use cosem_objects::{AccessRights, AssociationId, LogicalDevice};
///
/// struct Meter {
///     clock: Clock<SoftwareClock>,
///     energy: Register<u32>,
/// }
///
/// impl LogicalDevice for Meter {
///     cosem_objects::objects!(clock, energy);
///
///     fn attribute_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
///         AccessRights::READ
///     }
///
///     fn method_access(&self, _: AssociationId, _: usize, _: i8) -> AccessRights {
///         AccessRights::empty()
///     }
///
///     fn is_visible(&self, _: AssociationId, _: usize) -> bool {
///         true
///     }
///
///     fn association_object(&self, _: AssociationId) -> Option<usize> {
///         None
///     }
/// }
/// ```
#[macro_export]
macro_rules! objects {
    ($($(#[$attribute:meta])* $object:ident),* $(,)?) => {
        fn object_count(&self) -> usize {
            const NAMES: &[&str] = &[$($(#[$attribute])* stringify!($object)),*];
            NAMES.len()
        }

        fn object(&self, index: usize) -> Option<&dyn $crate::Object> {
            let mut left = index;
            $(
                $(#[$attribute])*
                match left.checked_sub(1) {
                    None => return Some(&self.$object),
                    Some(fewer) => left = fewer,
                }
            )*
            let _ = left;
            None
        }

        fn object_mut(&mut self, index: usize) -> Option<&mut dyn $crate::Object> {
            let mut left = index;
            $(
                $(#[$attribute])*
                match left.checked_sub(1) {
                    None => return Some(&mut self.$object),
                    Some(fewer) => left = fewer,
                }
            )*
            let _ = left;
            None
        }
    };
}
