//! Who is let in, how much each may ask, and what every answer has.

use std::fs;

use sg_api::commit::Desk;
use sg_api::openapi;
use sg_api::resource::COLLECTIONS;
use sg_api::serve::{Front, Htpasswd, Rates, line};

use crate::common::{Server, store};

async fn server(users: &[(&str, &str)], per_second: u32) -> (tempfile::TempDir, Server) {
    let (folder, store) = store();
    let file = folder.path().join("htpasswd");
    let lines: Vec<String> = users
        .iter()
        .map(|(user, password)| line(user, password).unwrap())
        .collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let server = Server::of(Front {
        desk: Desk::open(store).await.unwrap(),
        scheme: "http",
        users: (!users.is_empty()).then(|| Htpasswd::open(&file).unwrap()),
        rates: Rates::new(per_second),
        only_by_address: users.is_empty(),
    });
    (folder, server)
}

/// `ada:secret` and `ada:wrong`.
const RIGHT: (&str, &str) = ("authorization", "Basic YWRhOnNlY3JldA==");
const WRONG: (&str, &str) = ("authorization", "Basic YWRhOndyb25n");

#[tokio::test]
async fn users_come_in_by_their_passwords_and_the_way_is_shown_to_all() {
    let (_folder, server) = server(&[("ada", "secret")], 100).await;
    for (headers, status) in [(&[][..], 401), (&[WRONG], 401), (&[RIGHT], 200)] {
        let answer = server.ask("GET", "/v2.0/networks", headers, None).await;
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(
            answer.headers.contains_key("www-authenticate"),
            status == 401
        );
    }
    assert_eq!(server.ask("GET", "/", &[], None).await.status, 200);
    assert_eq!(server.ask("GET", "/v2.0/", &[], None).await.status, 401);
}

#[tokio::test]
async fn who_asks_too_much_is_told_when_to_ask_again() {
    let (_folder, server) = server(&[], 1).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = server.ask("GET", "/", &[], None).await;
        let wait = answer
            .headers
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        statuses.push((answer.status, wait));
    }
    let ok = (200, None);
    assert_eq!(statuses, [ok.clone(), ok, (429, Some("1".into()))]);
}

#[tokio::test]
async fn every_answer_can_be_found_in_the_log() {
    let (_folder, server) = server(&[], 100).await;
    let mut seen = Vec::new();
    for path in ["/", "/v2.0/networks", "/v2.0/nonsense", "/nonsense"] {
        let answer = server.ask("GET", path, &[], None).await;
        let id = answer.headers["x-openstack-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(id.starts_with("req-"), "{id}");
        assert!(!seen.contains(&id));
        seen.push(id);
    }
}

#[tokio::test]
async fn a_page_of_another_server_can_neither_read_nor_write_here() {
    let (_folder, server) = server(&[], 100).await;
    // Its own name may lead here.
    let host = ("host", "evil.example:9696");
    let answer = server.ask("GET", "/v2.0/networks", &[host], None).await;
    assert_eq!(answer.status, 421);
    // The browser says whose page asks, of an image too.
    for (header, value, status) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", "http://evil.example", 403),
        ("origin", "http://127.0.0.1:8080", 403),
        ("origin", "null", 403),
        ("origin", "http://127.0.0.1:9696", 200),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
    ] {
        let path = "/v2.0/security-groups?project_id=other";
        let answer = server.ask("GET", path, &[(header, value)], None).await;
        assert_eq!(answer.status, status, "{header}: {value}");
    }
    // Nor can it have a project of any length.
    let long = "x".repeat(256);
    let path = format!("/v2.0/security-groups?project_id={long}");
    assert_eq!(server.ask("GET", &path, &[], None).await.status, 400);
    let header = [("x-project-id", long.as_str())];
    let asked = server.ask("GET", "/v2.0/networks", &header, None).await;
    assert_eq!(asked.status, 400);
    // What a form sends is no JSON.
    let text = ("content-type", "text/plain");
    let body = Some("{\"network\": {}}");
    for path in ["/v2.0/networks", "/v2.0/security-groups"] {
        let answer = server.ask("POST", path, &[text], body).await;
        assert_eq!(answer.status, 415, "{path}");
    }
    let json = ("content-type", "Application/JSON; charset=utf-8");
    let answer = server.ask("POST", "/v2.0/networks", &[json], body).await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let (_folder, server) = server(&[], 100).await;
    let body = format!("{{\"network\": {{\"name\": \"{}\"}}}}", "x".repeat(5 << 20));
    let answer = server.ask("POST", "/v2.0/networks", &[], Some(&body)).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn every_kind_and_every_attribute_is_described_and_served() {
    let (_folder, server) = server(&[], 10_000).await;
    let served = server
        .ask("GET", "/v2.0/openapi.json", &[], None)
        .await
        .json();
    assert_eq!(served, openapi::document());
    for kind in COLLECTIONS {
        let schema = &served["components"]["schemas"][kind.resource]["properties"];
        for attribute in kind.attributes.iter().filter(|attribute| attribute.visible) {
            assert!(
                !schema[attribute.name].is_null(),
                "{}.{}",
                kind.resource,
                attribute.name
            );
        }
    }
    // What is described is there.
    for (path, methods) in served["paths"].as_object().unwrap() {
        let at = path
            .replace("{id}", "00000000-0000-4000-8000-000000000001")
            .replace("{alias}", "security-group")
            .replace("{tag}", "t")
            .replace("{project}", "p");
        for method in methods.as_object().unwrap().keys() {
            let answer = server.ask(&method.to_uppercase(), &at, &[], None).await;
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert_ne!(answer.status, 405, "{method} {path}");
            assert!(
                !body.contains("The resource could not be found."),
                "{method} {path}: {body}"
            );
        }
    }
}
