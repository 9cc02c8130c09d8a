//! The homeserver itself, and users there: registration, devices, profiles, uploads.

use std::time::Duration;

use ruma::{
    DeviceId, MxcUri, OwnedDeviceId, OwnedMxcUri, OwnedUserId, UserId,
    api::{
        OutgoingRequestExt as _,
        auth_scheme::SendAccessToken,
        client::{
            account::{register, whoami},
            appservice::request_ping,
            authenticated_media::get_media_config,
            device::update_device,
            discovery::get_supported_versions,
            media::create_content,
            profile::set_profile_field,
        },
    },
    profile::ProfileFieldValue,
};

use serde::Serialize;
use serde_json::json;

use super::{Endpoint, MatrixClient, MatrixError, transport::unwritable};

/// A device that is never created: a homeserver that keeps to the device of a request must refuse it.
const PROBE_DEVICE: &str = "GITTER_BRIDGE_PROBE_NEVER_CREATED";

/// The profile field that says which Gitter user a user stands for.
const GITTER_USER: &str = "im.gitter.user";

/// The Gitter user that a ghost stands for, as its profile says.
#[derive(Debug, Clone, Serialize)]
pub struct GitterUser<'a> {
    /// The Gitter user name.
    pub username: &'a str,
    /// The user's page.
    pub url: &'a str,
}

/// Whether the homeserver remembers transaction ids beyond its own restart (DESIGN 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceMemory {
    /// It does, for events sent with a device of the sender.
    Durable,
    /// It has no device calls for application services: before a repeat, look for the marker.
    None,
}

impl MatrixClient {
    /// The versions of the Matrix specification that the homeserver speaks, such as `v1.11`. Asked without the
    /// token, so it tells an unreachable homeserver from one that does not know the registration.
    pub async fn versions(&self) -> Result<Vec<String>, MatrixError> {
        let endpoint = Endpoint::Versions;
        let transport = self.transport();
        let request = get_supported_versions::Request::new()
            .try_into_http_request::<Vec<u8>>(transport.base_url(), SendAccessToken::None, ())
            .map_err(|source| unwritable(endpoint, source))?;
        let answer = transport
            .exchange::<get_supported_versions::Request>(endpoint, request)
            .await?;
        Ok(answer.versions)
    }

    /// Asks the homeserver to call the bridge back (`POST /_matrix/app/v1/ping`), which also ends a
    /// back-off of its transactions. Gives the time that took the homeserver. A bridge that cannot be
    /// reached from there is `M_CONNECTION_FAILED` and the like.
    pub async fn ping(&self, transaction_id: &str) -> Result<Duration, MatrixError> {
        let mut request = request_ping::v1::Request::new(self.appservice_id().to_owned());
        request.transaction_id = Some(transaction_id.into());
        let answer = self.call(Endpoint::Ping, request).await?;
        Ok(answer.duration)
    }

