//! The page of a real daemon, used by a browser on a node with taps and traffic, by its keyboard alone.

pub mod browser;
mod tour;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use anyhow::{Result, ensure};

use crate::inventory::{Inventory, group, port};
use crate::node::Node;
use crate::site::{client, web1};
use crate::tap::Tap;
use crate::traffic::{EchoServer, ask_tcp, ask_udp};
use crate::vm::Vm;
use browser::Browser;

/// Where the daemon serves it.
const ADDRESS: &str = "127.0.0.1:9477";

/// What somebody may have called a port.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\n\u{202e}gnp";

/// Serves the page of a node with so many ports and has a browser use it; the pictures are written to a directory.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn run(pictures: &Path, ports: usize) -> Result<()> {
    fs::create_dir_all(pictures)?;
    let mut node = Node::new("page");
    node.netns().ip("link set lo up");
    let (web, client) = (Vm::new(&node, &web1()), Vm::new(&node, &client()));
    let _servers = [80, 443].map(|port| EchoServer::start(web.netns(), port));
    let idle: Vec<_> = (2..ports).map(idle_port).collect();
    let _taps: Vec<Tap> = idle
        .iter()
        .map(|port| node.tap(&port.interface()))
        .collect();
    let inventory = idle.into_iter().fold(inventory(), Inventory::port);
    node.write(&inventory);
    node.start_with(&["--metrics", ADDRESS]);

    let over = AtomicBool::new(false);
    let toured = thread::scope(|scope| {
        scope.spawn(|| talk(&web, &client, &over));
        let toured = Browser::start(&node).and_then(|browser| {
            tour::by_keyboard(&browser)?;
            tour::without_motion(&browser)?;
            tour::look_everywhere(&browser, pictures)?;
            // Who asks for what is no packet is refused, and the browser says so; it also speaks of its own pages.
            let is_meant = |line: &String| {
                line.contains("chrome://") || line.contains("/page/explain") && line.contains("400")
            };
            let mut said = browser.console()?;
            said.retain(|line| !is_meant(line));
            ensure!(said.is_empty(), "the console says {said:#?}");
            Ok(())
        });
        over.store(true, Relaxed);
        toured
    });
    toured?;
    println!("pictures are in {}", pictures.display());
    Ok(())
}

fn inventory() -> Inventory {
    let web = group("WEB_SERVERS")
        .default_egress()
        .rule("ingress IPv4 tcp 80 from 0.0.0.0/0")
        .rule("ingress IPv4 tcp 22 from 10.0.0.0/24")
        .rule("ingress IPv4 udp 53 from group CLIENTS")
        .rule("ingress IPv4 icmp from 0.0.0.0/0")
        .rule("ingress IPv6 tcp 80 from ::/0");
    Inventory::new()
        .port(web1())
        .port(client())
        .group(web)
        .group(group("CLIENTS").default_egress())
}

/// A port whose machine says nothing. One has a name that is made to be shown wrongly, one has no protection.
fn idle_port(number: usize) -> crate::inventory::Port {
    let name = match number {
        2 => HOSTILE.to_owned(),
        _ => format!("IDLE{number}"),
    };
    let address = format!("10.0.{}.{}", 1 + number / 250, 1 + number % 250);
    let idle = port(&name).ip(&address);
    match number {
        3 => idle.groups(&[]).with("port_security_enabled", false),
        _ => idle.groups(&["WEB_SERVERS", "CLIENTS"]),
    }
}

/// Traffic that passes, and some that does not.
fn talk(web: &Vm, client: &Vm, over: &AtomicBool) {
    let mut round = 0;
    while !over.load(Relaxed) {
        for _ in 0..1 + round % 5 {
            let _ = ask_tcp(client.netns(), web.v4(), 80);
        }
        let _ = ask_udp(client.netns(), web.v4(), 53);
        let _ = ask_tcp(client.netns(), web.v4(), 443);
        round += 1;
    }
}
