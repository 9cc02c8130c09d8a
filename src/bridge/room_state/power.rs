//! Power in rooms that the bridge made: the bot's, and that of the Gitter admins' ghosts. Pure.

use ruma::{OwnedUserId, UserId};
use serde_json::{Map, Value, json};

/// The power of the bot.
const BOT: i64 = 100;

/// The power of a Gitter admin's ghost.
const ADMIN: i64 = 50;

/// The content of `m.room.power_levels` as it has to be; none if it is so already. `bot` is none where it made a room
/// of a version whose makers may do everything: it must not be listed there. Only entries of the bot and of ghosts
/// are changed: `admins` get their power where they have none, and `former` ones lose it.
pub(super) fn wanted(
    there: &Value,
    bot: Option<&UserId>,
    admins: &[OwnedUserId],
    former: &[OwnedUserId],
) -> Option<Value> {
    let none = Map::new();
    let users = there.get("users").and_then(Value::as_object).unwrap_or(&none);
    let mut wanted = users.clone();
    for user in former {
        wanted.remove(user.as_str());
    }
    for admin in admins {
        wanted
            .entry(admin.as_str().to_owned())
            .or_insert_with(|| json!(ADMIN));
    }
    if let Some(bot) = bot {
        wanted.insert(bot.as_str().to_owned(), json!(BOT));
    }
    if wanted == *users {
        return None;
    }
    let mut content = there.clone();
    content.as_object_mut()?.insert("users".to_owned(), wanted.into());
    Some(content)
}

/// Who has just the power that admins' ghosts are given.
pub(super) fn with_power_of_admins(there: &Value) -> Vec<OwnedUserId> {
    let users = there.get("users").and_then(Value::as_object);
    let users = users.into_iter().flatten();
    users
        .filter(|(_, level)| **level == json!(ADMIN))
        .filter_map(|(user, _)| UserId::parse(user).ok())
        .collect()
}

/// The admins whose power nobody has set.
pub(super) fn without_power(there: &Value, admins: &[OwnedUserId]) -> Vec<OwnedUserId> {
    let users = there.get("users").and_then(Value::as_object);
    let is_set = |admin: &OwnedUserId| users.is_some_and(|users| users.contains_key(admin.as_str()));
    admins.iter().filter(|admin| !is_set(admin)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn changed(users: &Value, admins: &[&UserId], bot: bool) -> Option<Value> {
        changed_without(users, admins, &[], bot)
    }

    fn changed_without(users: &Value, admins: &[&UserId], former: &[&UserId], bot: bool) -> Option<Value> {
        let there = json!({ "users": users, "redact": 50 });
        let owned =
            |users: &[&UserId]| -> Vec<OwnedUserId> { users.iter().map(|user| (*user).to_owned()).collect() };
        let bot = bot.then_some(user_id!("@gitterbot:e.org"));
        let mut content = wanted(&there, bot, &owned(admins), &owned(former))?;
        assert_eq!(content["redact"], 50, "what else is there stays");
        Some(content["users"].take())
    }

    #[test]
    fn admins_get_their_power_once() {
        let wren = user_id!("@gitter_wren-1:e.org");
        let users = json!({ "@gitter_wren-1:e.org": 50 });
        assert_eq!(changed(&json!({}), &[wren], false), Some(users.clone()));
        assert_eq!(changed(&users, &[wren], false), None);
    }

    #[test]
    fn who_is_no_admin_any_more_loses_it() {
        let wren = user_id!("@gitter_wren-1:e.org");
        let users = json!({ "@gitter_wren-1:e.org": 50, "@ana:e.org": 50, "@gitter_kelp-2:e.org": 25 });
        let left = json!({ "@ana:e.org": 50, "@gitter_kelp-2:e.org": 25 });
        let there = json!({ "users": users });
        assert_eq!(with_power_of_admins(&there), ["@ana:e.org", wren.as_str()]);
        assert_eq!(changed_without(&users, &[], &[wren], false), Some(left));
    }

    #[test]
    fn what_somebody_else_gave_an_admin_stays() {
        let wren = user_id!("@gitter_wren-1:e.org");
        assert_eq!(
            changed(&json!({ "@gitter_wren-1:e.org": 75 }), &[wren], false),
            None
        );
    }

    #[test]
    fn the_bot_is_listed_only_where_it_is_no_privileged_creator() {
        assert_eq!(changed(&json!({}), &[], false), None);
        let bot = json!({ "@gitterbot:e.org": 100 });
        assert_eq!(changed(&json!({}), &[], true), Some(bot.clone()));
        assert_eq!(changed(&bot, &[], true), None);
    }
}
