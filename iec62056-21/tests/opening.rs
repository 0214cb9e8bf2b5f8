//! Both ends of the opening on one line, and each end against what meters and readers send.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use core::time::Duration;

use dlms_iec62056_21::*;
use proptest::prelude::*;

fn identification(escapes: &'static str) -> Identification<'static> {
    Identification { manufacturer: "ABc", rate: '5', escapes, identification: "DLMS-METER" }
}

fn device(escapes: &'static str) -> Device<'static> {
    Device::new(DeviceConfig { identification: identification(escapes), device_address: "00000001" }).unwrap()
}

/// Lets both ends talk until the reader has an outcome; characters arrive only where both set the line alike.
fn talk<'m>(mut reader: SignOn<'_>, mut meter: Device<'m>) -> (Option<Result<Opened, Error>>, Device<'m>) {
    let mut out = [0; 72];
    let (mut reader_line, mut meter_line) = (LineSettings::SIGN_ON, LineSettings::SIGN_ON);
    for millisecond in 0..60_000 {
        let now = Duration::from_millis(millisecond);
        reader.handle_timeout(now);
        meter.handle_timeout(now);
        reader_line = reader.poll_line().unwrap_or(reader_line);
        let sent = reader.poll_transmit(now, &mut out);
        meter_line = meter.poll_line().unwrap_or(meter_line);
        if let Some(length) = sent.filter(|_| reader_line == meter_line) {
            meter.handle_input(now, &mut &out[..length]);
        }
        let sent = meter.poll_transmit(now, &mut out);
        meter_line = meter.poll_line().unwrap_or(meter_line);
        reader.handle_timeout(now);
        reader_line = reader.poll_line().unwrap_or(reader_line);
        if let Some(length) = sent.filter(|_| reader_line == meter_line) {
            reader.handle_input(now, &mut &out[..length]);
        }
        if reader.outcome().is_some() && meter.poll_timeout().is_none() {
            break;
        }
    }
    (reader.outcome(), meter)
}

#[test]
fn mode_e_leads_to_hdlc_at_the_lower_of_both_rates() {
    for (max_rate, expected) in [(BaudRate::B19200, BaudRate::B9600), (BaudRate::B2400, BaudRate::B2400)] {
        let config = SignOnConfig { max_rate, ..SignOnConfig::default() };
        let (outcome, mut meter) = talk(SignOn::new(config, Duration::ZERO), device("\\2"));
        assert_eq!(outcome, Some(Ok(Opened::Hdlc(expected))));
        assert_eq!(meter.state(), DeviceState::Hdlc);
        // What comes now is left to the link layer.
        let mut frame: &[u8] = &[0x7E, 0xA0];
        meter.handle_input(Duration::from_secs(60), &mut frame);
        assert_eq!(frame.len(), 2);
        meter.close();
        assert_eq!((meter.poll_line(), meter.state()), (Some(LineSettings::SIGN_ON), DeviceState::SignOn));
    }
}

#[test]
fn a_meter_without_hdlc_is_read_out() {
    let config = SignOnConfig { wish: Wish::Readout, ..SignOnConfig::default() };
    let (outcome, meter) = talk(SignOn::new(config, Duration::ZERO), device(""));
    assert_eq!(outcome, Some(Ok(Opened::Readout(BaudRate::B9600))));
    assert_eq!(meter.state(), DeviceState::Readout);
    let (outcome, _) = talk(SignOn::new(SignOnConfig::default(), Duration::ZERO), device(""));
    assert_eq!(outcome.unwrap().unwrap_err().kind, ErrorKind::NoHdlc);
}

#[test]
fn a_battery_is_woken_and_addresses_are_looked_at() {
    let config = SignOnConfig { wake_up: true, device_address: "00000001", ..SignOnConfig::default() };
    let (outcome, _) = talk(SignOn::new(config, Duration::ZERO), device("\\2"));
    assert_eq!(outcome, Some(Ok(Opened::Hdlc(BaudRate::B9600))));
    let config = SignOnConfig { device_address: "00000002", ..SignOnConfig::default() };
    let (outcome, meter) = talk(SignOn::new(config, Duration::ZERO), device("\\2"));
    assert_eq!(outcome.unwrap().unwrap_err().kind, ErrorKind::Timeout);
    assert_eq!(meter.state(), DeviceState::SignOn);
}

#[test]
fn an_echo_is_taken_away_and_a_missing_confirmation_is_forgiven() {
    let mut reader = SignOn::new(SignOnConfig { echo: true, ..SignOnConfig::default() }, Duration::ZERO);
    let mut out = [0; 72];
    let length = reader.poll_transmit(Duration::ZERO, &mut out).unwrap();
    assert_eq!(&out[..length], b"/?!\r\n");
    let mut input = [&out[..length], b"\0/Els6\\2EK280\r\n"].concat();
    for octet in &mut input {
        reader.handle_input(Duration::from_millis(600), &mut &[*octet][..]);
    }
    // The lower-case letter allows the answer after 20 ms.
    assert_eq!(reader.poll_timeout(), Some(Duration::from_millis(620)));
    let length = reader.poll_transmit(Duration::from_millis(620), &mut out).unwrap();
    assert_eq!(&out[..length], b"\x06262\r\n");
    // Six characters at 300 Bd, and the pause before the new rate.
    let change = Duration::from_millis(620 + 200 + 300);
    assert_eq!(reader.poll_timeout(), Some(change));
    assert_eq!(reader.poll_line(), Some(LineSettings::SIGN_ON));
    reader.handle_timeout(change);
    let seven = LineSettings { rate: BaudRate::B19200, characters: Characters::SevenEvenOne };
    assert_eq!(reader.poll_line(), Some(seven));
    reader.handle_timeout(change + Duration::from_millis(1500));
    assert_eq!(reader.outcome(), Some(Ok(Opened::Hdlc(BaudRate::B19200))));
    assert_eq!(reader.poll_line().unwrap().characters, Characters::EightNoneOne);
}

#[test]
fn who_chooses_nothing_gets_the_data_at_300() {
    let mut meter = device("\\2");
    let mut out = [0; 72];
    meter.handle_input(Duration::ZERO, &mut &b"\0\0/?!\r\n"[..]);
    let at = meter.poll_timeout().unwrap();
    let length = meter.poll_transmit(at, &mut out).unwrap();
    assert_eq!(&out[..length], b"/ABc5\\2DLMS-METER\r\n");
    meter.handle_timeout(meter.poll_timeout().unwrap());
    assert_eq!(meter.state(), DeviceState::Readout);
    // Programming is not offered.
    let mut meter = device("\\2");
    meter.handle_input(Duration::ZERO, &mut &b"/?!\r\n"[..]);
    meter.poll_transmit(Duration::from_secs(1), &mut out).unwrap();
    meter.handle_input(Duration::from_secs(1), &mut &b"\x06051\r\n"[..]);
    assert_eq!((meter.state(), meter.poll_timeout()), (DeviceState::SignOn, None));
}

proptest! {
    /// Whatever is on the line, both ends come to rest and nothing panics.
    #[test]
    fn noise(
        noise in prop::collection::vec((0u64..2_000, prop::collection::vec(any::<u8>(), 0..80)), 0..20),
        echo in any::<bool>(),
    ) {
        let mut reader = SignOn::new(SignOnConfig { echo, ..SignOnConfig::default() }, Duration::ZERO);
        let mut meter = device("\\2");
        let mut out = [0; 72];
        let mut now = Duration::ZERO;
        for (pause, octets) in &noise {
            now += Duration::from_millis(*pause);
            reader.handle_timeout(now);
            meter.handle_timeout(now);
            reader.poll_transmit(now, &mut out);
            meter.poll_transmit(now, &mut out);
            reader.handle_input(now, &mut &octets[..]);
            meter.handle_input(now, &mut &octets[..]);
        }
        for _ in 0..20 {
            if let Some(at) = reader.poll_timeout() {
                now = now.max(at);
                reader.handle_timeout(now);
                reader.poll_transmit(now, &mut out);
            }
        }
        prop_assert!(reader.outcome().is_some());
    }
}
