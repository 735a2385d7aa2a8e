//! Plays scenes and compares.

use std::collections::{BTreeMap, BTreeSet};

use sg_common::hook::Hook;
use sg_common::layout::counter::Counter;
use sg_common::layout::flow::FlowKey;
use sg_common::layout::fragment::FragmentKey;
use sg_common::reason::{Accept, DropReason, Verdict};
use sg_common::wire::ip::Fragment;
use sg_userspace::agent::Mode;
use sg_userspace::model::RuleId;

use super::crowd::Crowd;
use super::scene::{Act, Given, Scene};
use super::world::{Step, World};
use crate::packet::describe;

/// Plays every scene alone and again in a crowd of other rules.
///
/// # Panics
/// With a list of all packets of which anything is not as expected.
pub fn check(scenes: &[Scene]) {
    play(scenes, [None, Some(Crowd::new())]);
}

/// Plays every scene alone only, for what is decided before any rule is asked; see [`check`].
pub fn check_alone(scenes: &[Scene]) {
    play(scenes, [None]);
}

fn play<const TIMES: usize>(scenes: &[Scene], crowds: [Option<Crowd>; TIMES]) {
    let mut world = World::new(1024);
    play_in(&mut world, scenes, crowds);
    // What goes to the VM is judged at tc in any case.
    if scenes.iter().any(Scene::has_sent) {
        // A guard asks the rules only of a port that floods.
        world.set_flood(true);
        for mode in [Mode::Xdp, Mode::Guard] {
            world.move_to(mode);
            play_in(&mut world, scenes, [None]);
        }
    }
}

fn play_in<const TIMES: usize>(
    world: &mut World,
    scenes: &[Scene],
    crowds: [Option<Crowd>; TIMES],
) {
    let mut permitted_by = BTreeMap::new();
    let mut wrong = Vec::new();
    for crowd in crowds {
        for (number, scene) in scenes.iter().enumerate() {
            let mut play = Play {
                world,
                crowd: crowd.as_ref(),
                permitted_by: &mut permitted_by,
                wrong: &mut wrong,
            };
            play.scene(number, scene);
        }
        assert!(
            world.is_as_planned(),
            "the tables do not hold what was planned"
        );
    }
    let count = wrong.len();
    assert!(
        wrong.is_empty(),
        "{count} packets are not as expected, at {}:\n\n{}",
        world.mode().as_str(),
        wrong.join("\n")
    );
}

struct Play<'a> {
    world: &'a mut World,
    crowd: Option<&'a Crowd>,
    /// By scene and act: the rule that permitted the packet without the crowd.
    permitted_by: &'a mut BTreeMap<(usize, usize), Option<RuleId>>,
    wrong: &'a mut Vec<String>,
}

impl Play<'_> {
    fn scene(&mut self, number: usize, scene: &Scene) {
        self.world.forget();
        self.world.set_settings(&scene.settings);
        self.apply(&scene.given);
        for (place, act) in scene.acts.iter().enumerate() {
            match act {
                Act::Change(given) => self.apply(given),
                Act::Packet {
                    hook,
                    frame,
                    expected,
                    at,
                } => {
                    if !scene.in_order {
                        self.world.forget();
                    }
                    let problems = self.packet((number, place), *hook, frame, expected);
                    if !problems.is_empty() {
                        let who = self.crowd.map_or("alone", |_| "in a crowd");
                        let (packet, problems) = (describe(frame), problems.join("\n    "));
                        let hook = hook.as_str();
                        self.wrong
                            .push(format!("{at}, {who}: {hook} {packet}\n    {problems}"));
                    }
                }
            }
        }
    }

    fn apply(&mut self, given: &Given) {
        let (mut inventory, port) = (given.inventory(), given.port());
        if let Some(crowd) = self.crowd {
            crowd.join(&mut inventory, port);
        }
        self.world.apply(inventory, port);
    }

    fn packet(
        &mut self,
        place: (usize, usize),
        hook: Hook,
        frame: &[u8],
        expected: &Verdict,
    ) -> Vec<String> {
        let before = self.world.stored();
        let step = self.world.send(hook, frame);
        let mut problems = problems(self.world, &step, hook);
        if step.verdict != *expected {
            problems.insert(
                0,
                format!("expected {}, it is {}", name(expected), name(&step.verdict)),
            );
        }
        problems.extend(stored(&step, &before));
        let rule = self.world.rule(&step.opening);
        match self.crowd {
            None => drop(self.permitted_by.insert(place, rule)),
            Some(_)
                if asks_rules(&step.verdict) && self.permitted_by.get(&place) != Some(&rule) =>
            {
                problems.push(format!(
                    "the crowd changes the rule that permits it to {rule:?}"
                ));
            }
            Some(_) => {}
        }
        problems
    }
}

