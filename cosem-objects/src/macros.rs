//! `interface_class!`: the one definition of a class.
//!
//! From it come, on the type of the class: the constant `CLASS`, one [`Attribute`](crate::Attribute) or
//! [`Method`](crate::Method) constant for each attribute and method (the client's side), and the implementation of
//! [`Object`](crate::Object) (the server's side), whose arms stand beside the attributes that they serve.

macro_rules! interface_class {
    (
        class $id:literal $name:literal version $version:literal, first method at $first:expr;
        constants on $marker:ty;
        object impl[$($generics:tt)*] $type:ty;
        $(named($named:ident, $naming:ident) $name_body:block)?
        attributes {
            $($index:literal $attribute:ident $constant:ident: $value:ty = $notation:literal $kind:tt
                $([$($selector:literal),*])?
                get($getter:ident, $get:ident) $get_body:block
                $(set($setter:ident, $set:ident) $set_body:block)?
            )*
        }
        methods {
            $($method_index:literal $method:ident $method_constant:ident: $parameter:ty = $parameter_notation:literal
                $presence:ident
                ($invoker:ident, $call:ident) $method_body:block
            )*
        }
        $(versions($versioned:ident) $class:block)?
        $(behaviour { $($behaviour:item)* })?
    ) => {
        impl $marker {
            #[doc = concat!("The definition of ", $name, ", class ", $id, ", version ", $version, ".")]
            pub const CLASS: $crate::InterfaceClass = $crate::InterfaceClass {
                id: $id,
                version: $version,
                name: $name,
                attributes: &[
                    $crate::AttributeInfo {
                        index: 1,
                        name: "logical_name",
                        data_type: "octet-string[6]",
                        is_static: true,
                        selectors: &[],
                    },
                    $($crate::AttributeInfo {
                        index: $index,
                        name: stringify!($attribute),
                        data_type: $notation,
                        is_static: interface_class!(@is_static $kind),
                        selectors: &[$($($selector),*)?],
                    },)*
                ],
                methods: &[
                    $($crate::MethodInfo {
                        index: $method_index,
                        name: stringify!($method),
                        parameter: $parameter_notation,
                        is_mandatory: interface_class!(@is_mandatory $presence),
                    },)*
                ],
                first_method_offset: $first,
            };

            /// Attribute 1, `logical_name`.
            pub const LOGICAL_NAME: $crate::Attribute<dlms_obis::LogicalName> = $crate::Attribute::new($id, 1);
            $(
                #[doc = concat!("Attribute ", $index, ", `", stringify!($attribute), "`: `", $notation, "`.")]
                pub const $constant: $crate::Attribute<$value> = $crate::Attribute::new($id, $index);
            )*
            $(
                #[doc = concat!("Method ", $method_index, ", `", stringify!($method), "`: `", $parameter_notation, "`.")]
                pub const $method_constant: $crate::Method<$parameter> = $crate::Method::new($id, $method_index);
            )*
        }

        impl<$($generics)*> $crate::Object for $type {
            fn class(&self) -> &'static $crate::ClassOutline {
                const DEFINED: &$crate::ClassOutline = &<$marker>::CLASS.outline();
                $(
                    let $versioned = self;
                    return $class;
                )?
                #[allow(unreachable_code)]
                DEFINED
            }

            fn logical_name(&self) -> dlms_obis::LogicalName {
                self.logical_name
            }

            fn get(
                &self,
                attribute: i8,
                selector: Option<$crate::AccessSelector<'_>>,
                context: &$crate::Context<'_>,
                encoder: &mut dlms_axdr::Encoder<'_>,
            ) -> Result<(), $crate::GetError> {
                let selector_id = selector.map(|selector| selector.selector);
                $crate::object::check_get($crate::Object::class(self), attribute, selector_id)?;
                #[allow(unused_variables)]
                let request = $crate::object::Get { selector, context, encoder };
                match attribute {
                    1 => {
                        let name = self.logical_name;
                        $(
                            let ($named, $naming) = (self, request.context);
                            let name = if $name_body { $crate::classes::CURRENT_ASSOCIATION } else { name };
                        )?
                        dlms_axdr::Encode::encode(&name, request.encoder)?;
                        Ok(())
                    }
                    $($index => {
                        #[allow(unused_variables)]
                        let ($getter, $get) = (self, request);
                        $get_body
                    })*
                    _ => Err($crate::DataAccessResult::ReadWriteDenied.into()),
                }
            }

            fn set(
                &mut self,
                attribute: i8,
                selector: Option<$crate::AccessSelector<'_>>,
                value: dlms_axdr::Data<'_>,
                effects: &mut $crate::Effects,
            ) -> Result<(), $crate::DataAccessResult> {
                $crate::object::check_set($crate::Object::class(self), attribute, selector.is_some())?;
                #[allow(unused_variables)]
                let request = $crate::object::Set { value, effects };
                match attribute {
                    $($($index => {
                        #[allow(unused_variables)]
                        let ($setter, $set) = (self, request);
                        $set_body
                    })?)*
                    _ => Err($crate::DataAccessResult::ReadWriteDenied),
                }
            }

            fn invoke(
                &mut self,
                method: i8,
                parameter: dlms_axdr::Data<'_>,
                effects: &mut $crate::Effects,
                // None of the classes here returns a value.
                _encoder: &mut dlms_axdr::Encoder<'_>,
            ) -> Result<(), $crate::ActionResult> {
                if !$crate::Object::class(self).has_method(method) {
                    return Err($crate::ActionResult::ReadWriteDenied);
                }
                #[allow(unused_variables)]
                let request = $crate::object::Invoke { parameter, effects };
                match method {
                    $($method_index => {
                        #[allow(unused_variables)]
                        let ($invoker, $call) = (self, request);
                        $method_body
                    })*
                    _ => Err($crate::ActionResult::ReadWriteDenied),
                }
            }

            $($($behaviour)*)?
        }
    };
    (@is_static static) => { true };
    (@is_static dynamic) => { false };
    (@is_static unspecified) => { false };
    (@is_mandatory mandatory) => { true };
    (@is_mandatory optional) => { false };
}

