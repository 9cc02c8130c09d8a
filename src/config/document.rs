//! YAML as a tree that remembers its lines, so that every complaint can name one.
//!
//! Scalars keep the characters they were written with: a token that happens to look like a number
//! (`1e10`, `007`) stays what it is. Nothing here knows which keys there are, and no message made here
//! repeats a value, since any value may be a secret.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Error, NonFiniteFloatPolicy, Spanned};

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Node {
    /// The line it begins on, from 1.
    pub(crate) line: u64,
    /// What it is.
    pub(crate) value: Value,
}

/// What a [`Node`] holds.
#[derive(Clone)]
pub(crate) enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// Any other scalar, as written (without its quotes).
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) name: String,
    /// The line of the key, from 1.
    pub(crate) line: u64,
    /// The value.
    pub(crate) node: Node,
}

/// Why a text is not YAML.
pub(crate) struct SyntaxError {
    /// The line, from 1, where it is known.
    pub(crate) line: Option<u64>,
    /// What is wrong, without a word of the text itself.
    pub(crate) message: String,
}

impl Node {
    /// Reads a text that holds one YAML document; an empty text is `null`.
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        // The snippet that this crate adds to its errors would print neighbouring lines, tokens included.
        let options = serde_saphyr::options! {
            with_snippet: false,
            non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        };
        serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options)
            .map(|raw| raw_to_node(raw, text))
            .map_err(|error| SyntaxError {
                line: error.location().map(|location| location.line()),
                message: explain(&error),
            })
    }

    /// A text that stands on no line.
    pub(crate) fn text(text: &str) -> Self {
        Self {
            line: 0,
            value: Value::Text(text.to_owned()),
        }
    }

    /// No value, on no line.
    pub(crate) const fn null() -> Self {
        Self {
            line: 0,
            value: Value::Null,
        }
    }

    /// Whether it has no value.
    pub(crate) const fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }
}

/// Says what is wrong without quoting the text.
fn explain(error: &Error) -> String {
    match error {
        Error::DuplicateMappingKey { .. } => {
            "a key stands here a second time; keep one of the two".to_owned()
        }
        Error::MultipleDocuments { .. } => {
            "a second document begins here; remove the line `---` and what follows".to_owned()
        }
        // The parser's own messages are fixed sentences.
        Error::ExternalMessage { msg, .. } => format!("this is not YAML: {msg}"),
        _ => "this is not YAML that can be read here".to_owned(),
    }
}

/// A value as the parser tells it. Numbers and booleans are told as values, not as the characters
/// they were written with, so those are looked up in the source afterwards.
enum Raw {
    Null,
    Text(String),
    AsWritten,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn raw_to_node(raw: Spanned<Raw>, source: &str) -> Node {
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Text(text),
        Raw::AsWritten => {
            let span = raw.defined.span();
            let written = span
                .byte_offset()
                .zip(span.byte_len())
                .and_then(|(offset, length)| {
                    let start = usize::try_from(offset).ok()?;
                    source.get(start..start.checked_add(usize::try_from(length).ok()?)?)
                });
            Value::Text(written.unwrap_or_default().to_owned())
        }
        Raw::List(items) => Value::List(items.into_iter().map(|item| raw_to_node(item, source)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(name, value)| Entry {
                    line: name.referenced.line(),
                    name: name.value,
                    node: raw_to_node(value, source),
                })
                .collect(),
        ),
    };
    Node {
        line: raw.referenced.line(),
        value,
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(String, u64, Value)> {
        let Ok(Node {
            value: Value::Map(entries),
            ..
        }) = Node::parse(text)
        else {
            panic!("not a map: {text}");
        };
        entries
            .into_iter()
            .map(|entry| (entry.name, entry.line, entry.node.value))
            .collect()
    }

    #[test]
    fn scalars_keep_the_characters_they_were_written_with() {
        let written = [
            "1e10",
            "007",
            "0x1F",
            "yes",
            "-5",
            ".inf",
            "5.50",
            "1_000",
            "99999999999999999999999999999999999999999999",
            "170141183460469231731687303715884105727",
            "-99999999999999999999",
        ];
        for text in written {
            let read = entries(&format!("# ü\nkey: {text}\n"));
            assert!(
                matches!(read.as_slice(), [(name, 2, Value::Text(value))] if name == "key" && value == text),
                "{text}"
            );
        }
    }

    #[test]
    fn null_is_null_unless_quoted() {
        let read = entries("a: null\nb: ~\nc:\nd: 'null'\n");
        assert!(matches!(
            read.iter().map(|(_, _, value)| value).collect::<Vec<_>>().as_slice(),
            [Value::Null, Value::Null, Value::Null, Value::Text(text)] if text == "null"
        ));
    }

    #[test]
    fn syntax_errors_name_the_line_and_quote_nothing() {
        for (text, line) in [
            ("a: 1\na: S3CRET\n", 2),
            ("a: b\nc: \"S3CRET\nd: e\n", 2),
            ("a: *S3CRET\n", 1),
            ("x: y\na: @S3CRET\n", 2),
            ("a: 1\n---\nb: S3CRET\n", 3),
            ("a: b\n  S3CRET: c: d\n", 2),
            ("a: b\n? {S3CRET: 1}\n: S3CRET\n", 2),
            ("a: !!int S3CRET\n", 1),
        ] {
            let Err(error) = Node::parse(text) else {
                panic!("{text} was read");
            };
            assert_eq!(error.line, Some(line), "{text}: {}", error.message);
            assert!(!error.message.contains("S3CRET"), "{text}: {}", error.message);
        }
    }
}
