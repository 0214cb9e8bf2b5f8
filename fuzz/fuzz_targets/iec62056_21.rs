//! The optical port: messages, telegrams, and both ends of the opening, with whatever is on the line.
//!
//! What is read is written alike; both ends come to rest however the line behaves.
#![no_main]

use std::time::Duration;

use dlms_iec62056_21::{
    Device, DeviceConfig, Identification, OptionSelect, Readout, Request, SignOn, SignOnConfig, p1,
};
use libfuzzer_sys::fuzz_target;

fn messages(octets: &[u8]) {
    let mut out = [0; Identification::MAX_LENGTH];
    if let Ok(request) = Request::from_octets(octets) {
        assert_eq!(request.encode(&mut out).map(|length| &out[..length]), Ok(octets));
    }
    if let Ok(identification) = Identification::from_octets(octets) {
        assert_eq!(identification.encode(&mut out).map(|length| &out[..length]), Ok(octets));
    }
    if let Ok(select) = OptionSelect::from_octets(octets) {
        assert_eq!(select.to_octets(), octets);
    }
    if let Ok(readout) = Readout::parse(octets) {
        assert!(readout.data_sets().count() <= octets.len());
    }
    if let Ok(telegram) = p1::Telegram::parse(octets) {
        assert!(telegram.data_sets().count() <= octets.len());
    }
}

fuzz_target!(|data: &[u8]| {
    messages(data);
    let [options, noise @ ..] = data else { return };
    let config = SignOnConfig { echo: options & 1 != 0, wake_up: options & 2 != 0, ..SignOnConfig::default() };
    let mut reader = SignOn::new(config, Duration::ZERO);
    let identification =
        Identification { manufacturer: "ABC", rate: '5', escapes: "\\2", identification: "METER" };
    let Ok(mut meter) = Device::new(DeviceConfig { identification, device_address: "" }) else {
        panic!("the identification is one")
    };
    let mut now = Duration::ZERO;
    let mut out = [0; 72];
    for piece in noise.split(|&octet| octet == 0xFF) {
        now += Duration::from_millis(u64::from(piece.first().copied().unwrap_or(0)) * 10);
        reader.handle_timeout(now);
        meter.handle_timeout(now);
        let sent = reader.poll_transmit(now, &mut out).unwrap_or(0);
        meter.handle_input(now, &mut &out[..sent]);
        let sent = meter.poll_transmit(now, &mut out).unwrap_or(0);
        reader.handle_input(now, &mut &out[..sent]);
        reader.handle_input(now, &mut &*piece);
        meter.handle_input(now, &mut &*piece);
    }
    for _ in 0..20 {
        let Some(at) = reader.poll_timeout() else { break };
        now = now.max(at);
        reader.handle_timeout(now);
        reader.poll_transmit(now, &mut out);
    }
    assert!(reader.outcome().is_some());
});
