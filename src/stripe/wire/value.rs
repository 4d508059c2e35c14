//! Values that come in several forms: scalars of any type, references by id or expanded,
//! lists with and without their wrapper, metadata that may be `[]`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, number, flag or null; lists and objects are skipped and remembered as `Other`.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Scalar<'a> {
    /// Absent or null.
    #[default]
    Null,
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number that fits.
    Int(i64),
    /// Any other number. Never used as an amount.
    Float(f64),
    /// A flag.
    Bool(bool),
    /// A list or an object.
    Other,
}

impl Scalar<'_> {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The flag, if it is one.
    pub fn flag(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Whether it is absent or null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

fn skip_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(v.to_owned())))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Int(v))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Self::Value, E> {
                Ok(i64::try_from(v).map_or(Scalar::Other, Scalar::Int))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Float(v))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Bool(v))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                skip_seq(seq).map(|()| Scalar::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                skip_map(map).map(|()| Scalar::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// An object or nothing: null, absent, and the `[]` that some encoders make of an empty one.
#[derive(Debug, Clone)]
pub struct Flat<T>(pub Option<Box<T>>);

impl<T> Default for Flat<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// Another object by its id, as an expanded object (also `{id, deleted: true}`), or nothing.
#[derive(Debug, Clone, Default)]
pub enum Reference<'a, T> {
    /// Absent or null.
    #[default]
    Nothing,
    /// Its id.
    Id(Cow<'a, str>),
    /// The object itself.
    Object(Box<T>),
    /// Neither an id nor an object.
    Odd,
}

struct ReferenceVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ReferenceVisitor<T> {
    type Value = Reference<'de, T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id, an object or null")
    }
    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
        Ok(Reference::Id(Cow::Borrowed(v)))
    }
    fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Reference::Id(Cow::Owned(v.to_owned())))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Reference::Nothing)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|o| Reference::Object(Box::new(o)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        skip_seq(seq).map(|()| Reference::Odd)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Reference::Odd)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Reference::Odd)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Reference::Odd)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Reference::Odd)
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Reference<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Flat<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = deserializer.deserialize_any(ReferenceVisitor::<T>(PhantomData))?;
        Ok(match found {
            Reference::Object(object) => Self(Some(object)),
            _ => Self(None),
        })
    }
}

/// A list: Stripe's `{data, has_more, total_count}`, a bare array, or nothing.
#[derive(Debug, Clone)]
pub struct List<T> {
    /// The items that came along.
    pub data: Vec<T>,
    /// Whether Stripe has more of them (it sends ten).
    pub truncated: bool,
    /// Neither a list nor nothing.
    pub odd: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            truncated: false,
            odd: false,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Items<T> {
            fn odd() -> List<T> {
                List {
                    odd: true,
                    ..List::default()
                }
            }
        }
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(List::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = List::default();
                while let Some(item) = seq.next_element()? {
                    list.data.push(item);
                }
                Ok(list)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut list = List::default();
                let mut total = None;
                while let Some(key) = map.next_key::<Scalar<'de>>()? {
                    match key.text().unwrap_or_default() {
                        "data" => {
                            let inner: List<T> = map.next_value()?;
                            list.data = inner.data;
                            list.odd = inner.odd;
                        }
                        "has_more" => {
                            list.truncated |= map.next_value::<Scalar<'de>>()?.flag() == Some(true);
                        }
                        "total_count" => total = map.next_value::<Scalar<'de>>()?.int(),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let here = i64::try_from(list.data.len()).unwrap_or(i64::MAX);
                list.truncated |= total.is_some_and(|total| total > here);
                Ok(list)
            }
            fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
                if v.is_empty() {
                    Ok(List::default())
                } else {
                    Ok(Self::odd())
                }
            }
            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Self::odd())
            }
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Self::odd())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Self::odd())
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Self::odd())
            }
        }
        deserializer.deserialize_any(Items(PhantomData))
    }
}

/// `metadata`: keys and values as written; `[]`, null and anything else is empty.
#[derive(Debug, Clone, Default)]
pub struct Metadata<'a>(pub Vec<(Cow<'a, str>, Scalar<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Metadata<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<'a>(Metadata<'a>);
        impl<'de> Deserialize<'de> for Pairs<'de> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Entries;
                impl<'de> Visitor<'de> for Entries {
                    type Value = Pairs<'de>;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("metadata")
                    }
                    fn visit_map<A: MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut pairs = Vec::new();
                        while let Some(Scalar::Text(key)) = map.next_key::<Scalar<'de>>()? {
                            pairs.push((key, map.next_value()?));
                        }
                        Ok(Pairs(Metadata(pairs)))
                    }
                }
                deserializer.deserialize_map(Entries)
            }
        }
        let found = deserializer.deserialize_any(ReferenceVisitor::<Pairs<'de>>(PhantomData))?;
        Ok(match found {
            Reference::Object(pairs) => pairs.0,
            _ => Self::default(),
        })
    }
}
