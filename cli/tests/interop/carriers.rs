//! What protected APDUs travel in: every suite, protection and carrier, with the key informations of general-ciphering and
//! with general-signing, from either side.
//!
//! The drivers do with pyca/cryptography what `gurux-dlms` has not, P-384 above all, and compare every tag.

use super::*;

const CLOCK: &str = "8:0-0:1.0.0*255:2";
const ENERGY: &str = "3:1-0:1.8.0*255:2";

/// `general-ciphering` as our option has it, and as the driver has.
const KINDS: [(&str, &str); 4] = [
    ("general-ciphering", "identified"),
    ("general-ciphering:wrapped", "wrapped"),
    ("general-ciphering:agreed-1e1s", "agreed-1e1s"),
    ("general-ciphering:agreed-0e2s", "agreed-0e2s"),
];

/// A server driver and the options of a client for it.
struct Server {
    meter: Running,
    options: Vec<String>,
    state: Directory,
}

impl Server {
    fn start(framing: &str, auth: &str, suite: u8, policy: &str) -> Option<Self> {
        python()?;
        let number = suite.to_string();
        let meter = gurux_server(&[
            "--framing",
            framing,
            "--auth",
            auth,
            "--suite",
            &number,
            "--security-policy",
            policy,
            "--challenge",
            "32",
        ])?;
        let mut options: Vec<_> = ["--framing", framing, "--client", "1", "--auth", auth, "--suite", &number]
            .map(str::to_owned)
            .into();
        options.extend(["--connect".to_owned(), format!("tcp://{}", meter.address)]);
        options.extend(["--client-title", CLIENT_TITLE, "--server-title", SERVER_TITLE].map(str::to_owned));
        options.extend(["--timeout", "3", "--retries", "0"].map(str::to_owned));
        options.extend(gurux_keys(suite));
        Some(Self { meter, options, state: Directory::new() })
    }

    fn run(&self, command: &str, more: &[&[&str]]) -> Outcome {
        dlms(&self.state, words(command, &self.options, &more.concat()))
    }

    /// The value of an option.
    fn value(&self, option: &str) -> &str {
        &self.options[self.options.iter().position(|word| word == option).unwrap() + 1]
    }

    /// With another value for one option, nothing is read.
    #[track_caller]
    fn refuses(&self, option: &str, value: &str, more: &[&str]) {
        let mut options = self.options.clone();
        let at = options.iter().position(|word| word == option).unwrap();
        options[at + 1] = value.to_owned();
        let read = dlms(&self.state, words("read", &options, &[more, &[CLOCK]].concat()));
        assert!(matches!(read.code, 4 | 6), "another {option}, {more:?}: {read:?}");
    }

    /// GET with a list, SET, ACTION, a profile in blocks.
    fn serves(&self, more: &[&str]) {
        let context = format!("{more:?} at {}", self.meter.address);
        let read = self.run("read", &[more, &["--json", CLOCK, ENERGY]]);
        assert_eq!(read.code, 0, "{context}: {read:?}");
        self.run("set", &[more, &[WRITABLE, "from our client"]]).expect(0);
        self.run("invoke", &[more, &["70:0-0:96.3.10*255:1", "0"]]).expect(0);
        let rows = self.run("profile", &[more, &["--json", PROFILE, "--last", "60"]]).expect(0);
        assert_eq!(rows.json_lines().len(), 60, "{context}");
    }
}

#[test]
fn every_protection_of_our_client() {
    for (suite, framing) in [(0, "hdlc"), (1, "wrapper"), (2, "hdlc")] {
        let dedicated = "404142434445464748494a4b4c4d4e4f".repeat(if suite == 2 { 2 } else { 1 });
        for (security, policy) in [("auth", "auth"), ("enc", "enc"), ("auth-enc", "authenc")] {
            let Some(server) = Server::start(framing, "gmac", suite, policy) else { return };
            let security = ["--security", security];
            server.serves(&security);
            if policy == "authenc" {
                server.serves(&["--dedicated-key", &dedicated]);
                server.serves(&["--carrier", "general-glo"]);
                server.serves(&["--carrier", "general-glo", "--dedicated-key", &dedicated]);
                server.refuses("--ak", server.value("--ek"), &[]);
                server.refuses("--ek", server.value("--ak"), &[]);
            }
        }
    }
}

#[test]
fn ecdsa_of_our_client_under_suite_2() {
    for framing in ["wrapper", "hdlc"] {
        let Some(server) = Server::start(framing, "ecdsa", 2, "authenc") else { return };
        server.serves(&[]);
        server.refuses("--peer-public-key", server.value("--peer-agreement-key"), &[]);
        server.refuses("--signing-key", server.value("--agreement-key"), &[]);
    }
}

