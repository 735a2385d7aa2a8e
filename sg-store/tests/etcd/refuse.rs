//! Who is not let in is told why.

use std::fs;
use std::path::{Path, PathBuf};

use etcd_client::{Client, ConnectOptions, Permission};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sg_store::testing::Cluster;
use sg_store::{Error, EtcdOptions, Store};

use super::support::{prefix, put};

/// Tokens that are signed, and tell which revision of users and roles they are of.
const JWT: &str = "jwt,pub-key=KEYS/server.pem,priv-key=KEYS/server.key,sign-method=ES256,ttl=10m";

struct Password {
    _directory: tempfile::TempDir,
    file: PathBuf,
}

fn password(text: &str) -> Password {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    fs::write(&file, format!("{text}\n")).unwrap();
    Password {
        _directory: directory,
        file,
    }
}

fn as_node(cluster: &Cluster, password: &Password) -> Store {
    Store::etcd(EtcdOptions {
        user: Some("node".into()),
        password_file: Some(password.file.clone()),
        ..EtcdOptions::at(cluster.urls())
    })
    .unwrap()
}

#[tokio::test]
async fn a_user_may_do_what_its_role_permits_and_a_wrong_password_is_refused() {
    let cluster = Cluster::start(1);
    let mut client = Client::connect([cluster.urls()], None).await.unwrap();
    client.user_add("root", "secret", None).await.unwrap();
    client.role_add("root").await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.user_add("node", "known", None).await.unwrap();
    client.role_add("node").await.unwrap();
    let read = Permission::read("/sg/").with_prefix();
    client.role_grant_permission("node", read).await.unwrap();
    client.user_grant_role("node", "node").await.unwrap();
    client.auth_enable().await.unwrap();

    let known = password("known");
    let store = as_node(&cluster, &known);
    assert_eq!(store.read(&prefix("/sg/"), None).await.unwrap().entries, []);
    let mut watch = store.watch(prefix("/sg/"), 1).await.unwrap();
    let quiet = tokio::time::timeout(std::time::Duration::from_secs(1), watch.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    for not_permitted in [
        store
            .commit(vec![], vec![put("/sg/a", "x")])
            .await
            .map(drop),
        store.read(&prefix("/other/"), None).await.map(drop),
    ] {
        let error = not_permitted.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
    let mut watch = store.watch(prefix("/other/"), 1).await.unwrap();
    assert!(watch.next().await.is_err());

    let nobody = Store::etcd(EtcdOptions::at(cluster.urls())).unwrap();
    let unknown = password("unknown");
    for refused in [as_node(&cluster, &unknown), nobody] {
        let error = refused.read(&prefix("/sg/"), None).await.unwrap_err();
        assert!(error.is_refusal(), "{error:?}");
        assert!(error.to_string().contains(&cluster.urls()), "{error}");
    }
}

#[tokio::test]
async fn a_password_that_has_changed_is_read_anew_and_a_change_of_roles_ends_nothing() {
    for token in ["simple", JWT] {
        let keys = Certificates::new();
        let token = token.replace("KEYS", &keys.directory.path().display().to_string());
        let cluster = Cluster::start_with(1, &[&format!("--auth-token={token}")]);
        let mut client = Client::connect([cluster.urls()], None).await.unwrap();
        for (user, password) in [("root", "secret"), ("node", "before")] {
            client.user_add(user, password, None).await.unwrap();
            client.role_add(user).await.unwrap();
            client.user_grant_role(user, user).await.unwrap();
        }
        let permitted = Permission::read_write("/sg/").with_prefix();
        let granted = client.role_grant_permission("node", permitted);
        granted.await.unwrap();
        client.auth_enable().await.unwrap();
        let password = password("before");
        let store = as_node(&cluster, &password);
        store.read(&prefix("/sg/"), None).await.unwrap();
        let root = ConnectOptions::new().with_user("root", "secret");
        let mut root = Client::connect([cluster.urls()], Some(root)).await.unwrap();
        root.role_add("other").await.unwrap();
        store.read(&prefix("/sg/"), None).await.unwrap();
        root.role_add("another").await.unwrap();
        store.commit(vec![], vec![put("/sg/a", "1")]).await.unwrap();
        root.user_change_password("node", "after").await.unwrap();
        let error = store.read(&prefix("/sg/"), None).await.unwrap_err();
        assert!(error.is_refusal(), "{token}: {error}");
        fs::write(&password.file, "after\n").unwrap();
        store.commit(vec![], vec![put("/sg/a", "2")]).await.unwrap();
    }
}

/// An authority, and what it has signed: for the server on the loopback, and for a client.
struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        fs::write(directory.path().join("ca.pem"), ca.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let params = CertificateParams::new(names).unwrap();
            let signed = params.signed_by(&key, &issuer).unwrap();
            let path = |ending: &str| directory.path().join(format!("{name}.{ending}"));
            fs::write(path("pem"), signed.pem()).unwrap();
            fs::write(path("key"), key.serialize_pem()).unwrap();
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[tokio::test]
async fn with_tls_both_sides_show_who_they_are() {
    let (ours, others) = (Certificates::new(), Certificates::new());
    let options = [
        format!("--cert-file={}", text(&ours.path("server.pem"))),
        format!("--key-file={}", text(&ours.path("server.key"))),
        format!("--trusted-ca-file={}", text(&ours.path("ca.pem"))),
        "--client-cert-auth".to_owned(),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let cluster = Cluster::start_with(1, &options);
    let store = |ca: &Certificates, client: Option<&Certificates>| {
        let options = EtcdOptions {
            ca: Some(ca.path("ca.pem")),
            certificate: client.map(|client| client.path("client.pem")),
            key: client.map(|client| client.path("client.key")),
            ..EtcdOptions::at(cluster.urls())
        };
        Store::etcd(options).unwrap()
    };
    let known = store(&ours, Some(&ours));
    known.commit(vec![], vec![put("a", "x")]).await.unwrap();
    for refused in [
        store(&others, Some(&ours)),
        store(&ours, Some(&others)),
        store(&ours, None),
    ] {
        let error = refused.read(&prefix("a"), None).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
    }
    let plain = cluster.urls().replace("https", "http");
    let plain = Store::etcd(EtcdOptions::at(plain)).unwrap();
    assert!(plain.read(&prefix("a"), None).await.is_err());
}
