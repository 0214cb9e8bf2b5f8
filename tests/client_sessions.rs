//! The client against sessions of real meters and of the conformance test tool, octet by octet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use dlms::client::{
    ActionItem, Client, ClientConfig, ClientError, Environment, Event, Reaction, Refusal, SetItem,
    get_results,
};
use dlms::xdlms::{
    AttributeDescriptor, AttributeDescriptorWithSelection, Conformance, DataAccessResult, GetDataResult,
    MethodDescriptor,
};
use dlms::{ProtectionError, SecurityContext};
use dlms_axdr::Data;
use dlms_obis::LogicalName;
use dlms_security::{
    AuthenticationKey, AuthenticationMechanism, CounterId, Forgetful, Protection, Random, RustCrypto, Secret,
    SecretKey, SecurityError, SecuritySuite, SystemTitle,
};

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// Gives out what a test wants to be random.
struct Scripted(RefCell<VecDeque<Vec<u8>>>);

impl Random for Scripted {
    fn fill(&self, out: &mut [u8]) -> Result<(), SecurityError> {
        let octets = self.0.borrow_mut().pop_front().ok_or(SecurityError::RandomUnavailable)?;
        out.copy_from_slice(&octets);
        Ok(())
    }
}

type Provider = RustCrypto<Scripted>;

/// A client with everything that it needs.
struct Bench {
    client: Client<Provider, Vec<u8>>,
    provider: Provider,
    security: Option<SecurityContext<Provider>>,
    now: Duration,
    out: Vec<u8>,
}

/// What a reaction said, owned.
#[derive(Debug, PartialEq)]
enum Happened {
    Associated,
    Refused(Refusal),
    Piece(Vec<u8>, bool),
    Done(String),
    Nothing,
}

impl Bench {
    fn new(config: ClientConfig, random: &[&[u8]]) -> Self {
        let random = random.iter().map(|octets| octets.to_vec()).collect();
        Self {
            client: Client::new(config, vec![0; 256]),
            provider: RustCrypto::new(Scripted(RefCell::new(random))),
            security: None,
            now: Duration::ZERO,
            out: vec![0; 2048],
        }
    }

    fn with_keys(mut self, title: &str, ek: &str, ak: &str, counter: u32) -> Self {
        let context = SecurityContext::new(
            &self.provider,
            SecuritySuite::Suite0,
            SystemTitle::try_from(&hex(title)[..]).unwrap(),
            &SecretKey::new(SecuritySuite::Suite0, &hex(ek)).unwrap(),
            AuthenticationKey::new(&hex(ak)).unwrap(),
            CounterId(1),
            counter,
        );
        self.security = Some(context.unwrap());
        self
    }

