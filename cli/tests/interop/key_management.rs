//! Security setup with a client that is not ours: keys, policies and certificates change, and what was before is refused.

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
