//! The calls that the client makes, by name: for errors, for metrics, and for the table of failures.

use std::fmt;

/// Declares each call once, with the word it has in errors and metrics.
macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// A call of the client-server API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Endpoint { $($(#[$doc])* $name),+ }

        impl Endpoint {
            /// The call's word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

endpoints! {
    /// `GET /_matrix/client/versions`
    Versions = "versions",
    /// `POST /_matrix/client/v1/appservice/{id}/ping`
    Ping = "ping",
    /// `GET /_matrix/client/v3/account/whoami`
    Whoami = "whoami",
    /// `POST /_matrix/client/v3/register`
    Register = "register",
    /// `PUT /_matrix/client/v3/devices/{id}`
    CreateDevice = "create_device",
    /// `PUT /_matrix/client/v3/profile/{user}/displayname`
    SetDisplayName = "set_display_name",
    /// `PUT /_matrix/client/v3/profile/{user}/avatar_url`
    SetAvatar = "set_avatar",
    /// `PUT /_matrix/client/v3/profile/{user}/{field}`
    SetProfileField = "set_profile_field",
    /// `GET /_matrix/client/v3/user/{user}/account_data/{type}`
    AccountData = "account_data",
    /// `PUT /_matrix/client/v3/user/{user}/account_data/{type}`
    SetAccountData = "set_account_data",
    /// `POST /_matrix/media/v3/upload`
    Upload = "upload",
    /// `GET /_matrix/client/v1/media/config`
    MediaConfig = "media_config",
    /// `GET /_matrix/client/v1/media/download/{server}/{id}`
    Download = "download",
    /// `GET /_matrix/client/v1/media/thumbnail/{server}/{id}`
    Thumbnail = "thumbnail",
    /// `POST /_matrix/client/v3/rooms/{room}/invite`
    Invite = "invite",
    /// `POST /_matrix/client/v3/rooms/{room}/join`
    Join = "join",
    /// `POST /_matrix/client/v3/rooms/{room}/leave`
    Leave = "leave",
    /// `POST /_matrix/client/v3/rooms/{room}/ban`
    Ban = "ban",
    /// `POST /_matrix/client/v3/rooms/{room}/unban`
    Unban = "unban",
    /// Moving a read receipt.
    Receipt = "receipt",
    /// `GET /_matrix/client/v3/directory/room/{alias}`
    ResolveAlias = "resolve_alias",
    /// `GET /_matrix/client/v3/rooms/{room}/joined_members`
    JoinedMembers = "joined_members",
    /// `GET /_matrix/client/v3/rooms/{room}/state/{type}/{key}`
    State = "state",
    /// `PUT /_matrix/client/v3/rooms/{room}/state/{type}/{key}`
    SetState = "set_state",
    /// `POST /_matrix/client/v3/createRoom`
    CreateRoom = "create_room",
    /// `PUT /_matrix/client/v3/directory/room/{alias}`
    CreateAlias = "create_alias",
    /// `DELETE /_matrix/client/v3/directory/room/{alias}`
    DeleteAlias = "delete_alias",
    /// `GET /_matrix/client/v3/rooms/{room}/state`
    WholeState = "whole_state",
    /// `PUT /_matrix/client/v3/rooms/{room}/send/{type}/{transaction}`
    Send = "send",
    /// `PUT /_matrix/client/v3/rooms/{room}/redact/{event}/{transaction}`
    Redact = "redact",
    /// `GET /_matrix/client/v3/rooms/{room}/event/{event}`
    Event = "event",
    /// `GET /_matrix/client/v3/rooms/{room}/messages`
    Messages = "messages",
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
