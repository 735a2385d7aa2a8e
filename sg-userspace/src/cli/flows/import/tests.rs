use super::*;
use crate::view::RefusedFlow;

#[test]
fn what_was_left_out_is_listed_and_told_by_the_exit_code() {
    let mut report = ImportReport::new("11111111-0000-4000-8000-000000000005".parse().unwrap());
    report.imported = 3;
    report.existing = 1;
    assert_eq!(exit(&report), Exit::Ok);
    assert_eq!(
        text(&report),
        "port 11111111-0000-4000-8000-000000000005: 3 imported, 1 here already, 0 ended meanwhile, \
         0 refused\n"
    );
    let flow = serde_json::json!({
        "port": "11111111-0000-4000-8000-000000000005", "zone": 1, "protocol": "tcp",
        "protocol_number": 6, "local": "10.0.0.5", "local_port": 22, "remote": "198.51.100.7",
        "remote_port": 40000, "direction": "ingress", "state": "ESTABLISHED", "replied": true,
        "assured": true, "revoked": false, "expires": 9, "reason": "no_rule",
    });
    let refused: RefusedFlow = serde_json::from_value(flow).unwrap();
    report.refused.push(refused);
    assert_eq!(exit(&report), Exit::LeftOut);
    let text = text(&report);
    assert!(
        text.contains("1 refused") && text.contains("198.51.100.7:40000"),
        "{text}"
    );
}
