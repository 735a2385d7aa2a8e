//! The steps about the group WEB_SERVERS, with real clients and servers.

use super::question::Family::{V4, V6};
use super::question::{ask, ask_all, tcp, udp};
use super::report::Report;
use super::scene::{CLIENT_PORT, Scene, WebServers, inventory};
use crate::traffic::Connection;
use crate::traffic::Outcome::{Answered, Silence};

pub(super) fn without_filter(scene: &Scene, report: &mut Report) {
    report.output(&scene.drawing(), 5);
    let (client, web1) = (&scene.client, &scene.web1);
    ask_all(
        report,
        &[
            tcp(client, web1, V4, 80, Answered),
            tcp(client, web1, V4, 443, Answered),
            tcp(client, web1, V4, 22, Answered),
            tcp(client, web1, V6, 80, Answered),
            udp(client, web1, V4, 80, Answered),
        ],
    );
}

pub(super) fn before_the_update(scene: &mut Scene, report: &mut Report) {
    report.command("sgd run --inventory inventory.json");
    scene.node.start(&inventory(WebServers::NotApplied));
    show(scene, report, "list ports");
    let (client, web1) = (&scene.client, &scene.web1);
    ask_all(
        report,
        &[
            tcp(client, web1, V4, 80, Silence),
            tcp(client, web1, V4, 443, Silence),
            tcp(client, web1, V4, 22, Silence),
            tcp(client, web1, V6, 80, Silence),
            udp(client, web1, V4, 80, Silence),
        ],
    );
}

pub(super) fn after_the_update(scene: &Scene, report: &mut Report) {
    apply(
        scene,
        report,
        "web1-in-web-servers.json",
        WebServers::Applied,
    );
    let (client, web1) = (&scene.client, &scene.web1);
    ask_all(
        report,
        &[
            tcp(client, web1, V4, 80, Answered),
            tcp(client, web1, V4, 443, Answered),
            tcp(client, web1, V6, 80, Answered),
            tcp(client, web1, V6, 443, Answered),
            tcp(client, web1, V4, 22, Silence),
            tcp(client, web1, V6, 22, Silence),
            udp(client, web1, V4, 80, Silence),
        ],
    );
}

pub(super) fn reaching_out(scene: &Scene, report: &mut Report) {
    let (client, web1) = (&scene.client, &scene.web1);
    ask_all(
        report,
        &[
            tcp(web1, client, V4, CLIENT_PORT, Answered),
            udp(web1, client, V4, CLIENT_PORT, Answered),
            tcp(web1, client, V6, CLIENT_PORT, Answered),
            udp(web1, client, V6, CLIENT_PORT, Answered),
        ],
    );
}

/// Leaves the connection to 443 open for the next step.
pub(super) fn rule_removed(scene: &Scene, report: &mut Report) -> Option<Connection> {
    let (client, web1) = (&scene.client, &scene.web1);
    let mut to_80 = Connection::open(client.netns(), web1.v4(), 80).ok();
    let mut to_443 = Connection::open(client.netns(), web1.v4(), 443).ok();
    report.check(
        "open connection to 80, before",
        Answered,
        ask(to_80.as_mut()),
    );
    report.check(
        "open connection to 443, before",
        Answered,
        ask(to_443.as_mut()),
    );

    apply(
        scene,
        report,
        "web-servers-without-80.json",
        WebServers::Without80,
    );

    report.check("open connection to 80, after", Silence, ask(to_80.as_mut()));
    report.check(
        "open connection to 443, after",
        Answered,
        ask(to_443.as_mut()),
    );
    ask_all(
        report,
        &[
            tcp(client, web1, V4, 80, Silence),
            tcp(client, web1, V6, 80, Silence),
            tcp(client, web1, V4, 443, Answered),
        ],
    );
    to_443
}

pub(super) fn daemon_stopped(
    scene: &mut Scene,
    to_443: &mut Option<Connection>,
    report: &mut Report,
) {
    report.command("systemctl stop sgd      # here: SIGTERM");
    scene.node.terminate();
    let (client, web1) = (&scene.client, &scene.web1);
    ask_all(
        report,
        &[
            tcp(client, web1, V4, 443, Answered),
            tcp(client, web1, V4, 80, Silence),
            tcp(web1, client, V4, CLIENT_PORT, Answered),
        ],
    );
    report.check(
        "open connection to 443, while stopped",
        Answered,
        ask(to_443.as_mut()),
    );

    report.command("systemctl start sgd");
    scene.node.start_again();
    report.check(
        "open connection to 443, after the start",
        Answered,
        ask(to_443.as_mut()),
    );
    show(scene, report, "status");
}

/// Runs a verb of `sgctl`, shows what it prints, and checks that it succeeds.
pub(super) fn show(scene: &Scene, report: &mut Report, verb: &str) {
    const SCREEN: usize = 60;

    report.command(&format!("sgctl {verb}"));
    let output = scene.node.sgctl(verb);
    report.output(&output.stdout, SCREEN);
    report.output(&output.stderr, SCREEN);
    report.check(&format!("exit code of sgctl {verb}"), 0, output.code);
}

fn apply(scene: &Scene, report: &mut Report, file: &str, state: WebServers) {
    report.command(&format!("sgctl apply -f {file}"));
    let output = scene.node.apply(&inventory(state));
    report.output(&output.stdout, 20);
    report.output(&output.stderr, 20);
    report.check("exit code of sgctl apply", 0, output.code);
}
