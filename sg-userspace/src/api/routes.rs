//! Routes that are described where they are made: none is without a description, and none is only described.

use axum::{Router, handler::Handler, routing::on};

use super::openapi::Operation;

/// Routes on a state, with what they take and answer.
pub struct Routes<S> {
    pub router: Router<S>,
    pub operations: Vec<Operation>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet.
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            operations: Vec::new(),
        }
    }

    /// One more, and what answers it.
    pub fn with<H: Handler<T, S>, T: 'static>(mut self, operation: Operation, handler: H) -> Self {
        let answer = on(operation.filter, handler);
        self.router = self.router.route(operation.path, answer);
        self.operations.push(operation);
        self
    }
}
