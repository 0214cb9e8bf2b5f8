//! The interface classes, each behind the trait that a session sees, and what of them is not behind it.

use cosem_objects::classes::{
    AssociationLn, Clock, CommunicationPortProtection, Data, DataProtection, DemandRegister,
    DisconnectControl, ExtendedRegister, FlashRows, FunctionControl, ImageTransfer, ObjectListElement,
    ProfileGeneric, Register, RowRing, RowStorage, SapAssignment, ScriptTable, SecuritySetup,
    SingleActionSchedule, SoftwareClock,
};
use cosem_objects::rows::CompleteRows;
use cosem_objects::{Object, OctetString, Value};

use crate::outside::{Buffer, Outside};
use crate::{Found, compiled};

const fn object<T: Object>(object: &T) -> &dyn Object {
    object
}

const fn value<T: Value>(value: &T) -> &dyn Value {
    value
}

type Rows = FlashRows<Outside, 64>;
type Ring = RowRing<64, 96>;

fn position<S: RowStorage>(rows: &S, position: u32, out: &mut [u8]) -> Option<usize> {
    rows.with_row(position, |row| {
        let length = row.len().min(out.len());
        out.iter_mut().zip(row).for_each(|(to, from)| *to = *from);
        length
    })
}

fn attributes(element: &ObjectListElement<'_>, each: &mut dyn FnMut(&dyn core::any::Any)) {
    element.attributes().for_each(|entry| each(&entry.mode));
    element.methods().for_each(|entry| each(&entry.mode));
}

fn complete(mut rows: CompleteRows<'_, '_, 8>) -> bool {
    while let Ok(row) = rows.next_row() {
        if row.is_none() {
            return true;
        }
    }
    false
}

pub fn all(found: Found<'_>) {
    compiled![found;
        object::<Data<u32>>, object::<Data<OctetString<32>>>,
        object::<Register<u32>>, object::<Register<i64>>, object::<Register<u64>>, object::<Register<u16>>,
        object::<ExtendedRegister<u32, u8>>, ExtendedRegister::<u32, u8>::capture,
        object::<DemandRegister<i32, u8, 15>>, DemandRegister::<i32, u8, 15>::new,
        object::<Clock<SoftwareClock>>, object::<Clock<Outside>>, object::<Clock<()>>,
        Clock::<Outside>::reading, Clock::<Outside>::instant, Clock::<Outside>::with_european_summer_time,
        object::<ProfileGeneric<Ring, 8>>, object::<ProfileGeneric<Rows, 8>>, object::<ProfileGeneric<Outside, 8>>,
        ProfileGeneric::<Outside, 8>::new, ProfileGeneric::<Outside, 8>::sorted, ProfileGeneric::<Outside, 8>::clear,
        ProfileGeneric::<Outside, 8>::revision, ProfileGeneric::<Outside, 8>::capture_objects,
        Rows::open, Rows::into_flash, <Rows as RowStorage>::insert, <Rows as RowStorage>::remove, position::<Rows>,
        Ring::new, <Ring as RowStorage>::insert, <Ring as RowStorage>::remove, position::<Ring>,
        complete, CompleteRows::<8>::new,
        object::<DisconnectControl<Outside>>, DisconnectControl::<Outside>::trigger,
        object::<ImageTransfer<Outside, 64>>, ImageTransfer::<Outside, 64>::restore, object::<ImageTransfer<(), 1>>,
        object::<FunctionControl<8, 4>>, FunctionControl::<8, 4>::is_enabled, FunctionControl::<8, 4>::status,
        object::<SingleActionSchedule<8>>, SingleActionSchedule::<8>::set_execution_time,
        object::<AssociationLn<8>>, AssociationLn::<8>::new, AssociationLn::<8>::set_secret, attributes,
        ObjectListElement::attribute_rights, ObjectListElement::method_rights,
        object::<ScriptTable<Buffer>>, ScriptTable::<Buffer>::new,
        object::<SapAssignment<4>>, SapAssignment::<4>::connect,
        object::<SecuritySetup>,
        object::<DataProtection<512>>,
        object::<CommunicationPortProtection>,
        value::<u32>, value::<OctetString<32>>, value::<bool>, value::<i8>,
    ];
}
