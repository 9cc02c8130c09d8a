//! People mentioned in a Matrix message: pills of its HTML and ids in `m.mentions`, found again in its
//! plain text.
//!
//! The HTML is read only for whom it names; what is posted is the plain text.

use std::{cmp::Reverse, ops::Range};

use ruma::{OwnedUserId, UserId};
use scraper::{ElementRef, Html, Node};
use serde_json::{Map, Value};

use super::{
    Context,
    body::{self, Body},
    html, link, people,
};

/// The most people looked for in one message, each by reading all of it.
const MAX_PEOPLE: usize = 50;

/// Marks the places of a body that mention people.
pub(super) fn mark(body: &mut Body, event_content: &Map<String, Value>, context: &Context) {
    let pills = pills(event_content);
    for pill in &pills {
        let place = find_pill(body, pill);
        mark_place(body, place, &pill.user, context);
    }
    mark_named(body, &without_pills(event_content, &pills), context);
}

/// The people of `m.mentions` who have no pill in the HTML.
pub(super) fn named(event_content: &Map<String, Value>) -> Vec<OwnedUserId> {
    without_pills(event_content, &pills(event_content))
}

fn without_pills(event_content: &Map<String, Value>, pills: &[Pill]) -> Vec<OwnedUserId> {
    let mut named = mentioned_ids(event_content);
    named.retain(|user| pills.iter().all(|pill| pill.user != *user));
    named
}

/// Marks people by the names that they go by in the text. Longer names are looked for first, as one may be part of
/// another; of names of one length those that people go by first.
pub(super) fn mark_named(body: &mut Body, named: &[OwnedUserId], context: &Context) {
    let names = |user| people::names(user, context).into_iter().enumerate();
    let mut candidates: Vec<(&OwnedUserId, usize, String)> = named
        .iter()
        .flat_map(|user| names(user).map(move |(rank, name)| (user, rank, name)))
        .collect();
    candidates.sort_by_key(|(_, rank, name)| (Reverse(name.len()), *rank));
    let mut marked: Vec<&OwnedUserId> = Vec::new();
    for (user, _, name) in candidates {
        let place = occurrences(body, &name).into_iter().next();
        if place.is_some() && !marked.contains(&user) {
            mark_place(body, place, user, context);
            marked.push(user);
        }
    }
}

fn mark_place(body: &mut Body, place: Option<Range<usize>>, user: &UserId, context: &Context) {
    if let Some(place) = place
        && let Some(shown) = body.text().get(place.clone())
        && let Some(kind) = people::mention(user, shown, context)
    {
        let place = with_at_sign(body.text(), place);
        body.mark(place, kind);
    }
}

/// A link to a person in the HTML of a message.
#[derive(Debug, PartialEq)]
struct Pill {
    user: OwnedUserId,
    href: String,
    text: String,
    /// How often the text stands in the message before the pill.
    earlier: usize,
}

/// The pills of a message, in order.
fn pills(content: &Map<String, Value>) -> Vec<Pill> {
    let formatted = content
        .get("formatted_body")
        .and_then(Value::as_str)
        .filter(|_| content.get("format").and_then(Value::as_str) == Some("org.matrix.custom.html"))
        .filter(|formatted| !html::is_refused(formatted));
    let Some(formatted) = formatted else {
        return Vec::new();
    };
    let document = Html::parse_fragment(formatted);
    let mut found = Vec::new();
    let mut text = String::new();
    for node in document.tree.root().descendants() {
        if found.len() == MAX_PEOPLE {
            break;
        }
        let is_quoted = || {
            node.ancestors()
                .filter_map(ElementRef::wrap)
                .any(|it| it.value().name() == "mx-reply")
        };
        match node.value() {
            Node::Text(part) if !is_quoted() => text.push_str(part),
            Node::Element(element) if element.name() == "a" && !is_quoted() => {
                let shown: String = ElementRef::wrap(node)
                    .map(|it| it.text().collect())
                    .unwrap_or_default();
                let shown = body::normalise(&shown);
                let href = element.attr("href").unwrap_or_default();
                if let Some(user) = link::user_in(href).filter(|_| body::is_visible(&shown)) {
                    found.push(Pill {
                        user,
                        href: href.to_owned(),
                        earlier: whole_words(&body::normalise(&text), &shown).len(),
                        text: shown,
                    });
                }
            }
            Node::Element(element) if element.name() == "br" => text.push('\n'),
            _ => {}
        }
    }
    found
}

