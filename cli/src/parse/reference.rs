//! `CLASS:OBIS:ATTR` and `CLASS:OBIS:METHOD`.

use std::str::FromStr;

use cosem_objects::{AttributeReference, MethodReference};
use dlms_obis::LogicalName;

/// A class, an object and one of its attributes or methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) class_id: u16,
    pub(crate) logical_name: LogicalName,
    pub(crate) index: i8,
}

impl Reference {
    pub(crate) const fn attribute(self) -> AttributeReference {
        AttributeReference {
            class_id: self.class_id,
            logical_name: self.logical_name,
            attribute_index: self.index,
        }
    }

    pub(crate) const fn method(self) -> MethodReference {
        MethodReference { class_id: self.class_id, logical_name: self.logical_name, method_index: self.index }
    }
}

/// The OBIS code in any of its text forms; it may hold colons itself, as in `3:1-0:1.8.0*255:2`.
impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "CLASS:OBIS:NUMBER, as in 3:1-0:1.8.0*255:2";
        let (class_id, rest) = text.split_once(':').ok_or_else(|| form.to_owned())?;
        let (name, index) = rest.rsplit_once(':').ok_or_else(|| form.to_owned())?;
        Ok(Self {
            class_id: class_id.parse().map_err(|_| format!("class {class_id:?} is no number to 65535"))?,
            logical_name: name.parse().map_err(|error| format!("{name:?} is {error}"))?,
            index: index
                .parse()
                .map_err(|_| format!("attribute or method {index:?} is no number from -128 to 127"))?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn any_form_of_the_name() {
        let expected =
            Reference { class_id: 3, logical_name: LogicalName::new(1, 0, 1, 8, 0, 255), index: 2 };
        for text in ["3:1-0:1.8.0*255:2", "3:1.0.1.8.0.255:2", "3:0100010800ff:2", "3:1.8.0:2"] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!("1:0-0:1.0.0:-1".parse::<Reference>().unwrap().index, -1);
    }

    #[test]
    fn errors_name_the_part() {
        let error = |text: &str| text.parse::<Reference>().unwrap_err();
        assert!(error("1.8.0").starts_with("CLASS:OBIS"));
        assert!(error("x:1.8.0:2").starts_with("class \"x\""));
        assert!(error("3:1.8.256:2").contains("offset 4"));
        assert!(error("3:1.8.0:200").starts_with("attribute or method"));
    }
}