    fn call<T>(
        &mut self,
        call: impl FnOnce(
            &mut Client<Provider, Vec<u8>>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut env = Environment {
            provider: &self.provider,
            counters: &mut Forgetful,
            security: self.security.as_mut().map(|context| context as _),
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: self.now,
        };
        call(&mut self.client, &mut env, &mut self.out)
    }

    fn sends(
        &mut self,
        expected: &str,
        call: impl FnOnce(
            &mut Client<Provider, Vec<u8>>,
            &mut Environment<'_, Provider>,
            &mut [u8],
        ) -> Result<core::ops::Range<usize>, ClientError>,
    ) {
        let range = self.call(call).unwrap();
        assert_eq!(hex_of(&self.out[range]), hex_of(&hex(expected)));
    }

    /// Hands an APDU in and returns what is sent because of it and what happened.
    fn receives(&mut self, apdu: &str) -> Result<(Option<Vec<u8>>, Happened), ClientError> {
        let mut apdu = hex(apdu);
        let mut env = Environment {
            provider: &self.provider,
            counters: &mut Forgetful,
            security: self.security.as_mut().map(|context| context as _),
            key_ring: None,
            public_keys: None,
            manufacturer: None,
            now: self.now,
        };
        let Reaction { transmit, event } = self.client.handle_apdu(&mut env, &mut apdu, &mut self.out)?;
        let happened = match event {
            None => Happened::Nothing,
            Some(Event::Associated(_)) => Happened::Associated,
            Some(Event::Refused(refusal)) => Happened::Refused(refusal),
            Some(Event::GetPiece { octets, last }) => Happened::Piece(octets.to_vec(), last),
            Some(event) => Happened::Done(format!("{event:?}")),
        };
        Ok((transmit.map(|range| self.out[range].to_vec()), happened))
    }

    fn reads(&mut self, apdu: &str, value: &str) {
        assert_eq!(self.receives(apdu).unwrap(), (None, Happened::Piece(hex(value), true)));
    }
}

fn hex_of(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

const fn attribute(
    class_id: u16,
    name: [u8; 6],
    attribute_id: i8,
) -> AttributeDescriptorWithSelection<'static> {
    let attribute = AttributeDescriptor::new(class_id, LogicalName::from_octets(name), attribute_id);
    AttributeDescriptorWithSelection { attribute, selection: None }
}

const EK: &str = "000102030405060708090A0B0C0D0E0F";
const AK: &str = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF";
const METER_AK: &str = "51D5D830270F80AF65BE3B9B8C5BA2B6";

fn everything() -> ClientConfig {
    ClientConfig { conformance: Conformance::from_octets([0xFF; 3]), ..ClientConfig::public() }
}

#[test]
fn public_client_reads_counters_with_a_list() {
    let mut bench = Bench::new(everything(), &[]);
    bench.sends("601DA109060760857405080101BE10040E01000000065F1F0400FFFFFFFFFF", |client, env, out| {
        client.associate(env, out)
    });
    let aare = "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000721400EF0007";
    assert_eq!(bench.receives(aare).unwrap(), (None, Happened::Associated));
    let agreement = *bench.client.agreement().unwrap();
    assert_eq!(agreement.conformance, Conformance::from_octets([0x00, 0x72, 0x14]));
    assert_eq!(agreement.server_max_receive_pdu_size, 239);
    // The meter's own client counts invoke-ids from 1, as ours.
    let items = [attribute(1, [0, 0, 43, 1, 0, 255], 2), attribute(1, [0, 0, 43, 1, 1, 255], 2)];
    bench.sends("C003C102000100002B0100FF0200000100002B0101FF0200", |client, env, out| {
        client.get_with_list(env, &items, out)
    });
    let (transmit, happened) = bench.receives("C403C102000600000058000600000000").unwrap();
    assert_eq!(transmit, None);
    let Happened::Piece(octets, true) = happened else { panic!("{happened:?}") };
    let results: Vec<_> = get_results(&octets).unwrap().iter().collect();
    assert_eq!(
        results,
        [GetDataResult::Data(Data::DoubleLongUnsigned(88)), GetDataResult::Data(Data::DoubleLongUnsigned(0))]
    );
    bench.sends("6203800100", |client, env, out| client.release(env, out));
    let (_, happened) = bench.receives("6303800100").unwrap();
    assert!(matches!(happened, Happened::Done(text) if text.starts_with("Released")));
    assert!(bench.client.is_idle());
}

#[test]
fn low_level_security_of_a_real_meter() {
    let config = ClientConfig {
        conformance: Conformance::from_octets([0xFF; 3]),
        ..ClientConfig::lls(Secret::new(b"12345678").unwrap())
    };
    let mut bench = Bench::new(config, &[]);
    bench.sends(
        "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F0400FFFFFFFFFF",
        |client, env, out| client.associate(env, out),
    );
    let aare = "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000FE1D00EF0007";
    assert_eq!(bench.receives(aare).unwrap(), (None, Happened::Associated));
    bench.sends("C001C100010000600100FF0200", |client, env, out| {
        client.get(env, attribute(1, [0, 0, 96, 1, 0, 255], 2), out)
    });
    bench.reads("C401C10009083130333339353631", "09083130333339353631");
}

#[test]
fn gmac_with_ciphering_of_a_real_meter() {
    let config = ClientConfig {
        conformance: Conformance::from_octets([0x00, 0xFE, 0x1F]),
        challenge_length: 8,
        ..ClientConfig::hls_gmac()
    };
    let mut bench = Bench::new(config, &[b"ZDXO2;66"]).with_keys("4D454C0000000001", EK, METER_AK, 0x59);
    bench.sends(
        "6055A109060760857405080103A60A04084D454C00000000018A0207808B0760857405080205AC0A80085A44584F323B3636BE230421211F3000000059364391441B6CE53C292A9D02D8DEA376C9A2C669CCD81A8E697F",
        |client, env, out| client.associate(env, out),
    );
    let aare = "6161A109060760857405080103A203020100A305A10302010EA40A04084D454C6470B71B1188020780890760857405080205AA0A8008284733636E507E73BE230421281F300000004F4C00F68EB1ECE14B6022A98E1B213D6B63CEBAC69747F80A4A34";
    let (pass_3, happened) = bench.receives(aare).unwrap();
    assert_eq!(happened, Happened::Nothing);
    assert_eq!(
        hex_of(&pass_3.unwrap()),
        "CB31300000005B4F664EFDEF38E44A25E518881F85168FCB45659C61CE7B809B036453617A13AA3D154AB63395D659015F87B4"
    );
    assert!(bench.client.agreement().is_none(), "not before the server has proved itself");
    let pass_4 = "CF2A3000000051711E34AA54A5404499480169B9FBF1CAB6B3B88E7CD197D7A1B3EDE7262F3AA46863FA98CD";
    assert_eq!(bench.receives(pass_4).unwrap(), (None, Happened::Associated));
    // The meter's own client skips counter 5C and begins its invoke-ids anew.
    let security = bench.security.as_mut().unwrap();
    security.advance_counter(dlms_security::InvocationCounter::new(0x5D), 10).unwrap();
    let range =
        bench.call(|client, env, out| client.get(env, attribute(1, [0, 0, 96, 1, 0, 255], 2), out)).unwrap();
    let request = bench.out[range].to_vec();
    assert_eq!(&request[..7], &hex("C81E300000005D")[..]);
    let response = "CC1F3000000052921F63255C6313E7BF425AE010B149F4D85B16ED5887C315D2E7";
    // It answers invoke-id 1, ours is 2: stale.
    assert_eq!(bench.receives(response).unwrap().1, Happened::Done("Stale".into()));
    assert_eq!(
        bench.receives(response),
        Err(ClientError::Protection(ProtectionError::Replay(0x53))),
        "and a second time it is a replay"
    );
}

#[test]
fn conformance_tool_session_with_general_glo_ciphering() {
    let config = ClientConfig {
        conformance: Conformance::from_octets([0x60, 0xFE, 0x9F]),
        challenge_length: 11,
        general_protection: true,
        server_title: Some(SystemTitle::from_octets(*b"ICU00000")),
        ..ClientConfig::hls_gmac()
    };
    let mut bench = Bench::new(config, &[&hex("AC93A248C8FC1CA5C20B27")]).with_keys(
        "4354543030303030",
        EK,
        AK,
        0x26EC_F3DA,
    );
    bench.sends(
        "6058A109060760857405080103A60A040843545430303030308A0207808B0760857405080205AC0D800BAC93A248C8FC1CA5C20B27BE230421211F3026ECF3DAC94C41B52F6118D3FAAF68BA253187948CF66D01FD93264BDCC9",
        |client, env, out| client.associate(env, out),
    );
    let security = bench.security.as_mut().unwrap();
    security.advance_counter(dlms_security::InvocationCounter::new(0x26EC_F3DF), 10).unwrap();
    let aare = "6169A109060760857405080103A203020100A305A10302010EA40A0408494355303030303088020780890760857405080205AA1280106A495F8D185723E288A794A19AE64024BE230421281F3026ECF3DFBA974DD84AA9262FA3FD4349F7A268D0B41B4BBCDA8448715093";
    let (pass_3, _) = bench.receives(aare).unwrap();
    assert_eq!(
        hex_of(&pass_3.unwrap()),
        "DB084354543030303030313026ECF3E01ACF25914E9576DC0DA746172438C8242066F456E2D73F4EAB5264C69B2608DD37694CCF5BEB4FA71D51424D"
    );
    let pass_4 = "DB0849435530303030302A3026ECF3E1E385CBA72F04AF871CE9C0760AC57172D7F69120791D8FC5E0A2C5E74BB43B53D2E1560671";
    assert_eq!(bench.receives(pass_4).unwrap(), (None, Happened::Associated));
    bench.sends(
        "6228800100BE230421211F3026ECF3E1B2CC46BB00C666E7B147F7C2005397473D1862BC5D0257F64359",
        |client, env, out| client.release(env, out),
    );
}

/// An association without security, everything negotiated, with this server-max-receive-pdu-size.
fn open(max_pdu: u16) -> Bench {
    let mut bench = Bench::new(everything(), &[]);
    bench.call(|client, env, out| client.associate(env, out)).unwrap();
    let aare = format!(
        "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040060FE9F{max_pdu:04X}0007"
    );
    assert_eq!(bench.receives(&aare).unwrap().1, Happened::Associated);
    bench
}

#[test]
fn a_clock_is_read_and_set() {
    let mut bench = open(0xFFFF);
    let clock = attribute(8, [0, 0, 1, 0, 0, 255], 2);
    bench.sends("C001C100080000010000FF0200", |client, env, out| client.get(env, clock, out));
    bench.reads("C4018100090C07D20C04030A060BFF007800", "090C07D20C04030A060BFF007800");
    let time = hex("07D20C04030A060BFF007800");
    bench.sends("C101C200080000010000FF0200090C07D20C04030A060BFF007800", |client, env, out| {
        client.set(env, SetItem::new(clock.attribute, &Data::OctetString(&time)), out)
    });
    assert_eq!(bench.receives("C5018200").unwrap(), (None, Happened::Done("SetDone(Success)".into())));
    bench.sends("C001C300080000010000FF0300", |client, env, out| {
        client.get(env, attribute(8, [0, 0, 1, 0, 0, 255], 3), out)
    });
    assert_eq!(
        bench.receives("C401C30103").unwrap(),
        (None, Happened::Done("GetRefused(ReadWriteDenied)".into()))
    );
}

const LONG: &str = "0932010203040506070809101112131415161718192021222324252627\
                    2829303132333435363738394041424344454647484950";

#[test]
fn a_long_get_arrives_in_pieces() {
    let mut bench = open(0xFFFF);
    bench.call(|client, env, out| client.get(env, attribute(1, [0, 0, 128, 0, 0, 255], 2), out)).unwrap();
    let first = "C402C10000000001001E093201020304050607080910111213141516171819202122232425262728";
    let (next, piece) = bench.receives(first).unwrap();
    assert_eq!(hex_of(&next.unwrap()), "C002C100000001");
    let Happened::Piece(mut value, false) = piece else { panic!("{piece:?}") };
    assert_eq!(bench.receives(first).unwrap(), (None, Happened::Done("Stale".into())), "a duplicate");
    let (next, piece) =
        bench.receives("C402C10100000002001629303132333435363738394041424344454647484950").unwrap();
    assert_eq!(next, None);
    let Happened::Piece(rest, true) = piece else { panic!("{piece:?}") };
    value.extend(rest);
    assert_eq!(value, hex(LONG));
    assert!(!bench.client.is_busy());
}

#[test]
fn a_long_set_leaves_in_blocks() {
    // 19 octets before the value, and 21 of it: the blocks of the worked example.
    let mut bench = open(40);
    let value = &hex("091B010203040506070809101112131415161718192021222324252627")[2..];
    let target = AttributeDescriptor::new(1, LogicalName::new(0, 0, 128, 0, 0, 255), 2);
    bench.sends(
        "C102C100010000800000FF02000000000001 15 091B01020304050607080910111213141516171819",
        |client, env, out| client.set(env, SetItem::new(target, &Data::OctetString(value)), out),
    );
    let (next, happened) = bench.receives("C502C100000001").unwrap();
    assert_eq!(happened, Happened::Nothing);
    assert_eq!(hex_of(&next.unwrap()), hex_of(&hex("C103C10100000002 08 2021222324252627")));
    assert_eq!(bench.receives("C502C100000001").unwrap().1, Happened::Done("Stale".into()));
    assert_eq!(
        bench.receives("C503C10000000002").unwrap(),
        (None, Happened::Done("SetDone(Success)".into()))
    );
}

#[test]
fn a_long_list_is_set_in_blocks() {
    let mut bench = open(60);
    let first = AttributeDescriptor::new(1, LogicalName::new(0, 0, 128, 0, 0, 255), 2);
    let second = AttributeDescriptor::new(1, LogicalName::new(0, 0, 128, 1, 0, 255), 2);
    let value = [7; 40];
    let value = Data::OctetString(&value);
    let items = [SetItem::new(first, &value), SetItem::new(second, &Data::Unsigned(1))];
    let range = bench.call(|client, env, out| client.set_with_list(env, &items, out)).unwrap();
    let sent = bench.out[range].to_vec();
    assert!(sent.len() <= 60);
    assert_eq!(
        hex_of(&sent[..34]),
        hex_of(&hex("C105C102000100008000 00FF0200 000100008001 00FF0200 00 00000001 1E 02092807")[..34])
    );
    let (next, _) = bench.receives("C502C100000001").unwrap();
    assert!(next.unwrap().starts_with(&hex("C103C10100000002")));
    let (_, happened) = bench.receives("C504C102000300000002").unwrap();
    let Happened::Done(text) = happened else { panic!("{happened:?}") };
    assert!(text.starts_with("SetListDone"), "{text}");
}

#[test]
fn actions_in_every_form() {
    let mut bench = open(40);
    let method = MethodDescriptor::new(7, LogicalName::new(1, 0, 99, 1, 0, 255), 1);
    bench.sends("C301C100070100630100FF01010F00", |client, env, out| {
        client.action(env, ActionItem::new(method, &0i8), out)
    });
    assert_eq!(
        bench.receives("C701C10000").unwrap().1,
        Happened::Done("ActionDone { result: Success, value: None }".into())
    );
    // Without a parameter; the return value comes in two blocks.
    bench.sends("C301C200070100630100FF0100", |client, env, out| {
        client.action(env, ActionItem { method, parameter: None }, out)
    });
    let (next, happened) = bench.receives("C702C20000000001050908010203").unwrap();
    assert_eq!((hex_of(&next.unwrap()), happened), ("C302C200000001".into(), Happened::Nothing));
    assert_eq!(
        bench.receives("C702C20100000002050405060708").unwrap().1,
        Happened::Done(
            "ActionDone { result: Success, value: Some(Ok([9, 8, 1, 2, 3, 4, 5, 6, 7, 8])) }".into()
        )
    );
    // The parameter leaves in blocks.
    let image = [0xAA; 30];
    let parameter = (5u32, &image[..]);
    bench.sends(
        "C304C300070100630100FF01 0000000001 16 0202060000000509 1E AAAAAAAAAAAAAAAAAAAAAAAAAA",
        |client, env, out| client.action(env, ActionItem::new(method, &parameter), out),
    );
    let (next, _) = bench.receives("C704C300000001").unwrap();
    assert_eq!(hex_of(&next.unwrap()), format!("C306C3010000000211{}", "AA".repeat(17)));
    assert!(
        matches!(bench.receives("C701C3020103"), Err(ClientError::Malformed(error)) if error.offset == 5)
    );
    assert!(!bench.client.is_busy());
    // A list.
    let mut bench = open(0xFFFF);
    let registers = [1, 2].map(|e| MethodDescriptor::new(3, LogicalName::new(1, 0, e, 8, 0, 255), 1));
    let items = registers.map(|method| ActionItem::new(method, &0i8));
    bench.sends("C303C10200030100010800FF0100030100020800FF01020F000F00", |client, env, out| {
        client.action_with_list(env, &items, out)
    });
    let (_, happened) = bench.receives("C703C102000000010009020102").unwrap();
    assert!(matches!(happened, Happened::Done(text) if text.starts_with("ActionListDone")));
}

#[test]
fn notifications_come_at_any_time() {
    let mut bench = open(0xFFFF);
    bench.call(|client, env, out| client.get(env, attribute(1, [0, 0, 43, 1, 0, 255], 2), out)).unwrap();
    let (_, happened) = bench
        .receives("0F000001DB000922125A8591360000000049000000110000000A5A8513D014800000000D0000000A0100")
        .unwrap();
    assert!(matches!(happened, Happened::Done(text) if text.starts_with("DataNotification")));
    let (_, happened) = bench.receives("C20000030100010800FF020600001391").unwrap();
    assert!(matches!(happened, Happened::Done(text) if text.starts_with("EventNotification")));
    assert!(bench.client.is_busy());
    bench.reads("C401C1000600001391", "0600001391");
}

#[test]
fn what_the_server_did_not_agree_to_is_not_asked() {
    let mut bench = Bench::new(everything(), &[]);
    assert_eq!(
        bench.call(|client, env, out| client.get(env, attribute(1, [0; 6], 2), out)),
        Err(ClientError::State)
    );
    bench.call(|client, env, out| client.associate(env, out)).unwrap();
    // GET and block transfer with GET alone; 64 octets.
    let aare = "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000101000400007";
    assert_eq!(bench.receives(aare).unwrap().1, Happened::Associated);
    let items = [attribute(1, [0; 6], 2); 8];
    assert_eq!(
        bench.call(|client, env, out| client.get_with_list(env, &items, out)),
        Err(ClientError::NotNegotiated(Conformance::MULTIPLE_REFERENCES))
    );
    assert_eq!(
        bench.call(|client, env, out| client.get(env, attribute(1, [0; 6], 0), out)),
        Err(ClientError::NotNegotiated(Conformance::ATTRIBUTE_0_SUPPORTED_WITH_GET))
    );
    let mut bench = open(64);
    assert_eq!(
        bench.call(|client, env, out| client.get_with_list(env, &items, out)),
        Err(ClientError::RequestTooLong { limit: 64 })
    );
    assert_eq!(
        bench.call(|client, env, out| client.get_with_list(env, &[], out)),
        Err(ClientError::EmptyList)
    );
    let long = [0; 300];
    let target = AttributeDescriptor::new(1, LogicalName::new(0, 0, 128, 0, 0, 255), 2);
    assert_eq!(
        bench.call(|client, env, out| client.set(env, SetItem::new(target, &Data::OctetString(&long)), out)),
        Err(ClientError::ValueTooLong { capacity: 256 })
    );
    bench.call(|client, env, out| client.get(env, attribute(1, [0; 6], 2), out)).unwrap();
    assert_eq!(
        bench.call(|client, env, out| client.get(env, attribute(1, [0; 6], 2), out)),
        Err(ClientError::Busy)
    );
}

#[test]
fn silence_ends_a_request_and_not_the_association() {
    let mut bench = open(0xFFFF);
    bench.call(|client, env, out| client.get(env, attribute(1, [0; 6], 2), out)).unwrap();
    let deadline = bench.client.poll_timeout().unwrap();
    assert_eq!(bench.client.handle_timeout(deadline - Duration::from_millis(1)), None);
    assert_eq!(bench.client.handle_timeout(deadline), Some(Event::TimedOut));
    assert_eq!(bench.client.poll_timeout(), None);
    assert_eq!(bench.receives("C401C1000600001391").unwrap().1, Happened::Done("Stale".into()));
    assert!(bench.client.agreement().is_some());
    bench.client.link_lost();
    assert!(bench.client.is_idle());
}

#[test]
fn refusals_say_why() {
    let mut bench = Bench::new(everything(), &[]);
    bench.call(|client, env, out| client.associate(env, out)).unwrap();
    let (sent, happened) =
        bench.receives("611FA109060760857405080101A203020101A305A103020101BE0604040E010601").unwrap();
    assert_eq!(sent, None);
    let Happened::Refused(refusal @ Refusal::Rejected { error: Some(_), .. }) = happened else {
        panic!("{happened:?}")
    };
    assert!(refusal.to_string().contains("NoReasonGiven"), "{refusal}");
    assert!(bench.client.is_idle());
    let mut bench = open(0xFFFF);
    bench.call(|client, env, out| client.get(env, attribute(1, [0; 6], 2), out)).unwrap();
    let (_, happened) = bench.receives("D80101").unwrap();
    assert!(matches!(happened, Happened::Done(text) if text.contains("authenticated: false")));
    assert!(bench.client.agreement().is_some() && !bench.client.is_busy());
    let _ = (DataAccessResult::Success, AuthenticationMechanism::None, Protection::empty());
}
