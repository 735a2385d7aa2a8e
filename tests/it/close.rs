//! A tap that appears while the daemon is away is closed by what the daemon has left, and adopted by the next.

use std::path::Path;

use sg_tests::node::{Node, Output};
use sg_tests::traffic::Outcome::{Answered, Silence};
use sg_tests::traffic::{EchoServer, ask_tcp};
use sg_tests::vm::Vm;

use crate::site::{HTTP, Site, site, web1};

#[test]
fn a_tap_that_comes_while_the_daemon_is_away_is_closed_until_the_next_one_adopts_it() {
    for way in ["tcx", "clsact"] {
        let mut site_ = Site::new(&format!("shut-{way}"));
        site_.node.write(&site(&[HTTP]));
        site_.node.start_with(&["--attach", way]);
        assert_eq!(site_.ask(80), Answered, "{way}");
        assert_eq!(
            close(&site_.node, way).expect(0).stderr,
            "",
            "a daemon runs"
        );
        assert_eq!(site_.ask(80), Answered, "{way}");
        site_.node.kill();

        let Site {
            web,
            client,
            mut node,
            ..
        } = site_;
        drop(web);
        let web = Vm::new(&node, &web1());
        let _servers = [80, 443].map(|port| EchoServer::start(web.netns(), port));
        let ask = |port| ask_tcp(client.netns(), web.v4(), port);
        assert_eq!(ask(443), Answered, "{way}: nobody has closed it yet");
        let closed = close(&node, way);
        assert!(closed.expect(0).stderr.contains("it is closed"), "{way}");
        assert_eq!((ask(80), ask(443)), (Silence, Silence), "{way}");

        node.start_with(&["--attach", way]);
        assert_eq!((ask(80), ask(443)), (Answered, Silence), "{way}");
        node.terminate();
        node.sgd("detach").expect(0);
        assert_eq!((ask(80), ask(443)), (Answered, Answered), "{way}");
    }
}

fn close(node: &Node, way: &str) -> Output {
    let (inventory, pins) = (node.inventory_path(), node.pins());
    let file = |path: &Path| path.to_str().unwrap().to_owned();
    let words = [
        "close".to_owned(),
        "--interface".to_owned(),
        web1().interface(),
        "--attach".to_owned(),
        way.to_owned(),
        "--inventory".to_owned(),
        file(&inventory),
        "--bpffs".to_owned(),
        file(&pins),
    ];
    node.sgd_args(&words.each_ref().map(String::as_str))
}
