//! Objects of one device working together: scripts, schedules, the association's view.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use core::time::Duration;

use cosem_objects::classes::*;
use cosem_objects::*;
use dlms_axdr::{Data as Value, Date, OwnedData, Time};
use support::*;

const NEW_YEAR: i64 = 1_767_225_600;

#[test]
fn a_script_writes_and_executes() {
    let mut meter = Meter::new(NEW_YEAR);
    meter.invoke(9, SCRIPTS, 1, Value::LongUnsigned(2)).unwrap();
    assert_eq!(meter.energy.value, 7);
    assert_eq!(meter.profile.entries_in_use(), 1);
    meter.invoke(9, SCRIPTS, 1, Value::LongUnsigned(1)).unwrap();
    assert_eq!(meter.relay.control_state(), ControlState::Disconnected);
    meter.invoke(9, SCRIPTS, 1, Value::LongUnsigned(0)).unwrap();
    assert_eq!(meter.invoke(9, SCRIPTS, 1, Value::LongUnsigned(9)), Err(ActionResult::OtherReason));
    assert_eq!(meter.invoke(9, SCRIPTS, 1, Value::NullData), Err(ActionResult::TypeUnmatched));
    assert_eq!(meter.get(9, SCRIPTS, 2).unwrap(), scripts());
}

#[test]
fn a_script_that_executes_itself_ends() {
    Meter::new(NEW_YEAR).invoke(9, SCRIPTS, 1, Value::LongUnsigned(3)).unwrap();
}

#[test]
fn a_schedule_opens_the_relay() {
    let mut meter = Meter::new(NEW_YEAR);
    // Every day at 02:00 local time, which is 01:00 UTC.
    let times = OwnedData::Array(vec![encoded(&(Time([2, 0, 0, 0]), Date::NOT_SPECIFIED))]);
    meter.set(22, SCHEDULE, 4, times.as_data()).unwrap();
    let minute = Duration::from_secs(60);
    assert!(meter.run(minute * 59, minute).is_empty());
    assert!(meter.relay.output_state());
    let reported = meter.run(minute, minute);
    assert_eq!(reported, [Effect::OutputChanged { control: RELAY, connected: false }]);
    assert!(!meter.relay.output_state());
}

#[test]
fn the_object_list_shows_rights() {
    let meter = Meter::new(NEW_YEAR);
    let octets = meter.get(15, ASSOCIATION, 2).unwrap();
    let data = Value::from_octets(&octets).unwrap();
    let elements: Vec<_> = AssociationLn::OBJECT_LIST.decode(data).unwrap().map(Result::unwrap).collect();
    assert_eq!(elements.len(), 7);
    assert_eq!((elements[0].class_id, elements[0].version, elements[0].logical_name), (8, 0, CLOCK));
    assert_eq!(elements[6].logical_name, CURRENT, "the association lists itself under this name");
    let profile = elements[2];
    assert_eq!(profile.attributes().count(), 8);
    assert_eq!(profile.attribute_rights(2, 3), Some(AccessRights::READ | AccessRights::WRITE));
    assert_eq!(
        profile.attributes().nth(1).unwrap().selectors,
        OwnedData::Array(vec![OwnedData::Integer(1), OwnedData::Integer(2)]).as_data()
    );
    assert_eq!(profile.method_rights(1, 3), Some(AccessRights::INVOKE));
    assert_eq!(profile.method_rights(2, 3), Some(AccessRights::empty()));
    assert_eq!(meter.get(15, ASSOCIATION, 1).unwrap()[2..], *CURRENT.octets());
    for block in 1..300 {
        assert_eq!(meter.select(15, ASSOCIATION, 2, None, block, |_| {}).unwrap(), octets);
    }
}

#[test]
fn an_element_of_the_list_octet_for_octet() {
    let mut meter = Meter::new(NEW_YEAR);
    let only = OwnedData::Array(vec![encoded(&ObjectDefinition { class_id: 3, logical_name: ENERGY })]);
    for (version, expected) in [(3, [0x16, 3, 0x16, 1]), (1, [0x16, 3, 0x16, 1]), (0, [0x16, 3, 0x03, 1])] {
        meter.association.version = version;
        let octets = meter.select(15, ASSOCIATION, 2, Some((3, &only)), 256, |_| {}).unwrap();
        let [.., write, method] = [expected[1], expected[3]];
        let [_, _, method_tag, _] = expected;
        let mut list = vec![0x01, 1, 0x02, 4, 0x12, 0, 3, 0x11, 0, 0x09, 6, 1, 0, 1, 8, 0, 255, 0x02, 2];
        list.extend([0x01, 3, 0x02, 3, 0x0F, 1, 0x16, 1, 0, 0x02, 3, 0x0F, 2, 0x16, write, 0]);
        list.extend([0x02, 3, 0x0F, 3, 0x16, 1, 0, 0x01, 1, 0x02, 2, 0x0F, 1, method_tag, method]);
        assert_eq!(octets, list, "version {version}");
    }
}

