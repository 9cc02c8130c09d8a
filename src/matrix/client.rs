//! The client: what it is made of, and how it acts as one user or another.

use std::{borrow::Cow, sync::Arc};

use ruma::{
    DeviceId, OwnedUserId, UserId,
    api::{
        AppserviceUserIdentity, OutgoingRequest, SupportedVersions,
        auth_scheme::{AuthScheme, SendAccessToken},
        path_builder::PathBuilder,
    },
};
use secrecy::SecretString;
use url::Url;

use super::{Endpoint, MatrixError, transport::Transport};

/// What the client needs to know.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Where the homeserver's client-server API is; may hold a path.
    pub homeserver_url: Url,
    /// The registration's `as_token`.
    pub as_token: SecretString,
    /// The bridge's own user: `sender_localpart` and the homeserver's name.
    pub bot: OwnedUserId,
    /// The registration's `id`.
    pub appservice_id: String,
}

/// The homeserver, for the bot and every ghost. Clones share their connections.
#[derive(Debug, Clone)]
pub struct MatrixClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    transport: Transport,
    bot: OwnedUserId,
    appservice_id: String,
}

impl MatrixClient {
    /// A client; it connects with the first request. The process's rustls provider must be installed.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(settings: ClientSettings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            inner: Arc::new(Inner {
                transport: Transport::new(&settings.homeserver_url, settings.as_token)?,
                bot: settings.bot,
                appservice_id: settings.appservice_id,
            }),
        })
    }

    /// The bridge's own user.
    pub fn bot(&self) -> &UserId {
        &self.inner.bot
    }

    pub(super) fn appservice_id(&self) -> &str {
        &self.inner.appservice_id
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.inner.transport
    }

    /// Sends a request that is nobody's in particular.
    pub(super) async fn call<R>(
        &self,
        endpoint: Endpoint,
        request: R,
    ) -> Result<R::IncomingResponse, MatrixError>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let nobody = AppserviceUserIdentity::default();
        self.inner.transport.call(endpoint, nobody, request).await
    }

    /// Sends a request as a user.
    pub(super) async fn call_as<R>(
        &self,
        endpoint: Endpoint,
        user: &UserId,
        request: R,
    ) -> Result<R::IncomingResponse, MatrixError>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        self.call_with_device(endpoint, user, None, request).await
    }

    /// Sends a request as a user and one of the user's devices.
    pub(super) async fn call_with_device<R>(
        &self,
        endpoint: Endpoint,
        user: &UserId,
        device: Option<&DeviceId>,
        request: R,
    ) -> Result<R::IncomingResponse, MatrixError>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let mut identity = AppserviceUserIdentity::new(user);
        identity.device_id = device;
        self.inner.transport.call(endpoint, identity, request).await
    }
}
