//! The tour runs, and passes all its stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{Directory, dlms};

#[test]
fn every_stop_of_the_tour() {
    let state = Directory::new();
    let tour = dlms(&state, ["demo"]).expect(0).stdout;
    for stop in [
        "HLS-GMAC",
        "0-0:1.0.0*255",
        "active energy import",
        "The load profile of the last day",
        "⣿",
        "remote_disconnect done",
        "supply off, disconnected",
        "releases the association",
    ] {
        assert!(tour.contains(stop), "{stop:?} is missing in\n{tour}");
    }
}

#[test]
fn for_programs_the_tour_is_one_document() {
    let tour = dlms(&Directory::new(), ["demo", "--json"]).expect(0);
    let json = tour.json();
    assert_eq!(json["relay"], serde_json::json!(["connected", "disconnected", "ready-for-reconnection"]));
    assert!(json["objects"].as_u64() > Some(300) && json["profile-rows"].as_u64() > Some(90), "{json}");
    assert!(json["registers"][0]["value"].is_number() && tour.stderr.contains("HLS-GMAC"));
}
