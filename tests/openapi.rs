//! `openapi.yaml` says what the admin API is: each route of the source is in it and each of its paths in the source, with
//! every error code, reason and field.
//!
//! Source is read as text, so that a route or a field that is added without a word in openapi.yaml fails here.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regex::Regex;
use serde_json::Value;

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

/// Answers and bodies: the schema, the type, and the file that declares it.
const SHAPES: [(&str, &str, &str); 18] = [
    ("Status", "StatusView", "http/admin/status.rs"),
    ("Running", "RunningView", "http/admin/status.rs"),
    ("Way", "WayView", "http/admin/status.rs"),
    ("Budget", "BudgetView", "http/admin/status.rs"),
    ("Readiness", "HealthView", "health.rs"),
    ("ReadinessPart", "PartView", "health.rs"),
    ("Check", "Check", "check.rs"),
    ("LinkRequest", "LinkRequest", "bridge/provision.rs"),
    ("Portal", "PortalView", "bridge/provision.rs"),
    ("RoomSettings", "SettingsView", "bridge/room_settings.rs"),
    ("ItemPage", "ItemPage", "bridge/ledger/view.rs"),
    ("Item", "ItemView", "bridge/ledger/view.rs"),
    ("Explanation", "Explanation", "bridge/ledger/view.rs"),
    ("ExplainedItem", "ExplainedItem", "bridge/ledger/view.rs"),
    ("Attempt", "AttemptView", "bridge/ledger/view.rs"),
    ("Pair", "PairView", "bridge/ledger/view.rs"),
    ("Account", "AccountView", "bridge/account.rs"),
    ("Forgotten", "Forgotten", "bridge/forget.rs"),
];