/// An enumeration of the standard with its codes; `try_from` refuses codes that it does not define.
macro_rules! enumeration {
    ($(#[$doc:meta])* $name:ident, $expected:literal { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $code,)*
        }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code on the wire.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The value with this code, if the standard defines one.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl dlms_axdr::Encode for $name {
            fn encode(&self, encoder: &mut dlms_axdr::Encoder<'_>) -> Result<(), dlms_axdr::BufferFull> {
                encoder.octets(&[22, self.code()])
            }
        }

        impl dlms_axdr::FromData<'_> for $name {
            fn from_data(data: dlms_axdr::Data<'_>) -> Result<Self, dlms_axdr::TypeMismatch> {
                match data {
                    dlms_axdr::Data::Enum(code) => Self::from_code(code),
                    _ => None,
                }
                .ok_or(dlms_axdr::TypeMismatch::new($expected))
            }
        }

        impl $crate::AttributeType for $name {
            type Value<'a> = Self;

            fn decode(data: dlms_axdr::Data<'_>) -> Result<Self, dlms_axdr::TypeMismatch> {
                dlms_axdr::FromData::from_data(data)
            }
        }
    };
}

/// A structure of the standard: its fields in order, each of which is encoded and decoded by its own type.
macro_rules! structure {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $count:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl dlms_axdr::Encode for $name {
            fn encode(&self, encoder: &mut dlms_axdr::Encoder<'_>) -> Result<(), dlms_axdr::BufferFull> {
                encoder.octets(&[2, $count])?;
                $(dlms_axdr::Encode::encode(&self.$field, encoder)?;)*
                Ok(())
            }
        }

        impl dlms_axdr::FromData<'_> for $name {
            fn from_data(data: dlms_axdr::Data<'_>) -> Result<Self, dlms_axdr::TypeMismatch> {
                let mismatch = dlms_axdr::TypeMismatch::new($expected);
                let dlms_axdr::Data::Structure(fields) = data else { return Err(mismatch) };
                if fields.len() != $count {
                    return Err(mismatch);
                }
                let mut fields = fields.iter();
                Ok(Self {
                    $($field: fields.next_value(mismatch)?,)*
                })
            }
        }

        impl $crate::AttributeType for $name {
            type Value<'a> = Self;

            fn decode(data: dlms_axdr::Data<'_>) -> Result<Self, dlms_axdr::TypeMismatch> {
                dlms_axdr::FromData::from_data(data)
            }
        }
    };
}

pub(crate) use {enumeration, interface_class, structure};
