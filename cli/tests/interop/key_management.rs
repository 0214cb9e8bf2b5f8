//! Security setup with a client that is not ours: keys, policies and certificates change, and what was before is refused.

use dlms::client::security_setup::{KeyAgreement, KeyList, key_transfer};
use dlms_axdr::{Data, OwnedData};
use dlms_security::{
    CryptoProvider as _, KeyId, PrivateKey, PublicKey, SecretKey, SecuritySuite, SystemTitle,
};

use super::*;

/// A simulated meter whose state outlives it, and one of its associations.
struct Meter {
    state: Directory,
    authority: Directory,
    framing: &'static str,
    /// Away only while it starts again.
    running: Option<Running>,
    one: Value,
    counter: u32,
}

impl Meter {
    fn start(name: &str, framing: &'static str) -> Self {
        let (state, authority) = (Directory::new(), Directory::new());
        let folder = authority.file("ca");
        dlms(&state, ["pki", "init", folder.to_str().unwrap()]).expect(0);
        let one = association(&credentials(&state, "lab"), name).clone();
        let running = Some(Self::serve(&state, &authority, framing));
        Self { state, authority, framing, running, one, counter: 0 }
    }

    fn serve(state: &Directory, authority: &Directory, framing: &str) -> Running {
        let (kept, folder) = (state.file("meter"), authority.file("ca"));
        let more = ["--state", kept.to_str().unwrap(), "--authority", folder.to_str().unwrap()];
        serve(state, "lab", framing, &more)
    }

