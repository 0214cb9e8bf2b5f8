//! Opens a push as a meter sends it at its customer port: HDLC, general-glo-ciphering, DataNotification.
//!
//! The telegram is a published one of a Kamstrup Omnipower in Denmark, with the keys it was published with
//! (github.com/esphome-libs/dlms_parser, tests/dumps/hdlc_kamstrup_omnipower.log).
//!
//! ```sh
//! cargo run --example open_push
//! ```

use std::error::Error;
use std::time::Duration;

use dlms::SecurityContext;
use dlms::axdr::Data;
use dlms::client::notification::{Notification, claimed_sender, open};
use dlms::hdlc::{Deframer, Listener, MAX_FRAME};
use dlms::obis::LogicalName;
use dlms::security::{
    AuthenticationKey, CounterId, Forgetful, NoRandom, Protection, RustCrypto, SecretKey, SecuritySuite,
    SystemTitle,
};

const ENCRYPTION_KEY: &str = "00112233445566778899AABBCCDDEEFF";
const AUTHENTICATION_KEY: &str = "FFEEDDCCBBAA99887766554433221100";
const TELEGRAM: &str = "\
    7ea1e9410313c637e6e700db084b414d45013490838201d030010f60a4ac4b6048a68093068d24fbc9225ea9aa8fe3441e02f54dbda3\
    d9ed58425a2fa099985243fdef3390afc26c90a9b81e774774c90ce2a381d6a64f3e148f1fcfe282c2a793f9fdc273cf3cdff63c279f\
    43635ab2f7fb31bd6db83ede632b9b5e1bc7c276a86a62f7c68d2b3e065e7dceb00ce7655e0577a7a3e5e8f3e656e3a7e827e9b32797\
    0a61d17e27c0db0987bfcf902c7bbaf5d968c38edf29ba2f1d9aee13a6899c6c0325a2a00cab915f519b55329270380effae9f5e2a47\
    cfdb9c84cdf5d2d3348afb9d00da1dee1b9c33af56784d9988caca556f18d62f2e70d3f10744a86774cb78f5b3ca336f23d833937d8f\
    5cf3f7a35db8b37132488fe0c66703b845014eb6df8455fe90383028342ad39b126ad26f969ea47e1ab090cfbecd10dc3e5da3104bba\
    96184b14afe9e960d51b4c62d5f01e82d467ca571981671ab783c972349bcb98c89a19b1c98db0eba2670a9bca21f8419b04c94db510\
    e75e3e426d75b2cfa91f8f4caaf8758b33768df7fe55fd8b4983b19a19dde7a5891bc0f266a8029d2089b6ea0c2d11c2ef96a6e40365\
    bc85d259dc169dd43e16499ebc6f080e4ccd8657dace68939ce40e4f55a6b0cc40dffc9dc1b4149dd09d72c7ddb5e0f10e31948b6651\
    68c6fcaa7e";

fn main() -> Result<(), Box<dyn Error>> {
    let provider = RustCrypto::new(NoRandom);
    let suite = SecuritySuite::Suite0;
    // One context for each meter, kept: it remembers which counters were seen.
    let mut keys = SecurityContext::new(
        &provider,
        suite,
        SystemTitle::from_octets(*b"HES\0\0\0\0\x01"),
        &SecretKey::new(suite, &unhex(ENCRYPTION_KEY)?)?,
        AuthenticationKey::new(&unhex(AUTHENTICATION_KEY)?)?,
        CounterId(0),
        0,
    )?;
    let telegram = unhex(TELEGRAM)?;
    let mut deframer = Deframer::new([0; MAX_FRAME]);
    let mut listener = Listener::new([0; 4096]);
    let mut input = &telegram[..];
    while let Some(frame) = deframer.next(Duration::ZERO, &mut input) {
        let Some(push) = listener.handle_frame(Duration::ZERO, &frame) else { continue };
        let mut apdu = push.apdu.to_vec();
        // The title is a claim until the tag has proved it: it only says which keys to try.
        let meter = claimed_sender(&apdu).ok_or("the push is not ciphered")?;
        let opened = open(
            &provider,
            &mut Forgetful,
            Some((&mut keys, meter)),
            Protection::AUTHENTICATED_ENCRYPTED,
            &mut apdu,
        )?;
        let Notification::Data(notification) = opened.notification else { continue };
        let time = notification.date_time.map_or_else(String::new, |time| time.to_string());
        println!("from {meter} at {time}");
        let Data::Structure(elements) = notification.body else { return Err("not a structure".into()) };
        // This maker's list: its version, then logical names and values by turns.
        let mut elements = elements.iter();
        println!("{}", elements.next().ok_or("an empty list")?);
        while let (Some(name), Some(value)) = (elements.next(), elements.next()) {
            let Data::OctetString(&[a, b, c, d, e, f]) = name else { return Err("not a name".into()) };
            let name = LogicalName::new(a, b, c, d, e, f);
            let description = name.describe().map_or_else(String::new, |description| description.to_string());
            println!("{:<16} {:<28} {description}", name.to_string(), value.to_string());
        }
    }
    Ok(())
}

fn unhex(text: &str) -> Result<Vec<u8>, std::num::ParseIntError> {
    text.as_bytes().chunks(2).map(|digits| u8::from_str_radix(&String::from_utf8_lossy(digits), 16)).collect()
}