/// Words: the place in the description, and the type with the file that declares it in `words!` or `reasons!`.
const WORDS: [(&str, &str, &str); 7] = [
    ("Direction", "Direction", "store/lane.rs"),
    ("ItemState", "ItemState", "store/inbox.rs"),
    ("Attempt.state", "AttemptState", "store/attempt.rs"),
    ("Portal.kind", "PortalKind", "store/portal.rs"),
    ("Portal.state", "PortalState", "store/portal.rs"),
    ("SettingName", "SettingName", "store/setting.rs"),
    ("Reason", "reasons!", "outcome.rs"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source(name: &str) -> String {
    fs::read_to_string(root().join("src").join(name)).unwrap()
}

fn described() -> Value {
    let text = fs::read_to_string(root().join("openapi.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// The admin API's files: the first one holds what is open, too.
fn admin_files() -> Vec<String> {
    let mut files = vec!["http/admin.rs".to_owned()];
    for entry in fs::read_dir(root().join("src/http/admin")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // The status page is for people: docs/status-page.md.
        if name == "page" || name == "page.rs" {
            continue;
        }
        files.push(format!("http/admin/{name}"));
    }
    files
}

/// The text from an opening bracket to the one that closes it, brackets included.
fn bracketed(text: &str) -> &str {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..=at];
        }
    }
    text
}

/// The routes that a text adds to a router: method and path.
fn routes(prefix: &str, text: &str) -> BTreeSet<(String, String)> {
    let path = Regex::new(r#"^\(\s*"([^"]+)""#).unwrap();
    let method = Regex::new(&format!(r"(?:^|[\s.,(:])({})\(", METHODS.join("|"))).unwrap();
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(".route(") {
        let call = bracketed(&text[at + ".route".len()..]);
        let named = path.captures(call).unwrap_or_else(|| panic!("no path in {call}"));
        let whole = format!("{prefix}{}", &named[1]);
        let handlers = &call[named[0].len()..];
        for method in method.captures_iter(handlers) {
            found.insert((method[1].to_owned(), whole.clone()));
        }
    }
    found
}

/// What the source serves.
fn served() -> BTreeSet<(String, String)> {
    let nested = Regex::new(r#"\.nest\("([^"]+)""#).unwrap();
    let mut served = BTreeSet::new();
    for file in admin_files() {
        let text = source(&file);
        if let Some(prefix) = nested.captures(&text) {
            let (behind, open) = text.split_once(".nest(").unwrap();
            let (behind, before) = behind.split_once(";\n    Router::new()").unwrap();
            served.extend(routes(&prefix[1], behind));
            served.extend(routes("", before));
            served.extend(routes("", open));
        } else {
            served.extend(routes("/_matrix/provision/v1", &text));
        }
    }
    served
}

#[test]
fn each_route_is_described_and_each_description_is_a_route() {
    let document = described();
    let mut told = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        let methods = methods.filter(|key| METHODS.contains(&key.as_str()));
        told.extend(methods.map(|method| (method.clone(), path.clone())));
    }
    let served = served();
    assert!(served.len() > 10, "{served:?}");
    assert!(
        served.contains(&("get".to_owned(), "/ready".to_owned())),
        "{served:?}"
    );
    let missing: Vec<_> = served.difference(&told).collect();
    let gone: Vec<_> = told.difference(&served).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "openapi.yaml lacks {missing:?} and has {gone:?} too many"
    );
}

#[test]
fn each_error_code_is_described_and_no_other() {
    let code = Regex::new(r#""((?:M|GITTER|MATRIX)_[A-Z_]+)""#).unwrap();
    let mut used = BTreeSet::new();
    for file in admin_files().into_iter().chain(["http/error.rs".to_owned()]) {
        let text = source(&file);
        used.extend(code.captures_iter(&text).map(|groups| groups[1].to_owned()));
    }
    // The answer that the homeserver gets for a wrong token.
    used.remove("M_FORBIDDEN");
    let document = described();
    assert_eq!(enumerated(&document["components"]["schemas"]["ErrorCode"]), used);
}

#[test]
fn each_operation_says_what_may_go_wrong() {
    let document = described();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let answers = operation["responses"].as_object().unwrap();
            let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
            assert_eq!(
                is_open,
                !path.starts_with("/_matrix/provision/"),
                "{method} {path}"
            );
            let mut expected = Vec::new();
            if !is_open {
                expected.push("401");
                // The doctor works while the bridge starts, and asks no database of its own.
                if !path.ends_with("/doctor") {
                    expected.extend(["500", "503"]);
                }
            }
            for status in expected {
                assert!(answers.contains_key(status), "{method} {path} without {status}");
            }
        }
    }
}

fn enumerated(schema: &Value) -> BTreeSet<String> {
    let words = schema["enum"]
        .as_array()
        .unwrap_or_else(|| panic!("no enum: {schema}"));
    words
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// The fields of a type of the source: all, and those that are always there.
fn fields(name: &str, file: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = source(file);
    let start = format!("struct {name} {{");
    let at = text
        .find(&start)
        .unwrap_or_else(|| panic!("{file} has no {name}"));
    let body = bracketed(&text[at + start.len() - 1..]);
    let field = Regex::new(r"(?m)^((?:    #\[.*\]\n)*)    (?:pub(?:\(super\))? )?([a-z_]+): (.*),$").unwrap();
    let (mut all, mut always) = (BTreeSet::new(), BTreeSet::new());
    for groups in field.captures_iter(body) {
        all.insert(groups[2].to_owned());
        // Of an answer an attribute says that a field may be absent, of a request its type, too.
        let is_asked = body.contains("serde(default)") && groups[3].starts_with("Option<");
        if groups[1].is_empty() && !is_asked {
            always.insert(groups[2].to_owned());
        }
    }
    (all, always)
}

#[test]
fn answers_have_the_fields_that_are_described() {
    let document = described();
    let schemas = &document["components"]["schemas"];
    for (schema, name, file) in SHAPES {
        let (all, always) = fields(name, file);
        assert!(all.len() > 1, "{name}");
        let described = &schemas[schema];
        assert_eq!(
            names(&described["properties"]),
            all,
            "{schema} and {name} in {file}"
        );
        let required = described["required"].as_array().unwrap();
        let required = required.iter().map(|name| name.as_str().unwrap().to_owned());
        assert_eq!(
            required.collect::<BTreeSet<_>>(),
            always,
            "required in {schema}, and what {name} always has"
        );
    }
}

#[test]
fn words_are_those_of_the_source() {
    let document = described();
    let schemas = &document["components"]["schemas"];
    let word = Regex::new(r#"= "([a-z_]+)""#).unwrap();
    for (schema, name, file) in WORDS {
        let described = match schema.split_once('.') {
            Some((schema, field)) => &schemas[schema]["properties"][field],
            None => &schemas[schema],
        };
        let text = source(file);
        let at = text
            .find(&format!("\n    {name} {{"))
            .or_else(|| text.find(&format!("\n{name} {{")));
        let at = at.unwrap_or_else(|| panic!("{file} declares no {name}"));
        let body = bracketed(&text[at + text[at..].find('{').unwrap()..]);
        let words: BTreeSet<String> = word
            .captures_iter(body)
            .map(|groups| groups[1].to_owned())
            .collect();
        assert_eq!(enumerated(described), words, "{schema}");
    }
}

#[test]
fn examples_have_the_fields_of_their_schemas() {
    let document = described();
    let mut looked_at = BTreeMap::new();
    look(&document, &document, &mut looked_at);
    assert!(looked_at.values().sum::<u32>() > 20, "{looked_at:?}");
}

/// Finds bodies with an example and a schema that is only named, and compares the two.
fn look(value: &Value, document: &Value, looked_at: &mut BTreeMap<String, u32>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| look(value, document, looked_at)),
        Value::Object(object) => {
            if let Some(reference) = object.get("schema").and_then(|schema| schema["$ref"].as_str()) {
                let named = object
                    .get("examples")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten();
                let examples = object
                    .get("example")
                    .into_iter()
                    .chain(named.map(|(_, one)| &one["value"]));
                for example in examples {
                    compare(example, reference, document);
                    *looked_at.entry(reference.to_owned()).or_default() += 1;
                }
            }
            object.values().for_each(|value| look(value, document, looked_at));
        }
        _ => {}
    }
}

fn compare(example: &Value, reference: &str, document: &Value) {
    let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
    let allowed = names(&schema["properties"]);
    let given = names(example);
    let required = schema["required"].as_array().into_iter().flatten();
    assert!(given.is_subset(&allowed), "{reference}: {given:?}");
    for name in required {
        assert!(
            given.contains(name.as_str().unwrap()),
            "{reference} without {name}"
        );
    }
    if let Some(code) = example.get("errcode").and_then(Value::as_str) {
        let codes = enumerated(&document["components"]["schemas"]["ErrorCode"]);
        assert!(codes.contains(code), "{code}");
    }
}

#[test]
fn routes_are_read_in_every_form() {
    let text = r#"
        Router::new()
            .route("/a", get(list).post(link))
            .route(
                "/b/{id}",
                axum::routing::delete(drop_item)
                    .put(change),
            )
            .route("/c", get(|| async { Json(json!({"live": true})) }))
    "#;
    let found = routes("/v1", text);
    let found: Vec<String> = found
        .iter()
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    assert_eq!(
        found,
        [
            "delete /v1/b/{id}",
            "get /v1/a",
            "get /v1/c",
            "post /v1/a",
            "put /v1/b/{id}"
        ]
    );
}
