//! The demonstration: WEB_SERVERS enforced on a real tap, step by step.

mod fleet;
mod openstack;
mod operator;
mod question;
mod report;
mod scene;
mod spoofing;
mod web_servers;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::report::Report;
use self::scene::Scene;
use crate::interrupt::{self, Interrupted};

/// How the demonstration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every outcome was the expected one.
    AsExpected,
    /// At least one was not; the table says which.
    Different,
    /// By Ctrl-C or SIGTERM.
    Interrupted,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// WEB_SERVERS, in an inventory.
    WebServers {
        /// Wait for Enter before all is removed.
        pause: bool,
    },
    /// The same, by the commands of the `openstack` client.
    OpenStack,
    /// Eight nodes on three members of etcd.
    Fleet,
}

/// Runs it all and tidies up, however it ends.
#[must_use]
pub fn run(story: Story) -> Ending {
    interrupt::watch();
    let mut report = Report::new();
    let tell = |report: &mut Report| match story {
        Story::WebServers { pause } => web_servers_story(report, pause),
        Story::OpenStack => openstack::story(report),
        Story::Fleet => fleet::story(report),
    };
    // A step that could not be carried out has said why. The table comes all the same.
    let end = catch_unwind(AssertUnwindSafe(|| tell(&mut report)));
    match end {
        Ok(Err(Interrupted)) => {
            println!("\nInterrupted; everything made for the demo is removed.");
            return Ending::Interrupted;
        }
        Ok(Ok(())) => {}
        Err(_) => report.check("the step", "carried out", "broken off, see above"),
    }
    if report.conclude() {
        Ending::AsExpected
    } else {
        Ending::Different
    }
}

/// The steps in their order. What they need is made first and dropped on the way out.
fn web_servers_story(report: &mut Report, pause: bool) -> Result<(), Interrupted> {
    report.step("A compute node with two virtual machines, nothing filtered yet")?;
    let mut scene = Scene::new();
    web_servers::without_filter(&scene, report);

    report.step("sgd enforces: WEB1 is in the group default, which lets nobody in")?;
    web_servers::before_the_update(&mut scene, report);

    report.step("The port update: WEB1 joins WEB_SERVERS, 80 and 443 from anywhere")?;
    web_servers::after_the_update(&scene, report);

    report.step("WEB1 reaches out and gets its answers")?;
    web_servers::reaching_out(&scene, report);

    report.step("WEB1 is broken into: forged frames and a rogue DHCP server")?;
    spoofing::forged_frames(&scene, report);

    report.step("The rule for 80 is removed, under open connections")?;
    let mut open = web_servers::rule_removed(&scene, report);

    report.step("sgd is stopped: the kernel goes on enforcing")?;
    web_servers::daemon_stopped(&mut scene, &mut open, report);

    report.step("What the operator sees")?;
    operator::look(&scene, report);

    if pause {
        operator::pause(&scene)?;
    }
    Ok(())
}
