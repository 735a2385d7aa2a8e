//! From HTTP to a request of the API, and back; and who is let through at all.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH, ORIGIN,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{Response, StatusCode, request::Parts};
use axum::{Extension, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use super::converse::Client;
use super::{Htpasswd, Rates};
use crate::api::{Answer, Request};
use crate::commit::Desk;
use crate::error::{ApiError, Result};
use crate::query::Query;
use crate::world::{Context, LONGEST_PROJECT};

/// The largest body that is read.
const LARGEST_BODY: usize = 4 << 20;

/// How long a body may take until it is here.
const PATIENCE: Duration = Duration::from_secs(30);

/// The header by which an answer is found in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// The header by which a browser says whose page asks.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The header by which a proxy says how a client has come to it.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The header by which a client says whose objects it means.
const PROJECT_ID: HeaderName = HeaderName::from_static("x-project-id");

/// What stands in front of a desk.
#[derive(Debug)]
pub struct Front {
    /// Who answers.
    pub desk: Desk,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Who may ask; anybody if there is none.
    pub users: Option<Htpasswd>,
    /// How much each may ask.
    pub rates: Rates,
    /// Whether only what was asked of an address, or of `localhost`, is answered: a page of another server, whose
    /// name leads here, is not.
    pub only_by_address: bool,
}

impl Front {
    /// The routes: all are one, and what is where is for the API to say.
    pub fn routes(self) -> Router {
        Router::new().fallback(answer).with_state(Arc::new(self))
    }

    /// Whether a request is let through.
    async fn admit(&self, head: &Parts, client: IpAddr) -> Result<(), Refusal> {
        if let Err(wait) = self.rates.take(client, Instant::now()) {
            return Err(Refusal::TooMany(wait));
        }
        if self.only_by_address && !is_address(host(head)) {
            return Err(Refusal::ByName);
        }
        if is_foreign(head) {
            return Err(Refusal::Foreign);
        }
        // Clients have to know where to go on before they say who they are.
        let is_open = matches!(head.uri.path(), "" | "/");
        let Some(users) = self.users.as_ref().filter(|_| !is_open) else {
            return Ok(());
        };
        let Some((user, password)) = credentials(&head.headers) else {
            return Err(Refusal::Unknown);
        };
        match users.knows(client, &user, &password).await {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::Unknown),
            None => Err(Refusal::TooMany(Duration::from_secs(1))),
        }
    }

    /// By which the client has come: what stands in front of this server says so.
    fn scheme<'a>(&self, head: &'a Parts) -> &'a str {
        match text(head, &FORWARDED_PROTO) {
            Some(scheme @ ("http" | "https")) => scheme,
            _ => self.scheme,
        }
    }

    /// The type of a body that is not read: a form of another server's page can have any that is not JSON.
    fn strange_type(&self, head: &Parts) -> Option<String> {
        let said = text(head, &CONTENT_TYPE).unwrap_or_default();
        let kind = said.split(';').next().unwrap_or_default().trim();
        let is_strange = !kind.eq_ignore_ascii_case("application/json");
        (self.users.is_none() && is_strange).then(|| said.to_owned())
    }

    async fn answer(&self, head: &Parts, body: Body) -> Result<Answer> {
        let body = match timeout(PATIENCE, to_bytes(body, LARGEST_BODY)).await {
            Ok(Ok(body)) => body.to_vec(),
            Ok(Err(_)) => {
                let why = format!("The body is not whole, or larger than {LARGEST_BODY} bytes.");
                return Err(ApiError::new(413, "HTTPRequestEntityTooLarge", why));
            }
            Err(_) => {
                let why = "The body was not here in time.";
                return Err(ApiError::new(408, "HTTPRequestTimeout", why));
            }
        };
        let request = Request {
            method: head.method.to_string(),
            path: percent_decoded(head.uri.path()),
            query: Query::read(head.uri.query().unwrap_or_default()),
            body,
            strange_type: self.strange_type(head),
            base: format!(
                "{}://{}",
                self.scheme(head),
                host(head).unwrap_or("localhost")
            ),
        };
        let mut context = Context::now();
        if let Some(project) = text(head, &PROJECT_ID).filter(|project| !project.is_empty()) {
            if project.chars().count() > LONGEST_PROJECT {
                let why = format!("it is longer than {LONGEST_PROJECT} characters");
                return Err(ApiError::bad_resource("X-Project-Id", why));
            }
            context.project = project.into();
        }
        context.expected = match request.method.as_str() {
            "PUT" | "DELETE" => expected(&head.headers)?,
            _ => None,
        };
        self.desk.answer(&context, &request).await
    }
}

/// Why a request is not let through.
enum Refusal {
    TooMany(Duration),
    ByName,
    Foreign,
    Unknown,
}