/// In what the host, the kernel and the evaluator differ on a packet, and what is wrong with its
/// counters.
#[must_use]
pub fn problems(world: &World, step: &Step, hook: Hook) -> Vec<String> {
    let mut problems = step.host.differences(&step.kernel);
    problems.extend(miscounted(world, step, hook));
    let permitted = world.rule(&step.opening).is_some();
    if asks_rules(&step.verdict) && permitted != step.verdict.is_ok() {
        let says = if permitted {
            "a rule permits it"
        } else {
            "no rule permits it"
        };
        problems.push(format!(
            "the evaluator says that {says}, the filter {}",
            name(&step.verdict)
        ));
    }
    if step.verdict == Err(DropReason::Revoked)
        && step.original.hook == Hook::ToVm
        && let Some(rule) = world.rule(&step.original)
    {
        problems.push(format!("revoked, but its opening is permitted by {rule:?}"));
    }
    problems
}

/// Exactly one counter moves, by one packet and its bytes.
fn miscounted(world: &World, step: &Step, hook: Hook) -> Option<String> {
    let nobody = matches!(
        step.verdict,
        Err(DropReason::NoPort | DropReason::Vlan | DropReason::MalformedEthernet)
    );
    let one = Counter {
        packets: 1,
        bytes: step.length.into(),
    };
    let counted: Vec<_> = step.kernel.counted.iter().collect();
    let fits = match counted.as_slice() {
        [((slot, direction, counter), count)] => {
            (world.slots().contains(slot) || nobody && *slot == 0)
                && *direction == hook.direction()
                && *counter == name(&step.verdict)
                && **count == one
        }
        _ => false,
    };
    (!fits).then(|| {
        format!(
            "expected one packet of {} counted, not {counted:?}",
            one.bytes
        )
    })
}

/// What is stored: nothing for a refused packet, a connection for a new one, the datagram of a
/// first fragment.
fn stored(step: &Step, before: &(BTreeSet<FlowKey>, BTreeSet<FragmentKey>)) -> Option<String> {
    let flows: BTreeSet<_> = step.kernel.flows.keys().copied().collect();
    let new: Vec<_> = flows.difference(&before.0).collect();
    let own = flows.contains(&step.opening.key);
    let flows_fit = match step.verdict {
        Ok(Accept::New) => own && new.len() <= 1,
        Ok(Accept::Dhcp | Accept::Icmpv6) => new.len() <= 1,
        _ => new.is_empty(),
    };
    if !flows_fit {
        return Some(format!("connections that appeared: {new:?}"));
    }
    let new: Vec<_> = step.kernel.fragments.difference(&before.1).collect();
    let first = step.fragment == Fragment::First && step.verdict.is_ok();
    let fragments_fit = match first {
        true => new.len() <= 1 && !step.kernel.fragments.is_empty(),
        false => new.is_empty(),
    };
    (!fragments_fit).then(|| format!("fragments that appeared: {new:?}"))
}

/// Whether a verdict is one of the rules.
fn asks_rules(verdict: &Verdict) -> bool {
    match verdict {
        Ok(accept) => matches!(
            accept,
            Accept::New | Accept::Stateless | Accept::InvalidPermitted
        ),
        Err(reason) => matches!(
            reason,
            DropReason::NoRule
                | DropReason::InvalidTransport
                | DropReason::InvalidTcpFlags
                | DropReason::InvalidTcpState
                | DropReason::InvalidTcpReset
                | DropReason::InvalidTcpWindow
                | DropReason::InvalidSctp
                | DropReason::InvalidIcmp
        ),
    }
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Ok(accept) => accept.as_str(),
        Err(reason) => reason.as_str(),
    }
}
