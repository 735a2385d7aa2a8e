//! What is served over TCP: the page beside the metrics, and nothing that changes anything.

use axum::{
    body::Body,
    http::{Method, Request, Response},
};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

use super::*;
use crate::api::{server, tcp};

const PORT: u16 = 9477;

/// Nothing inline, nothing from elsewhere, nobody around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is served, over an agent that enforces WEB1.
struct Served {
    router: axum::Router,
    hub: Arc<Hub>,
    kernel: Double,
}

fn served() -> Served {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    let document = inventory(json!({"name": "WEB1\n\u{202e}"}));
    let read = crate::agent::Read::new(&document, &agent.inventory().unwrap());
    agent.take(read.unwrap()).unwrap();
    agent.settle().unwrap();
    let table = agent.hit_table();
    let (shared, hub) = (Shared::new(agent), Hub::new(Arc::new(Quiet)));
    let gatherer = Gatherer::open(shared.clone(), table, "/proc/sg/usage.json".into());
    let metrics = Metrics::new(shared.clone(), hub.clone());
    let page = Page::new(shared, gatherer, hub.clone());
    Served {
        router: tcp::routes(metrics, Some(page), PORT),
        hub,
        kernel,
    }
}

impl Served {
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", format!("127.0.0.1:{PORT}"));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let service = TowerToHyperService::new(self.router.clone());
        service
            .call(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.ask(Method::GET, path, &[]).await;
        let status = answer.status().as_u16();
        (status, body(answer).await)
    }
}

async fn body(answer: Response<Body>) -> Value {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[tokio::test]
async fn nothing_of_the_socket_is_there_and_what_is_there_can_only_be_read() {
    let served = served();
    let of_socket = server::paths();
    served.kernel.calls();
    assert!(of_socket.contains(&"/v1/inventory"), "{of_socket:?}");
    let page = [
        "/",
        "/page/ports",
        "/page/ports/WEB1",
        "/page/explain",
        "/page/drops",
        "/metrics",
    ];
    for method in [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ] {
        for path in &of_socket {
            let answer = served.ask(method.clone(), path, &[]).await;
            assert_eq!(answer.status(), 404, "{method} {path}");
            assert!(body(answer).await["error"].is_string(), "{method} {path}");
        }
        if method == Method::GET {
            continue;
        }
        for path in page {
            let answer = served.ask(method.clone(), path, &[]).await;
            assert_eq!(answer.status(), 405, "{method} {path}");
            assert!(body(answer).await["error"].is_string(), "{method} {path}");
        }
    }
    assert!(served.kernel.calls().is_empty(), "nothing is changed");
}

#[tokio::test]
async fn every_answer_of_the_page_tells_browsers_to_trust_nobody_else() {
    let served = served();
    let foreign = [("origin", "http://evil.example")];
    for (path, headers, status) in [
        ("/", &[][..], 200),
        ("/page/style.css", &[], 200),
        ("/page/script.js", &[], 200),
        ("/page/ports", &[], 200),
        ("/page/ports/NOBODY", &[], 404),
        ("/page/explain", &[], 400),
        ("/", &foreign, 403),
        ("/page/ports", &foreign, 403),
        ("/page/drops", &foreign, 403),
    ] {
        let answer = served.ask(Method::GET, path, headers).await;
        assert_eq!(answer.status(), status, "{path}");
        let of = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(of("content-security-policy"), POLICY, "{path}");
        assert_eq!(of("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(of("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(of("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(of("cache-control"), "no-store", "{path}");
        assert!(!answer.headers().contains_key("set-cookie"), "{path}");
        assert!(
            !answer.headers().contains_key("access-control-allow-origin"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn metrics_are_as_they_were_whoever_asks() {
    let served = served();
    let headers = [
        ("origin", "http://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    let answer = served.ask(Method::GET, "/metrics", &headers).await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("content-security-policy"));
}

#[tokio::test]
async fn what_others_chose_is_sent_escaped() {
    let served = served();
    let (status, rows) = served.get("/page/ports").await;
    assert_eq!(status, 200);
    assert_eq!(rows["ports"][0]["name"], "WEB1\\n\\u{202e}", "{rows}");
    assert_eq!(rows["ports"][0]["id"], WEB1);
    assert_eq!(rows["ports"][0]["groups"], json!(["WEB_SERVERS"]));
    let (_, port) = served.get(&format!("/page/ports/{WEB1}")).await;
    assert_eq!(port["name"], "WEB1\\n\\u{202e}", "{port}");
    assert!(port["ingress"].as_array().unwrap().len() > 10, "{port}");
    let (status, error) = served.get("/page/ports/NO%0ABODY").await;
    assert_eq!(status, 404);
    assert!(!error["error"].as_str().unwrap().contains('\n'), "{error}");
}

#[tokio::test]
async fn a_packet_in_words_is_walked_and_what_is_no_packet_is_told_from_it() {
    let served = served();
    let explain = async |direction: &str, words: &str| {
        let query = serde_urlencoded::to_string([
            ("port", "10.0.0.5"),
            ("direction", direction),
            ("words", words),
        ]);
        served
            .get(&format!("/page/explain?{}", query.unwrap()))
            .await
    };
    let (status, walk) = explain("ingress", "tcp 198.51.100.7:40000 10.0.0.5:80").await;
    assert_eq!(
        (status, &walk["verdict"]),
        (200, &json!("accept")),
        "{walk}"
    );
    let (_, walk) = explain("ingress", "tcp 198.51.100.7:40000 10.0.0.5:22").await;
    assert_eq!(walk["reason"], "no_rule", "{walk}");
    assert!(walk["remedy"].is_string(), "{walk}");
    for (direction, words, said) in [
        ("ingress", "tcp 198.51.100.7 10.0.0.5", "destination port"),
        ("ingress", "--help", "--help"),
        ("sideways", "tcp 198.51.100.7:1 10.0.0.5:2", "sideways"),
    ] {
        let (status, error) = explain(direction, words).await;
        assert_eq!(status, 400, "{words}: {error}");
        assert!(error["error"].as_str().unwrap().contains(said), "{error}");
    }
}

#[tokio::test]
async fn so_many_pages_follow_at_once_and_each_that_goes_makes_room() {
    let served = served();
    let follow = || served.ask(Method::GET, "/page/drops", &[]);
    let mut following = Vec::new();
    for _ in 0..8 {
        let answer = follow().await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        following.push(answer);
    }
    assert_eq!(served.hub.totals().readers, 8);
    let refused = follow().await;
    assert_eq!(refused.status(), 503);
    assert!(body(refused).await["hint"].is_string());
    following.clear();
    assert_eq!(served.hub.totals().readers, 0);
    assert_eq!(follow().await.status(), 200);
    let (status, _) = served.get("/page/drops?port=WEB1").await;
    assert_eq!(status, 400, "a port is asked for by its id");
    assert_eq!(served.hub.totals().readers, 0);
}
