//! Every class against the catalogue: ids, versions, names, order, types, kinds, selectors, short names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use cosem_objects::InterfaceClass;
use cosem_objects::classes::{
    AssociationLn, Clock, CommunicationPortProtection, Data, DataProtection, DemandRegister,
    DisconnectControl, ExtendedRegister, FunctionControl, ImageTransfer, ProfileGeneric, Register,
    SapAssignment, ScriptTable, SecuritySetup, SingleActionSchedule,
};

const CLASSES: &[InterfaceClass] = &[
    Data::CLASS,
    Register::CLASS,
    ExtendedRegister::CLASS,
    DemandRegister::CLASS,
    ProfileGeneric::CLASS,
    Clock::CLASS,
    ScriptTable::CLASS,
    AssociationLn::CLASS_VERSION_0,
    AssociationLn::CLASS_VERSION_1,
    AssociationLn::CLASS_VERSION_2,
    AssociationLn::CLASS,
    SapAssignment::CLASS,
    ImageTransfer::CLASS,
    SingleActionSchedule::CLASS,
    DataProtection::CLASS,
    SecuritySetup::CLASS_VERSION_0,
    SecuritySetup::CLASS,
    DisconnectControl::CLASS,
    DisconnectControl::CLASS_VERSION_1,
    FunctionControl::CLASS,
    CommunicationPortProtection::CLASS,
];

#[test]
fn every_class_agrees_with_the_catalogue() {
    let catalogue: toml::Table = toml::from_str(include_str!("data/interface-classes.toml")).unwrap();
    let entries = catalogue["class"].as_array().unwrap();
    assert_eq!(entries.len(), CLASSES.len());
    for (entry, class) in entries.iter().zip(CLASSES) {
        let id = format!("class {} version {}", class.id, class.version);
        assert_eq!(entry["id"].as_integer(), Some(class.id.into()), "{id}");
        assert_eq!(entry["version"].as_integer(), Some(class.version.into()), "{id}");
        assert_eq!(entry["name"].as_str(), Some(class.name), "{id}");
        let first_method = entry.get("first_method").and_then(toml::Value::as_integer);
        assert_eq!(first_method, class.first_method_offset.map(i64::from), "{id}");

        let attributes = entry["attributes"].as_array().unwrap();
        assert_eq!(attributes.len(), class.attributes.len(), "{id}");
        for (entry, attribute) in attributes.iter().zip(class.attributes) {
            let id = format!("{id} attribute {}", attribute.index);
            assert_eq!(entry["index"].as_integer(), Some(attribute.index.into()), "{id}");
            assert_eq!(entry["name"].as_str(), Some(attribute.name), "{id}");
            assert_eq!(entry["type"].as_str(), Some(attribute.data_type), "{id}");
            assert_eq!(entry["kind"].as_str() == Some("static"), attribute.is_static, "{id}");
            let selectors =
                entry.get("selectors").map(|it| it.as_array().unwrap().as_slice()).unwrap_or_default();
            let selectors: Vec<_> = selectors.iter().map(|it| it.as_integer().unwrap() as u8).collect();
            assert_eq!(selectors, attribute.selectors, "{id}");
            assert_eq!(class.attribute_offset(attribute.index), Some((attribute.index as u16 - 1) * 8));
        }

        let methods = entry["methods"].as_array().unwrap();
        assert_eq!(methods.len(), class.methods.len(), "{id}");
        for (entry, method) in methods.iter().zip(class.methods) {
            let id = format!("{id} method {}", method.index);
            assert_eq!(entry["index"].as_integer(), Some(method.index.into()), "{id}");
            assert_eq!(entry["name"].as_str(), Some(method.name), "{id}");
            assert_eq!(entry["parameter"].as_str(), Some(method.parameter), "{id}");
            assert_eq!(entry["presence"].as_str() == Some("mandatory"), method.is_mandatory, "{id}");
        }
    }
}

#[test]
fn short_names() {
    // Register: reset at 0x28; Profile generic: capture at 0x60; Association LN has no short names.
    assert_eq!(Register::CLASS.method_offset(1), Some(0x28));
    assert_eq!(ProfileGeneric::CLASS.method_offset(2), Some(0x60));
    assert_eq!(AssociationLn::CLASS.method_offset(1), None);
    assert_eq!(Register::CLASS.attribute_offset(4), None);
}