    /// Cuts the meter's power and starts it again.
    fn restart(&mut self) {
        self.running = None;
        self.running = Some(Self::serve(&self.state, &self.authority, self.framing));
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    fn client(&mut self, operations: &str, more: &[&str]) -> (Outcome, Value) {
        // Nothing that was sent before is sent again, whichever the key.
        self.counter += 10_000;
        let setup = self.one["counter-object"].as_str().unwrap().replace("0.0.43.1.", "0.0.43.0.");
        let mut command = gurux_client(self.running(), self.framing, &self.one);
        command.args(["--ic", &self.counter.to_string(), "--setup-ln", &setup, "--max-info", "512"]);
        command.args(["--authority", self.authority.file("ca").to_str().unwrap()]);
        run_json(command.args(["--ops", operations]).args(more))
    }

    #[track_caller]
    fn passes(&mut self, operations: &str, more: &[&str]) -> Value {
        let run = self.client(operations, more);
        passed(&format!("{} {operations}", self.one["name"]), run)
    }

    /// An association with these credentials is refused.
    #[track_caller]
    fn refuses(&mut self, credentials: &Value) {
        let now = std::mem::replace(&mut self.one, credentials.clone());
        let (outcome, json) = self.client("set", &[]);
        assert!(outcome.code == 4 || json["ops"]["set"]["ok"] == false, "{json}");
        self.one = now;
    }

    /// Our client takes the same keys.
    #[track_caller]
    fn serves_ours(&mut self) {
        self.counter += 10_000;
        let (options, counter) = (options(self.running(), self.framing, &self.one), self.counter.to_string());
        let rest = ["--invocation-counter", counter.as_str(), "8:0-0:1.0.0*255:2"];
        dlms(&self.state, words("read", &options, &rest)).expect(0);
    }

    /// Takes keys over that an operation says to be new, and sees the old ones refused.
    #[track_caller]
    fn follows(&mut self, operation: &Value, changed: &[&str]) {
        let before = self.one.clone();
        for key in ["ek", "ak", "kek"] {
            let is_changed = before[key] != operation[key];
            assert_eq!(is_changed, changed.contains(&key), "{key}");
            self.one[key] = operation[key].clone();
        }
        self.passes("set", &[]);
        self.serves_ours();
        if changed != ["kek"] {
            self.refuses(&before);
        }
    }
}

/// Global keys and the master key, wrapped; then once more under the new master key; all of it after a restart as well.
fn transfer(name: &str, framing: &'static str) {
    if python().is_none() {
        return;
    }
    let mut meter = Meter::start(name, framing);
    let json = meter.passes("key-transfer,set,objects", &["--key-ids", "0+2"]);
    meter.follows(&json["ops"]["key-transfer"], &["ek", "ak"]);
    let json = meter.passes("key-transfer,set", &["--key-ids", "3"]);
    let old = std::mem::replace(&mut meter.one["kek"], json["ops"]["key-transfer"]["kek"].clone());
    // Under the old master key nothing is unwrapped, and nothing changes.
    let new = std::mem::replace(&mut meter.one["kek"], old);
    let (outcome, json) = meter.client("key-transfer,set", &["--key-ids", "0"]);
    assert_eq!((outcome.code, &json["ops"]["set"]["ok"]), (1, &Value::Bool(true)), "{json}");
    meter.one["kek"] = new;
    meter.restart();
    let json = meter.passes("key-transfer,set", &["--key-ids", "0"]);
    meter.follows(&json["ops"]["key-transfer"], &["ek"]);
    meter.restart();
    meter.passes("set", &[]);
}

#[test]
fn key_transfer_in_suite_0() {
    transfer("gmac-0-auth-enc", "wrapper");
}

#[test]
fn key_transfer_in_suites_1_and_2() {
    transfer("gmac-1-auth-enc", "hdlc");
    transfer("ecdsa-2-auth-enc", "wrapper");
}

#[test]
fn key_agreement() {
    if python().is_none() {
        return;
    }
    for (name, framing) in [("gmac-1-auth-enc", "wrapper"), ("ecdsa-2-auth-enc", "hdlc")] {
        let mut meter = Meter::start(name, framing);
        let json = meter.passes("key-agreement,set", &["--key-ids", "0+2"]);
        let mut agreed = json["ops"]["key-agreement"].clone();
        agreed["kek"] = meter.one["kek"].clone();
        meter.follows(&agreed, &["ek", "ak"]);
        // A signature by another key changes nothing.
        let other = meter.one["agreement-key"].clone();
        let signing = std::mem::replace(&mut meter.one["signing-key"], other);
        if meter.one["auth"] == "gmac" {
            let (outcome, json) = meter.client("key-agreement,set", &["--key-ids", "0"]);
            assert_eq!((outcome.code, &json["ops"]["set"]["ok"]), (1, &Value::Bool(true)), "{json}");
        }
        meter.one["signing-key"] = signing;
        meter.restart();
        meter.passes("set", &[]);
    }
}

/// A policy only grows, at once, and for good.
#[test]
fn security_activate() {
    if python().is_none() {
        return;
    }
    for (name, policy, less) in
        [("gmac-0-auth", "3", "1"), ("gmac-1-auth", "108", "36"), ("gmac-2-auth", "108", "0")]
    {
        let mut meter = Meter::start(name, "wrapper");
        let before = meter.one.clone();
        let json = meter.passes("policy,set", &["--policy", policy]);
        assert_eq!(json["ops"]["policy"]["policy"].to_string(), policy);
        meter.refuses(&before);
        meter.one["security"] = "auth-enc".into();
        meter.passes("set", &[]);
        let (outcome, json) = meter.client("policy", &["--policy", less]);
        assert_eq!((outcome.code, &json["ops"]["policy"]["ok"]), (1, &Value::Bool(false)), "{json}");
        meter.restart();
        meter.refuses(&before);
        meter.passes("set", &[]);
    }
}

/// A key pair is generated, requested, certified by an authority of ours through pyca/cryptography, imported and used.
#[test]
fn key_pairs_and_certificates() {
    if python().is_none() {
        return;
    }
    for (name, framing) in [("ecdsa-1-auth-enc", "wrapper"), ("ecdsa-2-auth-enc", "hdlc")] {
        let mut meter = Meter::start(name, framing);
        let title = meter.one["server-title"].as_str().unwrap().to_uppercase();
        let json = meter.passes("key-pair,certificate,set", &[]);
        let pair = &json["ops"]["key-pair"];
        assert_eq!(pair["subject"], serde_json::json!([title]));
        assert_eq!(json["ops"]["certificate"]["listed"], serde_json::json!([[2, 3], [0, 0]]));
        // From now on the meter signs with the new key.
        let before = meter.one.clone();
        meter.one["peer-public-key"] = pair["public_key"].clone();
        meter.passes("set", &["--sign"]);
        meter.serves_ours();
        meter.refuses(&before);
        meter.restart();
        meter.passes("set", &[]);
        // With its certificate the key goes, and so does HLS 7.
        let json = meter.passes("remove-certificate", &[]);
        assert_eq!(json["ops"]["remove-certificate"]["listed"], serde_json::json!([[2, 3]]));
        let now = meter.one.clone();
        meter.refuses(&now);
    }
}

/// A server driver and what a client needs to know of it.
struct Server {
    _running: Running,
    state: Directory,
    options: Vec<String>,
}

impl Server {
    fn start(suite: SecuritySuite) -> Option<Self> {
        python()?;
        let number = suite.id().to_string();
        let meter = gurux_server(&["--auth", "gmac", "--suite", &number, "--security-policy", "authenc"])?;
        let mut options: Vec<_> =
            ["--client", "1", "--auth", "gmac", "--suite", &number].map(str::to_owned).into();
        options.extend(["--connect".to_owned(), format!("tcp://{}", meter.address)]);
        options.extend(["--client-title", CLIENT_TITLE, "--server-title", SERVER_TITLE].map(str::to_owned));
        options.extend(gurux_keys(suite.id()));
        Some(Self { _running: meter, state: Directory::new(), options })
    }

