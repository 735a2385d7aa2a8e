//! The HTTP interface of the daemon: JSON over a unix socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/openapi.json` | this interface, described for programs |
//! | `PUT /v1/inventory` | [`ApplyReport`](crate::view::ApplyReport) |
//! | `POST /v1/transactions` | [`TransactionReport`](crate::view::TransactionReport) of a [`Transaction`](crate::model::Transaction) |
//! | `GET /v1/transactions` | [`TransactionsView`](crate::view::TransactionsView) |
//! | `GET /v1/status` | [`StatusView`](crate::view::StatusView) |
//! | `GET /v1/settings` | [`SettingsView`](crate::view::SettingsView) |
//! | `GET /v1/ports` | list of [`PortView`](crate::view::PortView) |
//! | `GET /v1/ports/{port}` | [`PortDetail`](crate::view::PortDetail) |
//! | `GET /v1/groups` | list of [`GroupView`](crate::view::GroupView) |
//! | `GET /v1/flows?{filter}` | list of [`FlowView`](crate::view::FlowView), by [`FlowFilter`](crate::flows::FlowFilter) |
//! | `DELETE /v1/flows` | list of the [`FlowView`](crate::view::FlowView)s that a [`DeleteRequest`](crate::view::DeleteRequest) has deleted |
//! | `GET /v1/ports/{port}/flows` | [`FlowDocument`](crate::flows::FlowDocument) of the port |
//! | `POST /v1/flows?port={port}` | [`ImportReport`](crate::view::ImportReport) of a [`FlowDocument`](crate::flows::FlowDocument) |
//! | `POST /v1/adoptions` | [`AdoptReport`](crate::view::AdoptReport) of an [`AdoptRequest`](crate::view::AdoptRequest) |
//! | `GET /v1/counters?port={port}` | list of [`PortCounters`](crate::view::PortCounters) |
//! | `GET /v1/sample` | [`SampleView`](crate::view::SampleView) |
//! | `GET /v1/usage?port=&group=` | [`UsageView`](crate::view::UsageView) |
//! | `POST /v1/events` | lines of [`EventLine`](crate::view::EventLine) that an [`EventsRequest`](crate::view::EventsRequest) asks for, until their reader goes |
//! | `GET /metrics` | text for Prometheus, see [`crate::metrics`] |
//! | `POST /v1/diff` | [`DiffView`](crate::view::DiffView) of an inventory |
//! | `POST /v1/explain` | [`ExplainView`](crate::view::ExplainView) of an [`ExplainRequest`](crate::view::ExplainRequest) |
//!
//! Over TCP there is `GET /metrics`, and a page for people on the node itself ([`Page`]), which is no interface for
//! programs.
//!
//! A port is named by id, interface (a subport: `INTERFACE.VLAN`), MAC, IP address or name. Every other answer has an
//! [`ErrorView`](crate::view::ErrorView) as its body.

mod client;
mod events;
mod fresh;
mod metrics;
mod openapi;
mod page;
mod peer;
mod routes;
mod serve;
mod server;
mod socket;
mod stream;
mod tcp;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use events::routes as event_routes;
pub use metrics::Metrics;
pub use page::Page;
pub use serve::serve;
pub use server::{Source, router};
pub use socket::{Socket, bind};
pub use stream::Lines;
pub use tcp::serve_open;
