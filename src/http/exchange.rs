//! A router that is exchanged while it is served: a listener is there from the start on, and what it serves follows.

use axum::{Router, extract::Request};
use tokio::sync::watch;
use tower::ServiceExt as _;

/// A handle; cloning gives another to the same.
#[derive(Debug, Clone)]
pub struct Exchange {
    current: watch::Sender<Router>,
}

impl Exchange {
    /// Begins with a router.
    pub fn new(router: Router) -> Self {
        Self {
            current: watch::Sender::new(router),
        }
    }

    /// Requests from now on go to this router.
    pub fn replace(&self, router: Router) {
        self.current.send_modify(|current| *current = router);
    }

    /// The router to serve.
    pub fn router(&self) -> Router {
        let current = self.current.clone();
        Router::new().fallback(move |request: Request| {
            let router = current.borrow().clone();
            router.oneshot(request)
        })
    }
}