    fn value(&mut self, option: &str) -> &mut String {
        let at = self.options.iter().position(|word| word == option).unwrap();
        &mut self.options[at + 1]
    }

    fn octets(&mut self, option: &str) -> Vec<u8> {
        let digits = self.value(option);
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    fn run(&self, command: &str, rest: &[&str]) -> Outcome {
        dlms(&self.state, words(command, &self.options, rest))
    }

    fn invoke(&self, method: u8, parameter: Data<'_>) -> Outcome {
        let parameter = serde_json::to_string(&parameter.to_owned()).unwrap();
        self.run("invoke", &["--json", &format!("64:0-0:43.0.0*255:{method}"), &parameter])
    }

    /// The keys are in use now, and the ones before are not.
    fn follows(&mut self, keys: &KeyList) {
        for (id, key) in keys {
            let option = match id {
                KeyId::GlobalUnicast => "--ek",
                KeyId::Authentication => "--ak",
                KeyId::Master => "--kek",
                KeyId::GlobalBroadcast => panic!("not changed here"),
            };
            let new = key.expose().iter().map(|octet| format!("{octet:02x}")).collect();
            let old = std::mem::replace(self.value(option), new);
            if *id == KeyId::Master {
                continue;
            }
            self.run("read", &["8:0-0:1.0.0*255:2"]).expect(0);
            let new = std::mem::replace(self.value(option), old);
            let read = self.run("read", &["8:0-0:1.0.0*255:2", "--timeout", "2", "--retries", "0"]);
            assert!(matches!(read.code, 4 | 6), "{read:?}");
            *self.value(option) = new;
        }
    }
}

fn title(digits: &str) -> SystemTitle {
    let octets = u64::from_str_radix(digits, 16).unwrap();
    SystemTitle::from_octets(octets.to_be_bytes())
}

#[test]
fn keys_of_a_server_that_is_not_ours() {
    let provider = dlms_tokio::provider();
    for suite in [SecuritySuite::Suite0, SecuritySuite::Suite1, SecuritySuite::Suite2] {
        let Some(mut server) = Server::start(suite) else { return };
        let mut buffer = [0; 1000];
        let key = |first: u8| {
            let octets: Vec<_> = (first..).take(suite.key_len()).collect();
            SecretKey::new(suite, &octets).unwrap()
        };
        for id in [KeyId::Master, KeyId::GlobalUnicast, KeyId::Authentication] {
            let kek =
                provider.wrap_key(suite, &SecretKey::new(suite, &server.octets("--kek")).unwrap()).unwrap();
            let keys: KeyList = [(id, key(0x80 + 0x10 * id.id()))].into_iter().collect();
            let parameter = key_transfer(&provider, suite, &kek, &keys, &mut buffer).unwrap();
            server.invoke(2, parameter).expect(0);
            server.follows(&keys);
            // Under the master key of before, where there is one.
            let again = key_transfer(&provider, suite, &kek, &keys, &mut buffer).unwrap();
            server.invoke(2, again).expect(if id == KeyId::Master { 6 } else { 0 });
        }
        let Some(curve) = suite.curve() else { continue };
        let signing = PrivateKey::new(curve, &server.octets("--signing-key")).unwrap();
        let peer = PublicKey::new(curve, &server.octets("--peer-public-key")).unwrap();
        let ids = [KeyId::GlobalUnicast, KeyId::Authentication];
        let (agreement, parameter) = KeyAgreement::begin(&provider, &signing, &ids, &mut buffer).unwrap();
        let answer = server.invoke(3, parameter).expect(0).json();
        let answer: OwnedData = serde_json::from_value(answer["data"].clone()).unwrap();
        let parties = [title(CLIENT_TITLE), title(SERVER_TITLE)];
        let keys = agreement.finish(&provider, &provider, &peer, parties, answer.as_data()).unwrap();
        // Both at once: the old of either is refused.
        let new = |keys: &KeyList, id| keys.iter().find(|(one, _)| *one == id).unwrap().1.expose().to_vec();
        for (option, id) in [("--ek", KeyId::GlobalUnicast), ("--ak", KeyId::Authentication)] {
            *server.value(option) = new(&keys, id).iter().map(|octet| format!("{octet:02x}")).collect();
        }
        server.run("read", &["8:0-0:1.0.0*255:2"]).expect(0);
        // A signature by a key for another use is none.
        let other = PrivateKey::new(curve, &server.octets("--agreement-key")).unwrap();
        let (_, parameter) = KeyAgreement::begin(&provider, &other, &ids, &mut buffer).unwrap();
        server.invoke(3, parameter).expect(6);
        server.run("read", &["8:0-0:1.0.0*255:2"]).expect(0);
    }
}