#[test]
fn general_ciphering_and_signing_of_our_client() {
    for (suite, framing) in [(0, "wrapper"), (1, "hdlc"), (2, "wrapper")] {
        let Some(server) = Server::start(framing, "gmac", suite, "authenc") else { return };
        for (carrier, _) in KINDS.into_iter().take(if suite == 0 { 2 } else { 4 }) {
            let carrier = ["--carrier", carrier];
            server.serves(&carrier);
            if suite != 0 {
                server.serves(&[&carrier[..], &["--sign"]].concat());
            }
        }
        if suite != 0 {
            server.serves(&["--sign"]);
            // Keys for another use are keys of somebody else.
            let one_pass = ["--carrier", "general-ciphering:agreed-1e1s"];
            let [signing, agreement] =
                ["--signing-key", "--agreement-key"].map(|option| server.value(option));
            let [peer, peer_agreement] =
                ["--peer-public-key", "--peer-agreement-key"].map(|option| server.value(option));
            server.refuses("--signing-key", agreement, &one_pass);
            server.refuses("--agreement-key", signing, &one_pass);
            server.refuses("--peer-public-key", peer_agreement, &one_pass);
            server.refuses("--peer-agreement-key", peer, &one_pass);
            server.refuses("--signing-key", agreement, &["--sign"]);
            server.refuses("--peer-public-key", peer_agreement, &["--sign"]);
        }
        server.refuses("--kek", server.value("--ak"), &["--carrier", "general-ciphering:wrapped"]);
    }
}

/// What the client driver does with our server: the object list in blocks, SET, ACTION, GET with a list, a profile, and
/// ACCESS, which has no service-specific form.
fn reads_ours(meter: &Running, framing: &str, one: &Value, ic: u32, more: &[&str]) -> Value {
    let mut command = gurux_client(meter, framing, one);
    command.args(["--ic", &ic.to_string(), "--max-info", "512"]).args(more);
    let operations = "objects,set,action,list,profile-entry";
    let access = if more.contains(&"--general-ciphering") { ",access" } else { "" };
    command.args(["--ops", &format!("{operations}{access}")]);
    passed(&format!("{} over {framing}: {more:?}", one["name"]), run_json(&mut command))
}

#[test]
fn general_ciphering_and_signing_of_gurux() {
    if python().is_none() {
        return;
    }
    for (framing, names) in [
        ("wrapper", &["gmac-0-auth-enc", "gmac-1-auth-enc"][..]),
        ("hdlc", &["gmac-1-auth", "ecdsa-2-auth-enc"]),
    ] {
        let state = Directory::new();
        let meter = serve(&state, "lab", framing, &[]);
        let credentials = credentials(&state, "lab");
        for name in names {
            let one = association(&credentials, name);
            let suite = one["suite"].as_u64().unwrap();
            let control = suite + if *name == "gmac-1-auth" { 0x10 } else { 0x30 };
            let kinds = KINDS.into_iter().take(if suite == 0 { 2 } else { 4 });
            for (number, (_, kind)) in (1..).zip(kinds) {
                // Half of them signed.
                let is_signed = suite != 0 && number % 2 == 1;
                let sign: &[&str] = if is_signed { &["--sign"] } else { &[] };
                let more = [&["--general-ciphering", kind][..], sign].concat();
                let json = reads_ours(&meter, framing, one, number * 10_000, &more);
                let signed = if is_signed { " signed" } else { "" };
                assert_eq!(json["answers"], serde_json::json!([format!("{kind} {control:02x}{signed}")]));
            }
            if suite != 0 {
                let json = reads_ours(&meter, framing, one, 90_000, &["--sign"]);
                assert_eq!(json["answers"], serde_json::json!(["plain 00 signed"]));
            }
        }
    }
}

#[test]
fn every_protection_of_gurux() {
    if python().is_none() {
        return;
    }
    let state = Directory::new();
    let meter = serve(&state, "lab", "hdlc", &[]);
    let credentials = credentials(&state, "lab");
    for name in ["gmac-1-auth", "gmac-2-auth", "gmac-2-auth-enc", "ecdsa-2-auth-enc"] {
        let one = association(&credentials, name);
        reads_ours(&meter, "hdlc", one, 100, &[]);
        if name != "gmac-2-auth-enc" {
            continue;
        }
        let dedicated = "404142434445464748494a4b4c4d4e4f".repeat(2);
        reads_ours(&meter, "hdlc", one, 10_000, &["--dedicated", &dedicated]);
        reads_ours(&meter, "hdlc", one, 20_000, &["--general-protection", "--dedicated", &dedicated]);
    }
}
