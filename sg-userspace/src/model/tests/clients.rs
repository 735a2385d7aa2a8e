//! What the openstack client and openstacksdk print, recorded from both generations against one Neutron.

use super::*;
use crate::model::Malformed;

macro_rules! recorded {
    ($($client:literal: $($file:literal)*;)*) => {
        &[$($((
            concat!($client, " ", $file),
            include_str!(concat!("recorded/", $client, "/", $file, ".json")),
        ),)*)*]
    };
}

/// What has been printed with `-f json`, and by openstacksdk's `to_dict()`.
const PRINTED: &[(&str, &str)] = recorded! {
    "openstackclient-6.0.0":
        "port-show" "port-list" "port-list-long" "group-show" "group-list" "rule-show" "rule-list"
        "address-group-list";
    "openstackclient-10.5.0":
        "port-show" "port-list" "port-list-long" "group-show" "group-list" "rule-show" "rule-list"
        "address-group-list";
    "openstacksdk-1.0.0": "to-dict";
    "openstacksdk-4.22.0": "to-dict";
};

/// The address group that clients show has the API's fields alone.
const AS_THE_API: &[(&str, &str)] = recorded! {
    "openstackclient-6.0.0": "address-group-show";
    "openstackclient-10.5.0": "address-group-show";
};

fn assert_refused(what: &str, document: &Value) {
    match parse(document.to_string().as_bytes()) {
        Err(error @ Malformed::Printed { .. }) => {
            let error = error.to_string();
            assert!(error.contains("c.network.get"), "{what}: {error}");
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn what_a_client_prints_is_refused_as_a_whole() {
    for (what, text) in PRINTED {
        assert_refused(what, &serde_json::from_str(text).unwrap());
    }
}

#[test]
fn one_printed_object_among_those_of_the_api_is_found() {
    for (what, text) in PRINTED {
        let printed: Value = serde_json::from_str(text).unwrap();
        let printed = match printed {
            Value::Array(mut list) => list.remove(0),
            object if object.get("ports").is_some() => object["ports"][0].clone(),
            object => object,
        };
        let (mut ports, mut groups, mut address_groups) =
            (vec![port()], vec![group(&[rule()])], vec![]);
        if what.contains("rule") {
            groups[0]["security_group_rules"] = Value::Array(vec![rule(), printed]);
        } else if what.contains("address-group") {
            address_groups.push(printed);
        } else if what.contains("group") {
            groups.push(printed);
        } else {
            ports.push(printed);
        }
        assert_refused(what, &document(&ports, &groups, &address_groups));
    }
}

#[test]
fn the_refusal_says_where_and_what() {
    let show: Value = serde_json::from_str(PRINTED[0].1).unwrap();
    let error = parse(document(&[port(), show], &[], &[]).to_string().as_bytes()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("ports[1] has the field \"binding_host_id\", which is not the API's"),
        "{text}"
    );
}

#[test]
fn an_address_group_is_shown_as_the_api_answers_it() {
    for (what, text) in AS_THE_API {
        let group = serde_json::from_str(text).unwrap();
        assert_eq!(read(&document(&[], &[], &[group])).faults, [], "{what}");
    }
}
