//! Serves the API over TCP, plain or by TLS, to whoever may ask.

mod converse;
mod front;
mod htpasswd;
mod limit;
mod share;
mod tls;

pub use converse::{Client, Limits, serve};
pub use front::Front;
pub use htpasswd::{Htpasswd, line};
pub use limit::Rates;
pub use tls::acceptor;
