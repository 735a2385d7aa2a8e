//! Neutron's own line (`neutron/services/logapi/drivers/openvswitch/log_driver.py`).

use super::os_ken;
use crate::{
    packet::from_hex,
    view::{EventLine, LostView, PacketView},
};

/// The line of an event at a port of a project. No log object of the server has asked for it.
pub fn line(event: &EventLine, project: &str) -> String {
    match event {
        EventLine::Packet(packet) => {
            let action = packet.action.map_or("-", |action| action.as_str());
            let head = head(action, project, &packet.port);
            format!("{head} pkt={}", frame(packet))
        }
        EventLine::Lost(LostView {
            lost,
            port,
            action,
            why,
            ..
        }) => {
            let head = head(action.as_str(), project, port);
            format!("{head} lost={lost} why={}", why.as_str())
        }
    }
}

fn head(action: &str, project: &str, port: &str) -> String {
    let project = if project.is_empty() { "-" } else { project };
    format!("action={action} project_id={project} log_resource_ids=[] vm_port={port}")
}

fn frame(packet: &PacketView) -> String {
    os_ken::text(&from_hex(&packet.frame).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{EventAction, LostWhy};

    #[test]
    fn what_was_lost_is_a_line_as_of_neutrons_agent_with_this_firewall() {
        let lost = EventLine::Lost(LostView {
            time: "2026-11-29T15:02:12.000211Z".into(),
            lost: 4711,
            port: "11111111-1111-4111-8111-111111111111".into(),
            action: EventAction::Drop,
            why: LostWhy::Rate,
        });
        assert_eq!(
            line(&lost, "2f4e"),
            "action=DROP project_id=2f4e log_resource_ids=[] \
             vm_port=11111111-1111-4111-8111-111111111111 lost=4711 why=rate"
        );
        assert!(line(&lost, "").contains(" project_id=- "));
    }
}
