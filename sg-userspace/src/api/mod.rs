//! The HTTP interface of the daemon: JSON over a unix socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `PUT /v1/inventory` | [`ApplyReport`] |
//! | `GET /v1/status` | [`StatusView`] |
//! | `GET /v1/settings` | [`SettingsView`] |
//! | `GET /v1/ports` | list of [`PortView`] |
//! | `GET /v1/ports/{port}` | [`PortDetail`] |
//! | `GET /v1/groups` | list of [`GroupView`] |
//! | `GET /v1/flows?{filter}` | list of [`FlowView`], by [`FlowFilter`](crate::flows::FlowFilter) |
//! | `DELETE /v1/flows` | list of the [`FlowView`]s that a [`DeleteRequest`] has deleted |
//! | `GET /v1/ports/{port}/flows` | [`FlowDocument`](crate::flows::FlowDocument) of the port |
//! | `POST /v1/flows?port={port}` | [`ImportReport`] of a [`FlowDocument`](crate::flows::FlowDocument) |
//! | `GET /v1/counters?port={port}` | list of [`PortCounters`] |
//! | `POST /v1/explain` | [`ExplainView`] of an [`ExplainRequest`] |
//!
//! A port is named by id, interface (a subport: `INTERFACE.VLAN`), MAC, IP address or name. Every other answer has an
//! [`ErrorView`] as its body.

mod client;
mod error_view;
mod server;
mod socket;
#[cfg(test)]
mod tests;
mod view;

pub use client::Client;
pub use error_view::ErrorView;
pub use server::router;
pub use socket::{Socket, bind};
pub use view::{
    ApplyReport, Count, Counters, DeleteRequest, ExplainRequest, ExplainView, FlowView, GroupView,
    HookView, ImportReport, InventoryView, LinkView, Outcome, PortCounters, PortDetail, PortState,
    PortTally, PortView, ProgramView, RefusedFlow, RuleView, SettingView, SettingsView, StageView,
    StatusView, Step, SweepView, TableView, TroubleView, Way,
};
