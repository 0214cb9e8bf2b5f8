//! The simulated meter as a logical device: objects made at run time, found by class and name, with the rights of each
//! association.

use std::collections::HashMap;

use cosem_objects::{AccessRights, AssociationId, EncodedValue, LogicalDevice, Object};
use dlms_obis::LogicalName;

use crate::ModelError;
use crate::model::{Association, Item, Model};
use crate::notation::logical_name;
use crate::objects::AnyObject;

/// The objects of a simulated meter.
pub struct MeterDevice {
    pub(crate) objects: Vec<AnyObject>,
    places: HashMap<(u16, LogicalName), usize>,
    /// For each association, for each object.
    rights: Vec<Vec<Rights>>,
    /// For each association, the object that describes it.
    association_objects: Vec<Option<usize>>,
}

/// The rights of one association to one object; what is not named has none.
#[derive(Clone, Debug, Default)]
struct Rights {
    attributes: Vec<AccessRights>,
    methods: Vec<AccessRights>,
}

impl MeterDevice {
    /// The objects of a model, whose clock shows `unix_milliseconds`.
    pub(crate) fn new(model: &Model, unix_milliseconds: i64) -> Result<Self, ModelError> {
        let mut objects = Vec::with_capacity(model.object.len());
        let mut places = HashMap::new();
        for (place, object) in model.object.iter().enumerate() {
            places.insert((object.class, logical_name(&object.ln)?), place);
            objects.push(AnyObject::new(object, model, unix_milliseconds)?);
        }
        let association_objects: Vec<_> = model
            .association
            .iter()
            .map(|association| {
                let name = format!("association_{}", association.id);
                model.object.iter().position(|object| object.class == 15 && object.name == name)
            })
            .collect();
        let rights = model
            .association
            .iter()
            .zip(&association_objects)
            .map(|(association, own)| {
                let objects = model.object.iter().enumerate().map(|(place, object)| {
                    let (attributes, methods) = match Some(place) == *own {
                        true => (&model.own_association.attributes, &model.own_association.methods),
                        false => (&object.attributes, &object.methods),
                    };
                    Rights::new(model, association, attributes, methods)
                });
                objects.collect::<Result<_, _>>()
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { objects, places, rights, association_objects })
    }

    /// The value of a Data object, a Register or an Extended register.
    pub(crate) fn value_mut(&mut self, class_id: u16, name: LogicalName) -> Option<&mut EncodedValue> {
        let place = self.find(class_id, name)?;
        match self.objects.get_mut(place)? {
            AnyObject::Data(data) => Some(&mut data.value),
            AnyObject::Register(register) => Some(&mut register.value),
            AnyObject::ExtendedRegister(register) => Some(&mut register.value),
            _ => None,
        }
    }

    fn rights(&self, association: AssociationId, index: usize) -> Option<&Rights> {
        self.rights.get(usize::from(association.0))?.get(index)
    }
}

impl Rights {
    fn new(
        model: &Model,
        association: &Association,
        attributes: &[Item],
        methods: &[Item],
    ) -> Result<Self, ModelError> {
        let granted = |items: &[Item]| {
            let mut rights = Vec::new();
            for item in items {
                let place =
                    usize::try_from(item.id - 1).map_err(|_| ModelError::Value(item.access.clone()))?;
                if rights.len() <= place {
                    rights.resize(place + 1, AccessRights::empty());
                }
                rights[place] = grant(model, association, &item.access)?;
            }
            Ok::<_, ModelError>(rights)
        };
        let (mut attributes, methods) = (granted(attributes)?, granted(methods)?);
        if attributes.iter().chain(&methods).any(|rights| !rights.is_empty()) {
            // Whoever sees an object may read its name.
            match attributes.first_mut() {
                Some(name) => name.insert(AccessRights::READ),
                None => attributes.push(AccessRights::READ),
            }
        }
        Ok(Self { attributes, methods })
    }
}

/// The rights that an access set gives an association, by its role or by its id.
fn grant(model: &Model, association: &Association, set: &str) -> Result<AccessRights, ModelError> {
    let sets = model.access_set.get(set).ok_or_else(|| ModelError::Value(set.to_owned()))?;
    let mut rights = AccessRights::empty();
    for role in association.access.iter().chain([&association.id]) {
        for letter in sets.get(role).map_or("", String::as_str).chars() {
            rights |= match letter {
                'r' => AccessRights::READ,
                'w' => AccessRights::WRITE,
                'x' => AccessRights::INVOKE,
                _ => return Err(ModelError::Value(set.to_owned())),
            };
        }
    }
    Ok(rights)
}

fn right(rights: &[AccessRights], index: i8) -> AccessRights {
    let place = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
    place.and_then(|place| rights.get(place)).copied().unwrap_or_default()
}

impl LogicalDevice for MeterDevice {
    fn object_count(&self) -> usize {
        self.objects.len()
    }

    fn object(&self, index: usize) -> Option<&dyn Object> {
        self.objects.get(index).map(AnyObject::as_object)
    }

    fn object_mut(&mut self, index: usize) -> Option<&mut dyn Object> {
        self.objects.get_mut(index).map(AnyObject::as_object_mut)
    }

    fn attribute_access(&self, association: AssociationId, index: usize, attribute: i8) -> AccessRights {
        self.rights(association, index).map_or(AccessRights::empty(), |it| right(&it.attributes, attribute))
    }

    fn method_access(&self, association: AssociationId, index: usize, method: i8) -> AccessRights {
        self.rights(association, index).map_or(AccessRights::empty(), |it| right(&it.methods, method))
    }

    fn is_visible(&self, association: AssociationId, index: usize) -> bool {
        !self.attribute_access(association, index, 1).is_empty()
    }

    fn find(&self, class_id: u16, logical_name: LogicalName) -> Option<usize> {
        self.places.get(&(class_id, logical_name)).copied()
    }

    fn association_object(&self, association: AssociationId) -> Option<usize> {
        self.association_objects.get(usize::from(association.0)).copied().flatten()
    }
}
