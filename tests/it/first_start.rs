//! The filter comes to a node whose machines talk: nothing of what is permitted is lost, and none is silent for
//! long.

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use sg_tests::inventory::{Inventory, Port, port};
use sg_tests::node::Node;
use sg_tests::steady::{Outcome, REFUSED, inventory};
use sg_tests::streams::{Ends, Stream, Traffic, datagram, datagrams};
use sg_tests::tap::Tap;
use sg_tests::vm::Vm;

use crate::gaps::World;

/// Machines that send a stream of their own to WEB1, from the first port to the last.
const SENDERS: usize = 4;

/// Where WEB1 takes the first of these streams.
const STREAMS: usize = 7001;

/// `SG_PORTS` says how many ports there are besides: so many that tables and taps take their time.
fn others() -> Vec<Port> {
    let count = env::var("SG_PORTS").map_or(60, |ports| ports.parse().unwrap());
    let other = |number: usize| {
        // The senders are neighbors of WEB1's.
        let address = match number.is_multiple_of(count / SENDERS) {
            true => format!("10.0.0.{}", 100 + number / (count / SENDERS)),
            false => format!("10.0.{}.{}", 1 + number / 250, number % 250),
        };
        let other = port(&format!("OTHER{number}"));
        other.ip(&address).groups(&["CLIENTS"])
    };
    (0..count).map(other).collect()
}

/// The machines of those that send, with their streams, and the taps of the rest.
fn plugged(world: &World, others: &[Port]) -> (Vec<(Vm, Stream)>, Vec<Tap>) {
    let (mut senders, mut taps) = (Vec::new(), Vec::new());
    for (number, other) in others.iter().enumerate() {
        if !number.is_multiple_of(others.len() / SENDERS) || senders.len() == SENDERS {
            taps.push(world.node.tap(&other.interface()));
            continue;
        }
        let vm = Vm::new(&world.node, other);
        let to = format!("10.0.0.5:{}", STREAMS + senders.len());
        let stream = Stream::new(
            datagrams(vm.netns(), &format!("{}:0", vm.v4())),
            datagrams(world.steady.web.netns(), &to),
        );
        senders.push((vm, stream.slow()));
    }
    (senders, taps)
}

/// The longest silence of each stream while something is done to the node; nothing of them is lost.
fn silences(senders: &[(Vm, Stream)], work: impl FnOnce()) -> Vec<Duration> {
    const BESIDES: Duration = Duration::from_millis(300);
    let traffic = Traffic::default();
    let deliveries: Vec<_> = thread::scope(|scope| {
        let ends = Ends(&traffic);
        let run = |(_, stream): &'_ (Vm, Stream)| stream.run(&traffic);
        let streams: Vec<_> = senders
            .iter()
            .map(|sender| scope.spawn(move || run(sender)))
            .collect();
        thread::sleep(BESIDES);
        work();
        thread::sleep(BESIDES);
        drop(ends);
        let deliveries = streams.into_iter().map(|stream| stream.join().unwrap());
        deliveries.collect()
    });
    for delivery in &deliveries {
        assert_eq!(delivery.came, delivery.sent, "{deliveries:?}");
    }
    deliveries.iter().map(|one| one.silence).collect()
}

#[test]
fn the_first_start_on_a_node_in_use_is_not_noticed() {
    let mut world = World::new("first");
    let others = others();
    let (senders, taps) = plugged(&world, &others);
    let streams = format!(
        "ingress IPv4 udp {STREAMS}-{} from 0.0.0.0/0",
        STREAMS + SENDERS - 1
    );
    let all = others
        .iter()
        .cloned()
        .fold(inventory(&[&streams]), Inventory::port);
    let (from, to) = (
        datagrams(world.steady.client.netns(), "10.0.0.7:0"),
        datagrams(
            world.steady.web.netns(),
            &format!("10.0.0.5:{}", REFUSED + 1),
        ),
    );
    datagram(&from, &to);
    let begin = |node: &mut Node| {
        let begun = Instant::now();
        let silences = silences(&senders, || node.start(&all));
        eprintln!("{:?} for all; silent: {silences:?}", begun.elapsed());
    };
    let mut outcome = world.during(begin);
    // The filter knows it since the client has spoken: nobody has tracked it before.
    outcome.idle.client_first("an idle connection");
    outcome.idle.server_first("and back");
    let Outcome {
        traffic, stream, ..
    } = &outcome;
    assert_eq!(stream.came, stream.sent, "of the stream");
    let [_, questions, pings] = Outcome::counts(&traffic.lost);
    // An answer that is under way when the filter comes, which has not seen the question.
    assert!(
        questions <= 1 && pings <= 1,
        "{questions} questions, {pings} pings lost"
    );
    assert_eq!(
        world.node.query("status")["ports"]["enforcing"],
        2 + others.len()
    );
    from.send_to(b"let me in", to.local_addr().unwrap())
        .unwrap();
    assert!(to.recv(&mut [0; 16]).is_err(), "what is refused has passed");
    drop((senders, taps));
}
