//! The network side of one socket: a WebSocket, or long-polling where none gets through. It decides nothing.

use std::{io::ErrorKind, pin::Pin, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, StatusCode, header};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Error, Message, Utf8Bytes, client::IntoClientRequest as _, protocol::WebSocketConfig},
};
use url::Url;

use super::polling::Polling;
use crate::gitter::{
    MAX_REPLY_BYTES, USER_AGENT,
    bayeux::{Frame, Transport},
};

/// A frame that cannot be written for so long never will be.
const WRITE: Duration = Duration::from_secs(10);
/// How long it polls before it looks whether a WebSocket gets through by now.
const BETWEEN_PROBES: Duration = Duration::from_mins(10);
/// How long such a look may take.
const PROBE: Duration = Duration::from_secs(30);
/// What the goodbyes to a server may take.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// Why a wire is lost, or cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the WebSocket failed")]
    WebSocket(#[from] Box<Error>),
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the answer is larger than {MAX_REPLY_BYTES} bytes")]
    TooLarge,
    #[error("the answer is no text")]
    NotText,
}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

impl WireError {
    /// Whether a server was reached that does not do what this transport needs: it may be a proxy that ends what it
    /// does not know.
    pub(super) fn is_of_transport(&self) -> bool {
        match self {
            Self::WebSocket(error) => match &**error {
                Error::Io(error) => matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
                ),
                Error::Tls(_) | Error::Url(_) => false,
                _ => true,
            },
            Self::Request(_) => false,
            Self::Status(_) | Self::TooLarge | Self::NotText => true,
        }
    }
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

type Opening = Pin<Box<dyn Future<Output = Result<Wire, WireError>> + Send>>;

/// The network side of a socket.
pub(super) enum Wire {
    Closed,
    Opening(Opening),
    Open(Box<Stream>),
    Polling(Box<Polls>),
}

/// Long-polling, and the look whether a WebSocket gets through by now.
pub(super) struct Polls {
    polling: Polling,
    probe: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What came of the network.
pub(super) enum News {
    Opened,
    Text(Utf8Bytes),
    Binary,
    /// While it polls: a WebSocket gets through by now.
    WebSocketWorks,
    Lost(WireError),
}

impl Wire {
    pub(super) fn open(url: Url, transport: Transport) -> Self {
        Self::Opening(Box::pin(async move {
            Ok(match transport {
                Transport::WebSocket => Self::Open(Box::new(connect(url).await?)),
                Transport::LongPolling => Self::Polling(Box::new(Polls {
                    polling: Polling::new(web_page(url.clone()))?,
                    probe: Box::pin(until_web_socket(url)),
                })),
            })
        }))
    }

    /// Whether frames may be sent.
    pub(super) const fn is_up(&self) -> bool {
        matches!(self, Self::Open(_) | Self::Polling(_))
    }

    /// Whether it is still being made.
    pub(super) const fn is_opening(&self) -> bool {
        matches!(self, Self::Opening(_))
    }

    /// The next news; never, where the socket is closed. Can be dropped at any time without losing any.
    pub(super) async fn next(&mut self) -> News {
        match self {
            Self::Closed => std::future::pending().await,
            Self::Opening(opening) => match opening.await {
                Ok(wire) => {
                    *self = wire;
                    News::Opened
                }
                Err(reason) => News::Lost(reason),
            },
            Self::Open(stream) => loop {
                match stream.next().await {
                    Some(Ok(Message::Text(text))) => return News::Text(text),
                    Some(Ok(Message::Binary(_))) => return News::Binary,
                    // Reading on sends the answer to a ping, and tells the end after a close.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return News::Lost(error.into()),
                    None => return News::Lost(Error::ConnectionClosed.into()),
                }
            },
            Self::Polling(polls) => tokio::select! {
                answer = polls.polling.next() => match answer {
                    Ok(text) => News::Text(text.into()),
                    Err(error) => News::Lost(error),
                },
                () = &mut polls.probe => News::WebSocketWorks,
            },
        }
    }

    pub(super) async fn send(&mut self, frame: Frame) -> Result<(), WireError> {
        match self {
            Self::Open(stream) => timeout(WRITE, stream.send(Message::text(frame.into_text())))
                .await
                .unwrap_or_else(|elapsed| Err(Error::Io(elapsed.into())))
                .map_err(WireError::from),
            Self::Polling(polls) => {
                polls.polling.send(frame);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn close(&mut self) {
        // A dead server cannot be told.
        match self {
            Self::Open(stream) => drop(timeout(GOODBYE, stream.as_mut().close(None)).await),
            Self::Polling(polls) => drop(timeout(GOODBYE, polls.polling.finish()).await),
            _ => {}
        }
        *self = Self::Closed;
    }
}

async fn connect(url: Url) -> Result<Stream, Error> {
    let mut request = url.as_str().into_client_request()?;
    request
        .headers_mut()
        .insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_REPLY_BYTES))
        .max_frame_size(Some(MAX_REPLY_BYTES));
    let (stream, _) = connect_async_with_config(request, Some(config), true).await?;
    Ok(stream)
}

/// Ends once a WebSocket can be opened.
async fn until_web_socket(url: Url) {
    loop {
        tokio::time::sleep(BETWEEN_PROBES).await;
        if let Ok(Ok(mut stream)) = timeout(PROBE, connect(url.clone())).await {
            drop(timeout(GOODBYE, stream.close(None)).await);
            return;
        }
    }
}

/// The address of a web page where that of a WebSocket was given.
fn web_page(mut url: Url) -> Url {
    let scheme = match url.scheme() {
        "ws" => "http",
        "wss" => "https",
        _ => return url,
    };
    // Never an error between these schemes.
    let _ = url.set_scheme(scheme);
    url
}
