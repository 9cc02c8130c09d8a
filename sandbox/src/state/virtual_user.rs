//! The virtual user that a message is posted for, and the rules it must keep (gitter-api 2.2 and 14). Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// The most UTF-16 units of a type, an external id or a display name.
const MAX_NAME: usize = 255;
/// The most UTF-16 units of an avatar's URL.
const MAX_URL: usize = 2000;

/// Somebody on the other side of a bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualUser {
    /// The kind of bridge, such as `matrix`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id there; for Matrix, without the `@`.
    pub external_id: String,
    /// The name shown.
    pub display_name: String,
    /// The picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
}

impl VirtualUser {
    /// Reads the `virtualUser` of a request body; `None` where it is absent or null. Unknown keys are dropped.
    pub(super) fn from_body(body: &Value) -> Result<Option<Self>, Refusal> {
        let fields = match body.get("virtualUser") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err(Refusal::bad_request("virtualUser is not an object")),
        };
        Ok(Some(Self {
            kind: text(fields, "type", MAX_NAME)?,
            external_id: text(fields, "externalId", MAX_NAME)?,
            display_name: text(fields, "displayName", MAX_NAME)?,
            avatar_url: match fields.get("avatarUrl") {
                None => None,
                Some(_) => Some(text(fields, "avatarUrl", MAX_URL)?).filter(|url| !url.is_empty()),
            },
        }))
    }
}

fn text(fields: &Map<String, Value>, key: &str, most: usize) -> Result<String, Refusal> {
    let text = fields
        .get(key)
        .and_then(Value::as_str)
        .ok_or(Refusal::bad_request(
            "a field of virtualUser is missing or not a text",
        ))?;
    if text.encode_utf16().count() > most {
        return Err(Refusal::bad_request("a field of virtualUser is too long"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(change: &Value) -> Value {
        let mut virtual_user = json!({"type": "matrix", "externalId": "ana:e.org", "displayName": "Ana"});
        let changes = change.as_object().unwrap().clone();
        virtual_user.as_object_mut().unwrap().extend(changes);
        json!({ "virtualUser": virtual_user })
    }

    #[test]
    fn what_gitter_takes_is_taken() {
        let emoji_of_two_units = "\u{1f41a}".repeat(127);
        for change in [
            json!({}),
            json!({"displayName": "", "externalId": ""}),
            json!({"displayName": emoji_of_two_units}),
            json!({"avatarUrl": "ftp://e.org/a"}),
            json!({"other": 1}),
        ] {
            assert!(
                VirtualUser::from_body(&with(&change)).unwrap().is_some(),
                "{change}"
            );
        }
        assert_eq!(
            VirtualUser::from_body(&json!({"virtualUser": null})).unwrap(),
            None
        );
        let no_picture = VirtualUser::from_body(&with(&json!({"avatarUrl": ""})))
            .unwrap()
            .unwrap();
        assert_eq!(no_picture.avatar_url, None);
    }

    #[test]
    fn what_gitter_refuses_is_refused_with_400() {
        let bodies = [
            with(&json!({"displayName": null})),
            with(&json!({"displayName": "\u{1f41a}".repeat(128)})),
            with(&json!({"avatarUrl": null})),
            with(&json!({"avatarUrl": "a".repeat(2001)})),
            with(&json!({"externalId": 5})),
            with(&json!({"externalId": "a".repeat(256)})),
            json!({"virtualUser": {}}),
            json!({"virtualUser": "ana"}),
        ];
        for body in bodies {
            let refusal = VirtualUser::from_body(&body).unwrap_err();
            assert_eq!(refusal.status, 400, "{body}");
        }
    }
}
