//! Who is let in: whoever asks this node by a name of its loopback, and no page of another's that a browser here
//! has open. A name that somebody has made lead to 127.0.0.1 is in `Host` as it was typed.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{plain::plain, view::ErrorView};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a browser is told beside each answer: to load nothing from anywhere else, to send nothing there, to let
/// nobody frame or embed it, and to keep nothing.
const PRECAUTIONS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// Lets in who may come in, and gives every answer the precautions.
pub(super) async fn keep(State(port): State<u16>, request: Request, next: Next) -> Response {
    let mut answer = match refusal(request.uri(), request.headers(), port) {
        None => next.run(request).await,
        Some(view) => (StatusCode::FORBIDDEN, Json(view)).into_response(),
    };
    for (name, value) in PRECAUTIONS {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// Why a request is refused, if it is.
pub(super) fn refusal(uri: &Uri, headers: &HeaderMap, port: u16) -> Option<ErrorView> {
    let refuse = |field: &str, value: &str, why: &str| {
        Some(
            ErrorView::new(why)
                .object("request")
                .field(field, plain(value)),
        )
    };
    let Some(host) = only(headers, &header::HOST) else {
        return refuse("Host", "", "there has to be one, and no more");
    };
    let authority = uri.authority().map(|authority| authority.as_str());
    for name in [Some(host), authority].into_iter().flatten() {
        if !is_ours(name, port) {
            let hint = format!(
                "ask http://127.0.0.1:{port}/; from elsewhere by ssh -L {port}:127.0.0.1:{port}, with the same port"
            );
            let refused = refuse("Host", name, "it is no name of this node's loopback");
            return refused.map(|view| view.hint(hint));
        }
    }
    if headers.contains_key(header::ORIGIN) {
        let origin = only(headers, &header::ORIGIN).unwrap_or("several");
        if origin.strip_prefix("http://") != Some(host) {
            return refuse("Origin", origin, "another page asks");
        }
    }
    if headers.contains_key(SEC_FETCH_SITE) {
        let site = only(headers, &SEC_FETCH_SITE).unwrap_or("several");
        if !["same-origin", "none"].contains(&site) {
            return refuse("Sec-Fetch-Site", site, "another page asks");
        }
    }
    None
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether a name with its port is one of the loopback's, as a browser here would have it.
fn is_ours(host: &str, port: u16) -> bool {
    // Browsers leave this port out.
    let here = match port {
        80 => host.strip_suffix(":80").unwrap_or(host),
        _ => match host.strip_suffix(&format!(":{port}")) {
            Some(name) => name,
            None => return false,
        },
    };
    if here.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let six = here
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match six {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|it| it.is_loopback()),
        None => here.parse::<Ipv4Addr>().is_ok_and(|it| it.is_loopback()),
    }
}