#[test]
fn selectors_of_the_object_list() {
    let meter = Meter::new(NEW_YEAR);
    let names = |selector: u8, parameters: &OwnedData| {
        let octets = meter.select(15, ASSOCIATION, 2, Some((selector, parameters)), 4096, |_| {})?;
        let data = Value::from_octets(&octets).unwrap();
        let elements: Vec<_> = AssociationLn::OBJECT_LIST.decode(data).unwrap().map(Result::unwrap).collect();
        let with_rights = elements.iter().any(|it| it.attributes().count() > 0);
        Ok((elements.len(), with_rights))
    };
    let classes = OwnedData::Array(vec![OwnedData::LongUnsigned(7), OwnedData::LongUnsigned(8)]);
    let clock = encoded(&ObjectDefinition { class_id: 8, logical_name: CLOCK });
    let itself = encoded(&ObjectDefinition { class_id: 15, logical_name: CURRENT });
    assert_eq!(names(1, &OwnedData::NullData), Ok((7, false)));
    assert_eq!(names(2, &classes), Ok((2, false)));
    assert_eq!(names(3, &OwnedData::Array(vec![clock.clone(), itself.clone()])), Ok((2, true)));
    assert_eq!(names(4, &clock), Ok((1, true)));
    assert_eq!(names(4, &encoded(&ObjectDefinition { class_id: 3, logical_name: CLOCK })), Ok((0, false)));
    for (selector, parameters) in [(2, &clock), (3, &classes), (4, &classes), (5, &clock), (0, &clock)] {
        let unmatched = GetError::Refused(DataAccessResult::TypeUnmatched);
        assert_eq!(names(selector, parameters), Err(unmatched), "{selector}");
    }
}

#[test]
fn an_association_keeps_its_secret() {
    let mut meter = Meter::new(NEW_YEAR);
    assert_eq!(meter.secret(AssociationId(0)), None);
    meter.set(15, ASSOCIATION, 7, Value::OctetString(b"12345678")).unwrap();
    assert_eq!(meter.secret(AssociationId(0)), Some(&b"12345678"[..]));
    meter.invoke(15, ASSOCIATION, 2, Value::OctetString(b"abcdefgh")).unwrap();
    assert_eq!(meter.secret(AssociationId(0)), Some(&b"abcdefgh"[..]));
    let denied = GetError::Refused(DataAccessResult::ReadWriteDenied);
    assert_eq!(meter.get(15, ASSOCIATION, 7), Err(denied));
    assert_eq!(
        meter.set(15, ASSOCIATION, 7, Value::OctetString(&[0; 65])),
        Err(DataAccessResult::OtherReason)
    );
    assert_eq!(meter.set(15, ASSOCIATION, 7, Value::NullData), Err(DataAccessResult::TypeUnmatched));
}

#[test]
fn attributes_of_an_association() {
    let mut meter = Meter::new(NEW_YEAR);
    let octets = |meter: &Meter, attribute| meter.get(15, ASSOCIATION, attribute).unwrap();
    assert_eq!(octets(&meter, 3), [0x02, 2, 0x0F, 1, 0x12, 0, 1]);
    assert_eq!(octets(&meter, 4), [0x09, 7, 0x60, 0x85, 0x74, 5, 8, 1, 1]);
    assert_eq!(octets(&meter, 8), [0x16, 2]);
    let info = octets(&meter, 5);
    assert_eq!(info, [0x02, 6, 4, 24, 0, 0x1E, 0x1D, 0x12, 2, 0, 0x12, 2, 0, 0x11, 6, 0x0F, 0, 0x09, 0]);
    let info = AssociationLn::XDLMS_CONTEXT_INFO.decode(Value::from_octets(&info).unwrap()).unwrap();
    assert_eq!(info.max_send_pdu_size, 512);
    meter.association.version = 0;
    let name = octets(&meter, 6);
    assert_eq!(name[..9], [0x02, 7, 0x11, 2, 0x11, 16, 0x12, 2, 0xF4]);
    let name = AssociationLn::AUTHENTICATION_MECHANISM_NAME.decode(Value::from_octets(&name).unwrap());
    assert_eq!(name, Ok(AuthenticationMechanismName(1)));
    assert_eq!(meter.get(15, ASSOCIATION, 9), Err(GetError::Refused(DataAccessResult::ReadWriteDenied)));
}

#[test]
fn users() {
    let mut meter = Meter::new(NEW_YEAR);
    let user =
        |id| OwnedData::Structure(vec![OwnedData::Unsigned(id), OwnedData::VisibleString(b"ana".to_vec())]);
    meter.invoke(15, ASSOCIATION, 5, user(1).as_data()).unwrap();
    meter.invoke(15, ASSOCIATION, 5, user(2).as_data()).unwrap();
    assert_eq!(meter.invoke(15, ASSOCIATION, 5, user(3).as_data()), Err(ActionResult::OtherReason));
    meter.invoke(15, ASSOCIATION, 6, user(1).as_data()).unwrap();
    assert_eq!(meter.get(15, ASSOCIATION, 10).unwrap(), [1, 1, 2, 2, 0x11, 2, 0x0A, 3, b'a', b'n', b'a']);
}
