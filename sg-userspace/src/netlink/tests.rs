use std::{future::Future, thread, time::Duration};

use nix::sched::{CloneFlags, unshare};
use rtnetlink::{LinkBridge, LinkMessageBuilder};

use super::*;

fn message(index: u32, name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = vec![LinkAttribute::IfName(name.into())];
    message
}

fn new_link(message: LinkMessage) -> NetlinkPayload<RouteNetlinkMessage> {
    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message))
}

fn del_link(message: LinkMessage) -> NetlinkPayload<RouteNetlinkMessage> {
    NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(message))
}

fn present(ifindex: u32, name: &str) -> LinkEvent {
    LinkEvent::Present(Link {
        ifindex,
        name: name.into(),
    })
}

#[test]
fn messages_say_which_interface_came_or_went() {
    assert_eq!(
        Meaning::of(new_link(message(7, "tap0"))),
        Meaning::Event(present(7, "tap0"))
    );
    assert_eq!(
        Meaning::of(del_link(message(7, "tap0"))),
        Meaning::Event(LinkEvent::Gone(7))
    );
}

#[test]
fn a_tap_that_leaves_its_bridge_is_not_gone() {
    let mut left = message(7, "tap0");
    left.header.interface_family = AddressFamily::Bridge;
    assert_eq!(Meaning::of(del_link(left)), Meaning::Nothing);
}

#[test]
fn a_full_buffer_means_that_messages_are_lost() {
    assert_eq!(
        Meaning::of(NetlinkPayload::Overrun(Vec::new())),
        Meaning::Lost
    );
}

/// Runs a future in a network namespace of its own, which is a matter of the thread.
fn in_a_fresh_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    thread::scope(|scope| {
        let namespace = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("tests of interfaces run as root");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(test());
        };
        scope.spawn(namespace).join().unwrap();
    });
}

async fn next(links: &mut Links) -> LinkEvent {
    tokio::time::timeout(Duration::from_secs(5), links.next())
        .await
        .expect("an event")
        .unwrap()
}

async fn until(links: &mut Links, event: &LinkEvent) {
    while next(links).await != *event {}
}

#[test]
fn an_interface_is_seen_from_its_birth_to_its_end() {
    in_a_fresh_namespace(async || {
        let mut links = Links::watch().await.unwrap();
        let loopback = Link {
            ifindex: 1,
            name: "lo".into(),
        };
        assert_eq!(next(&mut links).await, LinkEvent::All(vec![loopback]));

        let handle = links.handle.clone();
        handle
            .link()
            .add(bridge("tap0").build())
            .execute()
            .await
            .unwrap();
        until(&mut links, &present(40, "tap0")).await;
        handle
            .link()
            .set(bridge("tap1").build())
            .execute()
            .await
            .unwrap();
        until(&mut links, &present(40, "tap1")).await;
        handle.link().del(40).execute().await.unwrap();
        until(&mut links, &LinkEvent::Gone(40)).await;
    });
}

#[test]
fn after_lost_messages_all_interfaces_are_told_again() {
    in_a_fresh_namespace(async || {
        let mut links = Links::watch().await.unwrap();
        links
            .handle
            .link()
            .add(bridge("tap0").build())
            .execute()
            .await
            .unwrap();
        next(&mut links).await;
        let overrun = NetlinkMessage::new(Default::default(), NetlinkPayload::Overrun(Vec::new()));
        links.messages = futures_util::stream::iter([overrun]).boxed();
        let LinkEvent::All(all) = next(&mut links).await else {
            panic!("not all of them")
        };
        let names: Vec<_> = all.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["lo", "tap0"]);
    });
}

/// Any device does; every kernel of a host of virtual machines has bridges.
fn bridge(name: &str) -> LinkMessageBuilder<LinkBridge> {
    LinkBridge::new(name).index(40)
}
