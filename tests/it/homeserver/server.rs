//! The socket, and connections that can be broken one by one or all at once.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Shared, api, fault::Connection, push};

/// The tasks of a homeserver that runs. They end when it is dropped.
pub(super) struct Running {
    port: u16,
    stop: DropGuard,
    tasks: [JoinHandle<()>; 2],
}

impl Running {
    /// Starts on a port of the loopback interface; 0 is any that is free.
    pub(super) async fn start(shared: Arc<Shared>, port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("the port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let stop = CancellationToken::new();
        let router = api::router(Arc::clone(&shared));
        let accepting = tokio::spawn(accept(listener, router, stop.clone()));
        let pushing = push::run(shared);
        let pushing = stop.clone().run_until_cancelled_owned(pushing);
        let pushing = tokio::spawn(async { _ = pushing.await });
        Self {
            port,
            stop: stop.drop_guard(),
            tasks: [accepting, pushing],
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Ends everything at once, in the middle of whatever it is doing.
    pub(super) async fn stop(self) {
        drop(self.stop);
        for task in self.tasks {
            task.await.expect("no task panics");
        }
    }
}

/// Serves connections until it is stopped, which breaks them all.
async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, _) = accepted.expect("the socket accepts");
        connections.spawn(serve(stream, router.clone()));
        while connections.try_join_next().is_some() {}
    }
    connections.shutdown().await;
}

async fn serve(stream: TcpStream, router: Router) {
    let broken = CancellationToken::new();
    let router = router.layer(Extension(Connection(broken.clone())));
    let builder = Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // A client that goes away is no failure of the homeserver.
    let _ = broken.run_until_cancelled(connection).await;
}