    /// The user that the homeserver takes the token alone to stand for: the registration's `sender_localpart`, with the
    /// homeserver's own name. `None` from a homeserver that does not say its name here, as Dendrite.
    pub async fn sender(&self) -> Result<Option<OwnedUserId>, MatrixError> {
        match self.call(Endpoint::Whoami, whoami::v3::Request::new()).await {
            Ok(answer) => Ok(Some(answer.user_id)),
            Err(MatrixError::Unreadable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The user that the homeserver takes requests for `user` to come from. Fails for a user who is not
    /// registered or not in the registration's namespaces.
    pub async fn whoami(&self, user: &UserId) -> Result<OwnedUserId, MatrixError> {
        let answer = self
            .call_as(Endpoint::Whoami, user, whoami::v3::Request::new())
            .await?;
        Ok(answer.user_id)
    }

    /// Registers a user of the registration's namespaces, without logging in. One who exists is success.
    pub async fn register(&self, user: &UserId) -> Result<(), MatrixError> {
        let mut request = register::v3::Request::new();
        request.username = Some(user.localpart().to_owned());
        request.login_type = Some(register::LoginType::ApplicationService);
        request.inhibit_login = true;
        match self.call(Endpoint::Register, request).await {
            Ok(_) => Ok(()),
            Err(error) if error.is("M_USER_IN_USE") => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Registers a user of nobody, which shows whether the homeserver has the bridge's registration: `M_EXCLUSIVE` where it
    /// has another. What else it has against the name says nothing of that, and is no failure.
    pub async fn register_probe(&self, user: &UserId) -> Result<(), MatrixError> {
        match self.register(user).await {
            Err(error) if error.refuses() && !error.is("M_EXCLUSIVE") => Ok(()),
            registered => registered,
        }
    }

    /// Finds out whether the homeserver keeps to devices of requests, by naming one that was never made
    /// (matrix-notes, "Transaction ids of sent events"). `user` must be registered.
    pub async fn device_memory(&self, user: &UserId) -> Result<DeviceMemory, MatrixError> {
        let device = <&DeviceId>::from(PROBE_DEVICE);
        let request = whoami::v3::Request::new();
        match self
            .call_with_device(Endpoint::Whoami, user, Some(device), request)
            .await
        {
            Err(error) if error.is("M_UNKNOWN_DEVICE") => Ok(DeviceMemory::Durable),
            Err(error) if error.is_unsupported() => Ok(DeviceMemory::None),
            Ok(_) => Ok(DeviceMemory::None),
            Err(error) => Err(error),
        }
    }

    /// Makes a device of a user, or renames it. Each call tells everybody who shares a room with the user,
    /// so it is made once. `DeviceMemory::None` if the homeserver has no such call.
    pub async fn create_device(
        &self,
        user: &UserId,
        device: &DeviceId,
        display_name: &str,
    ) -> Result<DeviceMemory, MatrixError> {
        let mut request = update_device::v3::Request::new(OwnedDeviceId::from(device));
        request.display_name = Some(display_name.to_owned());
        match self.call_as(Endpoint::CreateDevice, user, request).await {
            Ok(_) => Ok(DeviceMemory::Durable),
            Err(error) if error.is_unsupported() => Ok(DeviceMemory::None),
            Err(error) => Err(error),
        }
    }

    /// Sets a user's display name, in all rooms.
    pub async fn set_display_name(&self, user: &UserId, display_name: &str) -> Result<(), MatrixError> {
        let value = ProfileFieldValue::DisplayName(display_name.to_owned());
        self.set_profile(Endpoint::SetDisplayName, user, value).await
    }

    /// Sets a user's avatar, in all rooms.
    pub async fn set_avatar(&self, user: &UserId, avatar: &MxcUri) -> Result<(), MatrixError> {
        let value = ProfileFieldValue::AvatarUrl(avatar.to_owned());
        self.set_profile(Endpoint::SetAvatar, user, value).await
    }

    /// Says in a user's profile which Gitter user it stands for (custom fields, specification 1.16). A homeserver
    /// without such fields does without.
    pub async fn set_gitter_user(
        &self,
        user: &UserId,
        gitter_user: &GitterUser<'_>,
    ) -> Result<(), MatrixError> {
        let value = ProfileFieldValue::new(GITTER_USER, json!(gitter_user))
            .map_err(|error| unwritable(Endpoint::SetProfileField, error))?;
        match self.set_profile(Endpoint::SetProfileField, user, value).await {
            Err(error) if error.is_unsupported() => Ok(()),
            set => set,
        }
    }

    async fn set_profile(
        &self,
        endpoint: Endpoint,
        user: &UserId,
        value: ProfileFieldValue,
    ) -> Result<(), MatrixError> {
        let request = set_profile_field::v3::Request::new(user.to_owned(), value);
        self.call_as(endpoint, user, request).await?;
        Ok(())
    }

    /// The largest file that the homeserver takes, in bytes; `None` where it names no limit. As other media are, it is asked
    /// for with the token (specification 1.11); an older homeserver does not know the call.
    pub async fn upload_limit(&self) -> Result<Option<u64>, MatrixError> {
        let request = get_media_config::v1::Request::new();
        match self.call(Endpoint::MediaConfig, request).await {
            Ok(answer) => Ok(Some(answer.upload_size.into())),
            Err(MatrixError::Unreadable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Uploads a file as a user. What is too large for the homeserver is 413 `M_TOO_LARGE`; if it is far too
    /// large, Synapse breaks the connection instead, which is `Interrupted` every time.
    pub async fn upload(
        &self,
        user: &UserId,
        bytes: Vec<u8>,
        content_type: &str,
        file_name: Option<&str>,
    ) -> Result<OwnedMxcUri, MatrixError> {
        let mut request = create_content::v3::Request::new(bytes);
        request.content_type = Some(content_type.to_owned());
        request.filename = file_name.map(str::to_owned);
        let answer = self.call_as(Endpoint::Upload, user, request).await?;
        Ok(answer.content_uri)
    }
}
