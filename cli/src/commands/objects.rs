//! `dlms objects`: the association's object list with access rights.

use cosem_objects::classes::AssociationLn;
use cosem_objects::{AccessRights, AttributeReference};
use dlms_axdr::Data;
use dlms_obis::LogicalName;
use serde::Serialize;

use super::read::{self, Item, Reading};
use crate::args::ObjectsArgs;
use crate::classes;
use crate::failure::{Exit, Failure, Result};
use crate::output::{self, progress, table::Sheet};
use crate::parse::hex;
use crate::session::{Session, refused};

/// The current association.
const ASSOCIATION: LogicalName = LogicalName::new(0, 0, 40, 0, 0, 255);
const ASSOCIATION_LN: u16 = 15;
/// How many attributes are asked for at once.
const LIST: usize = 16;

/// An object that the association shows.
pub(crate) struct Listed {
    pub(crate) class_id: u16,
    pub(crate) version: u8,
    pub(crate) logical_name: LogicalName,
    pub(crate) attributes: Vec<Right>,
    pub(crate) methods: Vec<Right>,
}

/// The access to one attribute or method.
pub(crate) struct Right {
    pub(crate) index: i8,
    pub(crate) mode: u8,
    /// What the mode means; `None` if the version of the association does not define it.
    pub(crate) rights: Option<AccessRights>,
    pub(crate) selectors: Vec<i128>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ObjectItem {
    class_id: u16,
    version: u8,
    instance_id: String,
    attributes: Vec<AttributeItem>,
    methods: Vec<MethodItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Item>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct AttributeItem {
    attribute_id: i8,
    access_mode: u8,
    access: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    access_selectors: Vec<i128>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct MethodItem {
    method_id: i8,
    access_mode: u8,
    access: Vec<String>,
}

/// Reads the object list.
pub(crate) async fn list(session: &mut Session) -> Result<Vec<Listed>> {
    let attribute = AssociationLn::<0>::OBJECT_LIST.of(ASSOCIATION);
    let data = session.get(attribute).await?.map_err(|result| refused("the object list", result))?;
    listed(data.as_data()).ok_or_else(|| {
        Failure::new(Exit::Malformed, "objects", "object-list", "the answer is no object list")
            .about(read::subject(attribute))
    })
}

fn listed(data: Data<'_>) -> Option<Vec<Listed>> {
    let list = AssociationLn::<0>::OBJECT_LIST.decode(data).ok()?;
    let elements: Vec<_> = list.collect::<std::result::Result<_, _>>().ok()?;
    // What an access mode means depends on the version of the association, which lists itself.
    let version = elements
        .iter()
        .find(|element| element.class_id == ASSOCIATION_LN && element.logical_name == ASSOCIATION)
        .map_or(1, |element| element.version);
    let selectors = |data: Data<'_>| {
        data.elements().into_iter().flatten().filter_map(|selector| selector.integer()).collect()
    };
    Some(
        elements
            .iter()
            .map(|element| Listed {
                class_id: element.class_id,
                version: element.version,
                logical_name: element.logical_name,
                attributes: element
                    .attributes()
                    .map(|entry| Right {
                        index: entry.index,
                        mode: entry.mode,
                        rights: AccessRights::from_attribute_mode(entry.mode, version),
                        selectors: selectors(entry.selectors),
                    })
                    .collect(),
                methods: element
                    .methods()
                    .map(|entry| Right {
                        index: entry.index,
                        mode: entry.mode,
                        rights: AccessRights::from_method_mode(entry.mode, version),
                        selectors: Vec::new(),
                    })
                    .collect(),
            })
            .collect(),
    )
}

impl Listed {
    /// The attributes that may be read; all, if the list came without rights.
    pub(crate) fn readable(&self) -> Vec<AttributeReference> {
        self.attributes
            .iter()
            .filter(|right| right.rights.is_none_or(|rights| rights.contains(AccessRights::READ)))
            .map(|right| AttributeReference {
                class_id: self.class_id,
                logical_name: self.logical_name,
                attribute_index: right.index,
            })
            .collect()
    }

    fn item(&self, values: Option<Vec<Item>>) -> ObjectItem {
        ObjectItem {
            class_id: self.class_id,
            version: self.version,
            instance_id: hex::text(self.logical_name.octets()),
            attributes: self
                .attributes
                .iter()
                .map(|right| AttributeItem {
                    attribute_id: right.index,
                    access_mode: right.mode,
                    access: right.words("read"),
                    access_selectors: right.selectors.clone(),
                })
                .collect(),
            methods: self
                .methods
                .iter()
                .map(|right| MethodItem {
                    method_id: right.index,
                    access_mode: right.mode,
                    access: right.words("invoke"),
                })
                .collect(),
            values,
        }
    }

    fn cells(&self) -> [String; 6] {
        let attributes: Vec<_> = self.attributes.iter().map(|right| right.short(["r", "w"])).collect();
        let methods: Vec<_> = self
            .methods
            .iter()
            .filter(|right| right.rights.is_none_or(|rights| rights.contains(AccessRights::INVOKE)))
            .map(|right| right.short(["", ""]))
            .collect();
        [
            self.logical_name.to_string(),
            format!("{} v{}", self.class_id, self.version),
            classes::name(self.class_id).to_owned(),
            self.logical_name.describe().map(|words| words.to_string()).unwrap_or_default(),
            attributes.join(" "),
            methods.join(" "),
        ]
    }
}

impl Right {
    /// `first` is the name of bit 0.
    fn words(&self, first: &str) -> Vec<String> {
        let Some(rights) = self.rights else { return vec!["unknown".to_owned()] };
        let names = [
            (AccessRights::READ, first),
            (AccessRights::WRITE, "write"),
            (AccessRights::AUTHENTICATED_REQUEST, "authenticated-request"),
            (AccessRights::ENCRYPTED_REQUEST, "encrypted-request"),
            (AccessRights::SIGNED_REQUEST, "signed-request"),
            (AccessRights::AUTHENTICATED_RESPONSE, "authenticated-response"),
            (AccessRights::ENCRYPTED_RESPONSE, "encrypted-response"),
            (AccessRights::SIGNED_RESPONSE, "signed-response"),
        ];
        names.iter().filter(|(bit, _)| rights.contains(*bit)).map(|(_, name)| (*name).to_owned()).collect()
    }

    /// `2rw`, `3-`, with a star where protection is asked for.
    fn short(&self, letters: [&str; 2]) -> String {
        let Some(rights) = self.rights else { return format!("{}?", self.index) };
        let mut text = self.index.to_string();
        if letters != ["", ""] {
            let before = text.len();
            for (bit, letter) in [AccessRights::READ, AccessRights::WRITE].into_iter().zip(letters) {
                text.push_str(if rights.contains(bit) { letter } else { "" });
            }
            if text.len() == before {
                text.push('-');
            }
        }
        if rights.bits() > 3 {
            text.push('*');
        }
        text
    }
}

pub(crate) async fn run(args: &ObjectsArgs, json: bool) -> Result<()> {
    let target = args.connection.resolve()?;
    let mut session = Session::open(&target).await?;
    let result = gather(&mut session, args.values).await;
    session.release().await;
    let (objects, values) = result?;
    if json {
        let mut values = values.map(Vec::into_iter);
        let items: Vec<_> = objects
            .iter()
            .map(|object| {
                let readings = values.as_mut().and_then(Iterator::next);
                object.item(readings.map(|readings| readings.iter().map(Reading::item).collect()))
            })
            .collect();
        return output::json(&items);
    }
    match values {
        None => {
            let head = ["object", "class", "", "is", "attributes", "methods"];
            let mut sheet = Sheet::new(head, vec![]);
            objects.iter().for_each(|object| sheet.row(object.cells()));
            output::text(&sheet.text())?;
        }
        Some(values) => {
            values.iter().flatten().try_for_each(|reading| output::text(&reading.text()))?;
        }
    }
    Ok(())
}

type Values = Option<Vec<Vec<Reading>>>;

async fn gather(session: &mut Session, with_values: bool) -> Result<(Vec<Listed>, Values)> {
    let objects = list(session).await?;
    if !with_values {
        return Ok((objects, None));
    }
    let total: usize = objects.iter().map(|object| object.readable().len()).sum();
    let bar = progress::bar("attributes", Some(total as u64));
    let mut values = Vec::with_capacity(objects.len());
    for object in &objects {
        let mut readings = Vec::new();
        for attributes in object.readable().chunks(LIST) {
            readings.extend(read::readings(session, attributes).await?);
            bar.inc(attributes.len() as u64);
        }
        values.push(readings);
    }
    bar.finish_and_clear();
    Ok((objects, Some(values)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use dlms_axdr::OwnedData;

    #[test]
    fn rights_in_words() {
        let entry = |id: u8, mode: u8| {
            OwnedData::Structure(vec![
                OwnedData::Integer(id as i8),
                OwnedData::Enum(mode),
                OwnedData::Array(vec![OwnedData::Integer(1), OwnedData::Integer(2)]),
            ])
        };
        let object = OwnedData::Structure(vec![
            OwnedData::LongUnsigned(7),
            OwnedData::Unsigned(1),
            OwnedData::OctetString(vec![1, 0, 99, 1, 0, 255]),
            OwnedData::Structure(vec![
                OwnedData::Array(vec![entry(1, 1), entry(2, 4), entry(3, 0), entry(4, 99)]),
                OwnedData::Array(vec![OwnedData::Structure(vec![OwnedData::Integer(1), OwnedData::Enum(1)])]),
            ]),
        ]);
        let list = listed(OwnedData::Array(vec![object]).as_data()).unwrap();
        let cells = list[0].cells();
        assert_eq!((cells[0].as_str(), cells[1].as_str()), ("1-0:99.1.0*255", "7 v1"));
        assert_eq!((cells[4].as_str(), cells[5].as_str()), ("1r 2r* 3- 4?", "1"));
        assert_eq!(list[0].readable().len(), 3);
        let json = serde_json::to_string(&list[0].item(None)).unwrap();
        assert!(json.contains(r#""attribute-id":2,"access-mode":4,"access":["read","authenticated-request"],"access-selectors":[1,2]"#), "{json}");
    }
}
