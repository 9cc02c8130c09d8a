//! How sections of keys are declared, and read.
//!
//! [`section!`] declares a section once: from that one text come the struct, its documentation, the reading
//! of the file and of the environment, and the example file. Which keys there are is said in `sections.rs`,
//! what their values may be in `value.rs`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    document::{Entry, Node, Value},
    problem::Problem,
};

/// What begins the names of the variables that stand for keys.
pub(crate) const VARIABLE_PREFIX: &str = "GITTER_BRIDGE__";

/// A section of the configuration, as its documentation knows it.
pub(crate) struct Section {
    /// Its name; empty for the keys outside of sections.
    pub(crate) name: &'static str,
    /// What it is about, line by line.
    pub(crate) documentation: &'static [&'static str],
    /// Its keys, in the order of the example file.
    pub(crate) keys: &'static [Key],
}

/// A key, as its documentation knows it.
pub(crate) struct Key {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, line by line.
    pub(crate) documentation: &'static [&'static str],
    /// Whether it may be absent, and what holds then.
    pub(crate) presence: Presence,
}

/// Whether a key may be absent. Texts are values as one writes them in YAML.
#[derive(Clone, Copy)]
pub(crate) enum Presence {
    /// It must be set; the text is an example.
    Required(&'static str),
    /// It may be absent; the text is what holds then.
    Default(&'static str),
    /// It may be absent, which means that there is none; the example file sets it to the text.
    Shown(&'static str),
    /// It may be absent, which means that there is none; the text is an example, shown as a comment.
    Hidden(&'static str),
}

/// Declares a section: a struct with a field for each key, how each is read, and whether it may be absent.
macro_rules! section {
    (
        $name:literal
        $(#[doc = $documentation:literal])+
        $visibility:vis $type:ident {
            $(
                $(#[doc = $key_documentation:literal])+
                $key:ident: $value:ty = $read:expr, $presence:ident($text:literal);
            )+
        }
    ) => {
        $(#[doc = $documentation])+
        #[derive(Debug, Clone)]
        $visibility struct $type {
            $(
                $(#[doc = $key_documentation])+
                pub $key: $value,
            )+
        }

        impl $type {
            /// The section as its documentation knows it.
            pub(crate) const SECTION: Section = Section {
                name: $name,
                documentation: &[$($documentation),+],
                keys: &[$(Key {
                    name: stringify!($key),
                    documentation: &[$($key_documentation),+],
                    presence: Presence::$presence($text),
                }),+],
            };

            /// Reads all keys, so that all problems are found; `None` if there are any.
            pub(crate) fn read(reader: &mut Reader) -> Option<Self> {
                let mut fields = reader.enter(&Self::SECTION);
                $(let $key = reader.key(&mut fields, stringify!($key), Presence::$presence($text), $read);)+
                reader.leave(&Self::SECTION, fields);
                Some(Self { $($key: $key?),+ })
            }
        }
    };
}
pub(crate) use section;

/// Folders that relative paths start from.
pub(crate) struct Folders {
    /// The folder of the configuration file.
    pub(crate) config: PathBuf,
    /// The folder of `data_dir`.
    pub(crate) data: PathBuf,
    /// Whether files of secrets may still be missing.
    pub(crate) may_lack_secrets: bool,
}

/// Why a value is not what its key takes. It never repeats the value, which may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The line, where it is another than the key's.
    pub(crate) line: Option<u64>,
    /// What the value must be, to be read after the key's name.
    pub(crate) message: String,
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(message: T) -> Self {
        Self {
            line: None,
            message: message.into(),
        }
    }
}

/// Reads keys from a file and the environment, and collects what is wrong with them.
pub(crate) struct Reader {
    file: PathBuf,
    folders: Folders,
    sections: Vec<Entry>,
    variables: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

/// The keys of one section that nobody has asked for yet.
pub(crate) struct Fields {
    section: &'static str,
    line: Option<u64>,
    entries: Vec<Entry>,
}

/// Where a value was given.
enum Source {
    File { line: u64 },
    Variable(String),
    Default,
}

impl Reader {
    /// Prepares to read the text of a file, with variables of the environment over it. Variables whose
    /// names do not begin with [`VARIABLE_PREFIX`] are not looked at. Where the text cannot be read at all,
    /// that is the one problem.
    pub(crate) fn new(
        file: &Path,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut reader = Self {
            file: file.to_owned(),
            folders: Folders {
                config: folder.to_owned(),
                data: folder.to_owned(),
                may_lack_secrets: false,
            },
            sections: Vec::new(),
            variables: variables
                .into_iter()
                .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
                .collect(),
            problems: Vec::new(),
        };
        match Node::parse(text).map(|root| root.value) {
            Ok(Value::Map(sections)) => reader.sections = sections,
            Ok(Value::Null) => {}
            Ok(_) => reader.refuse(
                Some(1),
                "",
                "this must consist of keys with values, such as `key: value`",
            ),
            Err(error) => reader.refuse(error.line, "", error.message),
        }
        if reader.problems.is_empty() {
            Ok(reader)
        } else {
            Err(reader.problems)
        }
    }

    /// Says where paths that are relative to `data_dir` start from now on.
    pub(crate) fn set_data_folder(&mut self, folder: PathBuf) {
        self.folders.data = folder;
    }

    /// Takes files of secrets that are not there yet as they are named, from now on.
    pub(crate) fn let_secrets_lack(&mut self) {
        self.folders.may_lack_secrets = true;
    }

    /// Notes that something is wrong with a line of the file, or with the file as a whole.
    pub(crate) fn refuse(&mut self, line: Option<u64>, key: &str, message: impl Into<String>) {
        let file = self.file.display();
        self.problems.push(Problem {
            place: line.map_or_else(|| file.to_string(), |line| format!("{file}:{line}")),
            key: key.to_owned(),
            message: message.into(),
        });
    }

    /// Takes the keys of a section out of the file.
    pub(crate) fn enter(&mut self, section: &Section) -> Fields {
        let mut fields = Fields {
            section: section.name,
            line: None,
            entries: Vec::new(),
        };
        if section.name.is_empty() {
            let own = |entry: &mut Entry| section.keys.iter().any(|key| key.name == entry.name);
            fields.entries = self.sections.extract_if(.., own).collect();
        } else if let Some(entry) = take(&mut self.sections, section.name) {
            fields.line = Some(entry.line);
            match entry.node.value {
                Value::Map(entries) => fields.entries = entries,
                Value::Null => {}
                _ => self.refuse(Some(entry.line), section.name, "must consist of keys with values"),
            }
        }
        fields
    }

    /// Takes all keys outside of sections out of the file, known or not.
    pub(crate) fn everything(&mut self) -> Fields {
        Fields {
            section: "",
            line: None,
            entries: std::mem::take(&mut self.sections),
        }
    }

    /// Reads one key: from the environment, else from the file, else as it is when absent.
    pub(crate) fn key<T>(
        &mut self,
        fields: &mut Fields,
        name: &str,
        presence: Presence,
        read: impl Fn(&Node, &Folders) -> Result<T, Refusal>,
    ) -> Option<T> {
        let path = path_of(fields.section, name);
        let variable = variable_of(&path);
        let given = self.variables.remove(&variable);
        let entry = take(&mut fields.entries, name);
        if let Some(text) = given.as_deref().filter(|text| !is_null(text)) {
            let value = read_variable(text, |node| read(node, &self.folders));
            return self.accept(Source::Variable(variable), path, value);
        }
        // A variable without a value unsets what the file says.
        let entry = entry.filter(|entry| given.is_none() && !entry.node.is_null());
        if let Some(Entry { line, node, .. }) = entry {
            return self.accept(Source::File { line }, path, read(&node, &self.folders));
        }
        let absent = match presence {
            Presence::Required(example) => {
                let message = format!("is missing; set it, for example `{name}: {example}`");
                self.refuse(fields.line, &path, message);
                return None;
            }
            Presence::Default(text) => Node::parse(text).unwrap_or_else(|_| Node::text(text)),
            Presence::Shown(_) | Presence::Hidden(_) => Node::null(),
        };
        self.accept(Source::Default, path, read(&absent, &self.folders))
    }

    fn accept<T>(&mut self, source: Source, key: String, value: Result<T, Refusal>) -> Option<T> {
        let refusal = match value {
            Ok(value) => return Some(value),
            Err(refusal) => refusal,
        };
        let file = self.file.display();
        let place = match source {
            Source::File { line } => format!("{file}:{}", refusal.line.unwrap_or(line)),
            Source::Variable(name) => format!("environment variable {name}"),
            Source::Default => file.to_string(),
        };
        self.problems.push(Problem {
            place,
            key,
            message: refusal.message,
        });
        None
    }

    /// Refuses the keys of a section that were not asked for.
    pub(crate) fn leave(&mut self, section: &Section, fields: Fields) {
        for entry in fields.entries {
            let known: Vec<_> = section.keys.iter().map(|key| key.name).collect();
            let message = format!("is not a key of this section; it has {}", known.join(", "));
            let path = path_of(fields.section, &mentionable(&entry.name));
            self.refuse(Some(entry.line), &path, message);
        }
    }

    /// Refuses sections and variables that were not asked for, and gives all problems.
    pub(crate) fn finish(mut self, sections: &[&Section]) -> Vec<Problem> {
        for entry in std::mem::take(&mut self.sections) {
            let known: Vec<_> = sections
                .iter()
                .flat_map(|section| match section.name {
                    "" => section.keys.iter().map(|key| key.name).collect(),
                    name => vec![name],
                })
                .collect();
            let message = format!("is not a key; there are {}", known.join(", "));
            self.refuse(Some(entry.line), &mentionable(&entry.name), message);
        }
        for variable in self.variables.into_keys() {
            self.problems.push(Problem {
                place: format!("environment variable {variable}"),
                key: String::new(),
                message: format!("stands for no key; the names are {VARIABLE_PREFIX}<SECTION>__<KEY>"),
            });
        }
        self.problems
    }
}

/// Reads the text of a variable as YAML, so that lists, maps and null can be given; a text that is not
/// what the key takes as YAML (`{username}`, which would be a map) is taken as it stands.
fn read_variable<T>(text: &str, read: impl Fn(&Node) -> Result<T, Refusal>) -> Result<T, Refusal> {
    let as_it_stands = || read(&Node::text(text));
    match Node::parse(text) {
        Ok(node) if !node.is_null() => read(&node).or_else(|refusal| as_it_stands().map_err(|_| refusal)),
        _ => as_it_stands(),
    }
}

/// Whether a variable has no value. YAML is not asked: to it, a token such as `!x` is a tag without a value.
fn is_null(text: &str) -> bool {
    matches!(text.trim(), "" | "~" | "null")
}

fn take(entries: &mut Vec<Entry>, name: &str) -> Option<Entry> {
    let place = entries.iter().position(|entry| entry.name == name)?;
    Some(entries.remove(place))
}

fn path_of(section: &str, key: &str) -> String {
    if section.is_empty() {
        key.to_owned()
    } else {
        format!("{section}.{key}")
    }
}

fn variable_of(path: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", path.replace('.', "__").to_uppercase())
}

/// The name of an unknown key, unless it could be a secret that lost its key (`{token:abc}` is one key).
fn mentionable(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.len() <= 30 && name.bytes().all(plain) {
        name.to_owned()
    } else {
        "(a name that is not shown here)".to_owned()
    }
}
