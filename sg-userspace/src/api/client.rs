//! The client of the daemon's interface: one request, one connection.

use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, task::JoinHandle};

use super::stream::{Lines, Sender};
use crate::{
    error::{Error, Result},
    exit::Exit,
    flows::{FlowDocument, FlowFilter},
    view::{
        AdoptReport, AdoptRequest, ApplyReport, DeleteRequest, DiffView, ErrorView, EventsRequest,
        ExplainRequest, ExplainView, FlowView, GroupView, ImportReport, PortCounters, PortDetail,
        PortView, SettingsView, StatusView, UsageView,
    },
};

/// Why there is no answer.
type Broken = Box<dyn std::error::Error>;

/// Speaks to the daemon behind a socket.
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the daemon that listens at `socket`.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// Replaces the inventory by a document.
    pub async fn apply(&self, document: Vec<u8>) -> Result<ApplyReport> {
        self.request(Method::PUT, "/v1/inventory", document).await
    }

    /// What an inventory would change.
    pub async fn diff(&self, document: Vec<u8>) -> Result<DiffView> {
        self.request(Method::POST, "/v1/diff", document).await
    }

    /// How the daemon is doing.
    pub async fn status(&self) -> Result<StatusView> {
        self.get("/v1/status").await
    }

    /// The settings in force.
    pub async fn settings(&self) -> Result<SettingsView> {
        self.get("/v1/settings").await
    }

    /// Every port.
    pub async fn ports(&self) -> Result<Vec<PortView>> {
        self.get("/v1/ports").await
    }

    /// One port and its filter.
    pub async fn port(&self, reference: &str) -> Result<PortDetail> {
        self.get(&format!("/v1/ports/{}", escape(reference))).await
    }

    /// Every security group.
    pub async fn groups(&self) -> Result<Vec<GroupView>> {
        self.get("/v1/groups").await
    }

    /// The tracked connections that meet a filter.
    pub async fn flows(&self, filter: &FlowFilter) -> Result<Vec<FlowView>> {
        let query = serde_urlencoded::to_string(filter);
        let query = query.map_err(|error| Error::Usage(error.to_string()))?;
        self.get(&format!("/v1/flows?{query}")).await
    }

    /// Deletes connections; returns those that were deleted, or would be.
    pub async fn delete_flows(&self, request: &DeleteRequest) -> Result<Vec<FlowView>> {
        self.request(Method::DELETE, "/v1/flows", json(request)?)
            .await
    }

    /// The connections of a port, to be taken over by another node.
    pub async fn export_flows(&self, port: &str) -> Result<FlowDocument> {
        self.get(&format!("/v1/ports/{}/flows", escape(port))).await
    }

    /// Takes over the connections in a document, of a port if one is named.
    pub async fn import_flows(
        &self,
        document: Vec<u8>,
        port: Option<&str>,
    ) -> Result<ImportReport> {
        let path = match port {
            Some(port) => format!("/v1/flows?port={}", escape(port)),
            None => "/v1/flows".into(),
        };
        self.request(Method::POST, &path, document).await
    }

    /// Has ports take over the connections of the kernel's own tracker.
    pub async fn adopt_flows(&self, request: &AdoptRequest) -> Result<AdoptReport> {
        self.request(Method::POST, "/v1/adoptions", json(request)?)
            .await
    }

    /// What rules have permitted, of a port or a group if one is named.
    pub async fn usage(&self, port: Option<&str>, group: Option<&str>) -> Result<UsageView> {
        let named = [("port", port), ("group", group)];
        let named = named
            .iter()
            .filter_map(|(key, value)| Some((key, (*value)?)));
        let query = serde_urlencoded::to_string(named.collect::<Vec<_>>());
        let query = query.map_err(|error| Error::Usage(error.to_string()))?;
        self.get(&format!("/v1/usage?{query}")).await
    }

    /// The counters of one port, or of all.
    pub async fn counters(&self, port: Option<&str>) -> Result<Vec<PortCounters>> {
        match port {
            Some(port) => {
                self.get(&format!("/v1/counters?port={}", escape(port)))
                    .await
            }
            None => self.get("/v1/counters").await,
        }
    }

    /// Walks a packet through a port's filter.
    pub async fn explain(&self, request: &ExplainRequest) -> Result<ExplainView> {
        self.request(Method::POST, "/v1/explain", json(request)?)
            .await
    }

    /// Asks to be told what happens, each line an [`crate::view::EventLine`]. When this returns, the kernel
    /// tells what was asked for.
    pub async fn events(&self, request: &EventsRequest) -> Result<Lines> {
        let body = json(request)?;
        let (answer, sender, connection) = self
            .begin(Method::POST, "/v1/events", body)
            .await
            .map_err(|cause| self.unreachable(&*cause))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Lines::new(
                answer.into_body(),
                self.socket.clone(),
                sender,
                connection,
            ));
        }
        let body = answer.into_body().collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Err(refused(status, &body))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.request(Method::GET, path, Vec::new()).await
    }

    async fn request<T>(&self, method: Method, path: &str, body: Vec<u8>) -> Result<T>
    where
        T: DeserializeOwned,
    {
        let (status, body) = self
            .exchange(method, path, body)
            .await
            .map_err(|cause| self.unreachable(&*cause))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| self.not_understood(error));
        }
        Err(refused(status, &body))
    }

    pub(super) async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> std::result::Result<(StatusCode, Bytes), Broken> {
        let (answer, _sender, connection) = self.begin(method, path, body).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await;
        connection.abort();
        Ok((head.status, body?.to_bytes()))
    }

    /// Sends a request; returns what comes first of the answer, and what has to stay for the rest to come.
    async fn begin(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> std::result::Result<(Response<Incoming>, Sender, JoinHandle<()>), Broken> {
        let stream = UnixStream::connect(&self.socket).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "sgd")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        // It must be polled for the conversation to go on. What ends it is told by the answer, too.
        let connection = tokio::spawn(async { drop(connection.await) });
        let answer = sender.send_request(request).await?;
        Ok((answer, sender, connection))
    }

    fn unreachable(&self, cause: &dyn std::error::Error) -> Error {
        Error::Unreachable {
            socket: self.socket.clone(),
            cause: cause.to_string(),
        }
    }

    fn not_understood(&self, error: serde_json::Error) -> Error {
        let view = ErrorView::new(format!("the daemon's answer is not understood: {error}"))
            .hint("use the sgctl that belongs to the running sgd");
        Error::Answered {
            exit: Exit::Failure,
            view: Box::new(view),
        }
    }
}

/// An answer that is no success.
fn refused(status: StatusCode, body: &[u8]) -> Error {
    let view = serde_json::from_slice(body)
        .unwrap_or_else(|_| ErrorView::new(format!("{status}: {}", String::from_utf8_lossy(body))));
    Error::Answered {
        exit: exit_of(status),
        view: Box::new(view),
    }
}

/// The statuses of [`super::server`], back to exit codes.
fn exit_of(status: StatusCode) -> Exit {
    match status {
        StatusCode::UNPROCESSABLE_ENTITY => Exit::Malformed,
        StatusCode::BAD_REQUEST => Exit::Usage,
        StatusCode::NOT_FOUND => Exit::NotFound,
        _ => Exit::Failure,
    }
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Usage(error.to_string()))
}

/// Percent-encodes everything but the unreserved characters, RFC 3986 2.3.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}