/// Where the text of a pill stands in the body. Clients write it as the bare name, as a Markdown link, or
/// as the id.
fn find_pill(body: &Body, pill: &Pill) -> Option<Range<usize>> {
    let link = format!("[{}]({})", pill.text, pill.href);
    let whole_link = occurrences(body, &link).into_iter().next();
    whole_link
        .or_else(|| {
            let places = occurrences(body, &pill.text);
            let all = whole_words(body.text(), &pill.text);
            let same = all.get(pill.earlier).filter(|place| places.contains(place));
            same.or(places.first()).cloned()
        })
        .or_else(|| occurrences(body, pill.user.as_str()).into_iter().next())
}

/// The ids in `m.mentions`.
fn mentioned_ids(content: &Map<String, Value>) -> Vec<OwnedUserId> {
    content
        .get("m.mentions")
        .and_then(|mentions| mentions.get("user_ids"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|id| UserId::parse(id.as_str()?).ok())
        .take(MAX_PEOPLE)
        .collect()
}

/// Where a name stands in the body as a whole word, outside marks and addresses.
fn occurrences(body: &Body, name: &str) -> Vec<Range<usize>> {
    let mut places = whole_words(body.text(), name);
    places.retain(|place| body.is_free(place) && !is_in_address(body.text(), place));
    places
}

/// Where a name stands apart from letters and digits around it. For names of other characters, such as
/// emoji, only the letters count that Gitter would read as part of the mention.
fn whole_words(text: &str, name: &str) -> Vec<Range<usize>> {
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    let joins = |own: Option<char>, other: Option<char>| {
        other.is_some_and(|other| is_word(other) && (other.is_ascii() || own.is_some_and(is_word)))
    };
    text.match_indices(name)
        .map(|(start, _)| start..start + name.len())
        .filter(|place| {
            let before = text
                .get(..place.start)
                .and_then(|before| before.chars().next_back());
            let after = text.get(place.end..).and_then(|after| after.chars().next());
            !joins(name.chars().next(), before) && !joins(name.chars().next_back(), after)
        })
        .collect()
}

/// Whether a place is within an address rather than a word of its own.
fn is_in_address(text: &str, place: &Range<usize>) -> bool {
    let before = text.get(..place.start).unwrap_or_default();
    let run = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    run.contains("://")
}

/// A place together with an `@` in front of it.
fn with_at_sign(text: &str, place: Range<usize>) -> Range<usize> {
    let before = text.get(..place.start).unwrap_or_default();
    match before.strip_suffix('@') {
        Some(outside) if !outside.ends_with(char::is_alphanumeric) => outside.len()..place.end,
        _ => place,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(formatted: &str) -> Map<String, Value> {
        let content = json!({ "format": "org.matrix.custom.html", "formatted_body": formatted });
        content.as_object().cloned().unwrap()
    }

    #[test]
    fn finds_pills_outside_the_reply_fallback() {
        let content = content(concat!(
            "<mx-reply><a href=\"https://matrix.to/#/@kelp:a.org\">kelp</a> Wren</mx-reply>",
            "Wren, <b>ask <a href=\"https://matrix.to/#/%40wren%3Aa.org?utm_source=gitter\">Wren</a></b> ",
            "or <a href=\"matrix:u/ana:a.org\">Ana</a> <a href=\"https://matrix.to/#/!r:a.org\">here</a>",
        ));
        let found = pills(&content);
        let found: Vec<_> = found
            .iter()
            .map(|pill| (pill.user.as_str(), pill.text.as_str(), pill.earlier))
            .collect();
        assert_eq!(found, [("@wren:a.org", "Wren", 1), ("@ana:a.org", "Ana", 0)]);
    }

    #[test]
    fn a_name_is_a_whole_word() {
        assert_eq!(whole_words("Wrens, Wren. @Wren", "Wren"), [7..11, 14..18]);
        assert_eq!(
            whole_words("(Wren (Gitter)), Wren (Gitter)", "Wren (Gitter)"),
            [1..14, 17..30]
        );
    }
}
