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
use tokio_util::sync::CancellationToken;

use super::{Shared, api, fault::Connection, push};

/// The tasks of a homeserver that runs. They end when it is dropped.
pub(super) struct Running {
    port: u16,
    tasks: [JoinHandle<()>; 2],
}

impl Running {
    /// Starts on a port of the loopback interface; 0 is any that is free.
    pub(super) async fn start(shared: Arc<Shared>, port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("the port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let router = api::router(Arc::clone(&shared));
        Self {
            port,
            tasks: [
                tokio::spawn(accept(listener, router)),
                tokio::spawn(push::run(shared)),
            ],
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Ends everything at once, in the middle of whatever it is doing.
    pub(super) async fn stop(mut self) {
        for task in &mut self.tasks {
            task.abort();
            // What is left to hear is that it was cancelled.
            let _ = task.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Serves connections until it is aborted, which breaks them all.
async fn accept(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("the socket accepts");
        connections.spawn(serve(stream, router.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, router: Router) {
    let broken = CancellationToken::new();
    let router = router.layer(Extension(Connection(broken.clone())));
    let builder = Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // A client that goes away is no failure of the homeserver.
    let _ = broken.run_until_cancelled(connection).await;
}
