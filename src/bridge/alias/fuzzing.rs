//! The parsers of aliases that nothing outside sees, for the fuzz targets (`fuzz/`). Built for them alone.

use ruma::{OwnedRoomAliasId, RoomAliasId, ServerName};

use super::names;

/// The URIs that an alias may stand for; none if it is not one of the bridge's.
pub fn uris_of(alias: &str, prefix: &str, server_name: &ServerName) -> Option<Vec<String>> {
    let alias = RoomAliasId::parse(alias).ok()?;
    let text = names::named(&alias, prefix, server_name)?;
    let candidates = names::candidates(text);
    Some([candidates.of_two_parts, candidates.of_three_parts].concat())
}

/// The alias of a URI; none if there can be none.
pub fn alias_of(uri: &str, prefix: &str, server_name: &ServerName) -> Option<OwnedRoomAliasId> {
    names::alias(&names::localpart(prefix, uri), server_name)
}