async fn answer(
    State(front): State<Arc<Front>>,
    Extension(Client(client)): Extension<Client>,
    request: HttpRequest,
) -> Response<Body> {
    let id = format!("req-{}", Uuid::new_v4());
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let mut response = match front.admit(&head, client.ip()).await {
        Ok(()) => {
            let answered = front.answer(&head, body).await;
            let (status, body) = match answered {
                Ok(Answer { status, body }) => (status, body.map(|body| body.to_string())),
                Err(error) => (error.status, Some(error.body())),
            };
            let mut response = written(status, body);
            if head.method == "HEAD" {
                *response.body_mut() = Body::empty();
            }
            response
        }
        Err(refusal) => refused(&refusal),
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    tracing::info!(
        target: "sgapi::access",
        "{id} {} \"{} {}\" {} {} ms",
        client.ip(),
        head.method,
        head.uri,
        response.status().as_u16(),
        started.elapsed().as_millis()
    );
    response
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let (status, title, description) = match refusal {
        Refusal::TooMany(_) => (429, "Too Many Requests", "Ask less often."),
        Refusal::ByName => (
            421,
            "Misdirected Request",
            "Ask this server by its address, or as localhost.",
        ),
        Refusal::Foreign => (
            403,
            "Forbidden",
            "A page of another server may not ask this one.",
        ),
        Refusal::Unknown => (
            401,
            "Unauthorized",
            "The request you have made requires authentication.",
        ),
    };
    // Clients know this form from what stands in front of Neutron.
    let error = json!({"code": status, "title": title, "message": description});
    let error = json!({"error": error});
    let mut response = written(status, Some(error.to_string()));
    let headers = response.headers_mut();
    match refusal {
        Refusal::TooMany(wait) => {
            let seconds = wait.as_secs_f64().ceil().max(1.0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds as u64));
        }
        Refusal::Unknown => {
            let basic = HeaderValue::from_static("Basic realm=\"sgapi\", charset=\"UTF-8\"");
            headers.insert(WWW_AUTHENTICATE, basic);
        }
        Refusal::ByName | Refusal::Foreign => {}
    }
    response
}

fn text<'a>(head: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

fn host(head: &Parts) -> Option<&str> {
    let authority = || head.uri.authority().map(|authority| authority.as_str());
    text(head, &HOST).or_else(authority)
}

/// Whether a browser asks for a page of another server (Fetch Metadata; RFC 6454, 7). To list groups may make one.
fn is_foreign(head: &Parts) -> bool {
    let site = text(head, &FETCH_SITE);
    let origin = head.headers.get(ORIGIN).map(|origin| {
        let (_, authority) = origin.to_str().ok()?.split_once("://")?;
        Some(authority)
    });
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
        || origin.is_some_and(|authority| authority.is_none() || authority != host(head))
}

/// Whether a host is an address, or this one's own name, with or without a port.
fn is_address(host: Option<&str>) -> bool {
    let Some(host) = host else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// User and password, if a request has them.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = scheme
        .eq_ignore_ascii_case("basic")
        .then(|| BASE64.decode(encoded.trim()).ok())??;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The revision that a request asks for.
fn expected(headers: &HeaderMap) -> Result<Option<u64>> {
    let values = headers.get_all(IF_MATCH).iter();
    let tags = values.filter_map(|value| value.to_str().ok());
    let tags = tags.flat_map(|value| value.split(','));
    let tags = tags.map(|tag| tag.trim().trim_matches('"'));
    let mut revisions = tags.filter_map(|tag| tag.strip_prefix("revision_number="));
    let Some(revision) = revisions.next() else {
        return Ok(None);
    };
    let malformed = || {
        ApiError::bad_resource(
            "if-match",
            "Revision number etag must be in the format of revision_number=<int>",
        )
    };
    if revisions.next().is_some() {
        return Err(malformed());
    }
    revision.trim().parse().map(Some).map_err(|_| malformed())
}

fn percent_decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn written(status: u16, body: Option<String>) -> Response<Body> {
    let is_json = body.is_some() || status == 201;
    let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if is_json {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_this_node_or_refused() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9696",
            "[::1]:9696",
            "localhost:9696",
            "LOCALHOST",
        ] {
            assert!(is_address(Some(host)), "{host}");
        }
        for host in [
            "evil.example:9696",
            "127.0.0.1.evil.example",
            "",
            "localhost.evil",
        ] {
            assert!(!is_address(Some(host)), "{host}");
        }
        assert!(!is_address(None));
    }

    #[test]
    fn a_user_and_a_password_are_read_from_the_header() {
        let mut headers = HeaderMap::new();
        assert_eq!(credentials(&headers), None);
        headers.insert(
            AUTHORIZATION,
            HeaderValue::from_static("Basic YWRhOnNlOmNyZXQ="),
        );
        let read = credentials(&headers);
        assert_eq!(read, Some(("ada".into(), "se:cret".into())));
        headers.insert(
            AUTHORIZATION,
            HeaderValue::from_static("Bearer YWRhOnNlOmNyZXQ="),
        );
        assert_eq!(credentials(&headers), None);
    }

    #[test]
    fn one_revision_is_asked_for_or_none() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, HeaderValue::from_static(value));
            expected(&headers)
        };
        assert_eq!(of("revision_number=7"), Ok(Some(7)));
        assert_eq!(of("\"revision_number=7\""), Ok(Some(7)));
        assert_eq!(of("*"), Ok(None));
        assert!(of("revision_number=x").is_err());
        assert!(of("revision_number=1,revision_number=2").is_err());
    }
}
