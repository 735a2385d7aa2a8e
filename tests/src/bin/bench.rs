//! `cargo xtask bench`: what the filter costs, against an empty program in the same run.

use std::path::{Path, PathBuf};

use clap::Parser;
use sg_common::hook::Hook;
use sg_tests::bench::empty;
use sg_tests::bench::paths;
use sg_tests::bench::programs::{self, Build, Cost, UNPROVEN};
use sg_tests::bench::stream::{self, Places, Stream, Throughput};
use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::netns::Netns;
use sg_tests::node::Node;
use sg_tests::testrun::Program;
use sg_tests::vm::Vm;

/// Measures what the filter costs.
#[derive(Parser)]
struct Options {
    /// Only the programs alone, by way of the packet.
    #[arg(long)]
    programs: bool,
    /// Where `sgd` and `sgctl` of the build to compare with are.
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Only ways whose name has this in it.
    #[arg(long, value_name = "WORD", default_value = "")]
    only: String,
    /// Samples of each.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

fn main() {
    let options = Options::parse();
    if options.programs {
        return by_way(&options);
    }
    let rounds = options.rounds;
    let web1 = port("WEB1")
        .ip("10.0.0.5")
        .ip("2001:db8::5")
        .groups(&["WEB_SERVERS"]);
    let client = port("CLIENT")
        .ip("10.0.0.7")
        .ip("2001:db8::7")
        .groups(&["WEB_SERVERS"]);
    let group = group("WEB_SERVERS")
        .rule("ingress IPv4 tcp 80 from 0.0.0.0/0")
        .rule("ingress IPv6 tcp 80 from ::/0")
        .default_egress();
    let inventory = Inventory::new()
        .port(web1.clone())
        .port(client.clone())
        .group(group);

    println!("An established TCP connection between two machines (ratio to an empty program)");
    print(
        "taps, frames of the MTU",
        &through_taps(&inventory, &web1, &client, rounds),
    );
    print(
        "veths, super-packets",
        &through_veths(&inventory, &web1, &client, rounds),
    );
}

/// Prints what each way costs in the build to compare with, in this one, and their ratio.
fn by_way(options: &Options) {
    let build = |mut node: Node, options: &[&str]| {
        let tap = node.tap(&paths::server().interface());
        node.write(&paths::inventory());
        node.start_with(options);
        Build::of(node, tap)
    };
    let base = match &options.base {
        Some(directory) => Node::new("base").with_programs(directory),
        None => Node::new("base"),
    };
    let ours = Node::new("ours");
    let pin = ours.directory().join("bpf/empty");
    empty::pin(&pin);
    let empty = Program::pinned(&pin);
    // As much room for new connections as the base has, for a fair comparison.
    let room = UNPROVEN.to_string();
    let mut builds = [build(base, &[]), build(ours, &["--max-unproven", &room])];
    let [before, now] = [0, 1].map(|build: usize| builds[build].verified_instructions());
    println!("verified instructions (from_vm, to_vm): {before:?} to {now:?}");
    println!(
        "{:36} {:8} {:>22} {:>22} {:>20} {:>16}",
        "way", "hook", "base, ns over empty", "this build", "ratio", "base to itself"
    );
    let costs = programs::measure(&mut builds, &empty, &options.only, options.rounds);
    costs.into_iter().for_each(print_cost);
    if "new".contains(&options.only) || options.only.contains("new") {
        builds.iter_mut().for_each(Build::fill);
        println!("with full tables of new connections:");
        let costs = programs::measure(&mut builds, &empty, "new", options.rounds);
        costs.into_iter().for_each(print_cost);
    }
}

fn print_cost(cost: Cost) {
    let Cost {
        name,
        hook,
        base,
        ours,
        control,
        ratio,
    } = cost;
    println!(
        "{name:36} {:8} {base:>22.0} {ours:>22.0} {ratio:>20.2} {control:>16.0}",
        hook.as_str()
    );
}

fn through_taps(inventory: &Inventory, web1: &Port, client: &Port, rounds: usize) -> Throughput {
    let mut node = Node::new("bench");
    let (server, sender) = (Vm::new(&node, web1), Vm::new(&node, client));
    node.start(inventory);
    compare(&node, sender.netns(), server.netns(), rounds)
}

/// Machines behind veths have no copying process between, and send super-packets.
fn through_veths(inventory: &Inventory, web1: &Port, client: &Port, rounds: usize) -> Throughput {
    let mut node = Node::new("bench");
    let machine = |port: &Port, address: &str| {
        let netns = Netns::new("machine");
        let (tap, mac) = (port.interface(), port.mac_address());
        node.netns().ip(&format!(
            "link add {tap} type veth peer name eth0 netns {}",
            netns.name()
        ));
        node.netns().ip(&format!("link set {tap} master br0 up"));
        netns.ip(&format!("link set eth0 address {mac} up"));
        netns.ip(&format!("address add {address}/24 dev eth0"));
        netns
    };
    let (server, sender) = (machine(web1, "10.0.0.5"), machine(client, "10.0.0.7"));
    node.start(inventory);
    compare(&node, &sender, &server, rounds)
}

fn compare(node: &Node, sender: &Netns, server: &Netns, rounds: usize) -> Throughput {
    let stream = Stream::open(sender, server, [10, 0, 0, 5].into());
    let bpf = node.directory().join("bpf");
    let places = Places::below(&node.pins());
    keep_filter(&bpf, node);
    let empty = bpf.join("empty");
    empty::pin(&empty);
    stream::measure(
        &stream,
        rounds,
        || places.put(|hook| bpf.join(hook)),
        || places.put(|_| empty.clone()),
    )
}

/// Pins the filter's programs, to be put back.
fn keep_filter(bpf: &Path, node: &Node) {
    for (name, hook) in [("from_vm", Hook::FromVm), ("to_vm", Hook::ToVm)] {
        let interface = port("WEB1").interface();
        Program::attached(node.netns(), &interface, hook).pin(&bpf.join(name));
    }
}

fn print(name: &str, throughput: &Throughput) {
    let Throughput {
        filter,
        control,
        empty,
    } = throughput;
    println!(
        "  {name:24} {filter}   empty against itself {control}, {:.2} Gbit/s",
        empty.median * 8.0 / 1e9
    );
}
