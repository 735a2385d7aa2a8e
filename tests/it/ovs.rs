//! Open vSwitch with its datapath in user space takes frames before tc, and not before XDP.

use std::time::Duration;

use sg_tests::ovs::Ovs;
use sg_tests::packet::udp;

use crate::leak::Leak;
use crate::order::wait_until;
use crate::site::web1;

#[test]
fn what_a_switch_in_user_space_forwards_is_filtered_at_xdp_and_what_it_sends_to_the_vm_at_tc() {
    let leak = Leak::before_the_daemon("ovs");
    let interface = web1().interface();
    for interface in [interface.as_str(), "tap-witness"] {
        let words = format!("link set {interface} nomaster");
        leak.node.netns().ip(&words);
    }
    let Some(switch) = Ovs::new(leak.node.netns(), &[&interface, "tap-witness"]) else {
        eprintln!("skipped: there is no Open vSwitch (package openvswitch-switch)");
        return;
    };
    let leak = leak.start_with_settings("from_vm = 'tc'");
    assert!(leak.passes(), "nothing is forwarded:\n{}", switch.log());
    let leaked = leak.leaks();
    println!("at tc {leaked} of about a hundred forged frames are delivered");
    assert!(leaked > 0, "it reads the tap after tc");
    assert_eq!(leak.node.query("show port WEB1")["state"], "bypassed");

    leak.node.set("from_vm = 'auto'");
    wait_until(&leak.node, |status| status["ports"]["enforcing"] == 1);

    leak.expect_filtered();
    let to_vm = udp("10.0.0.9:3000", "10.0.0.5:4000").payload(b"asked by nobody");
    leak.send_to_web(&to_vm.bytes());
    let seen = leak
        .web
        .find(Duration::from_secs(1), |frame| frame == to_vm.bytes());
    assert!(seen.is_none(), "what comes to the VM is filtered at tc");
    let counters = leak.node.query("counters WEB1");
    assert_eq!(
        counters[0]["ingress"]["no_rule"]["packets"], 1,
        "{counters}"
    );
}
