//! Runs the command and simulated meters as processes, each test with a state directory of its own.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

pub mod emulator;
pub mod firmware;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A directory that is there as long as the value is.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("dlms-cli-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a run of the command came to.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

/// The command with this state directory and nothing of the tester's own environment.
pub fn command(state: &Directory) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dlms"));
    for variable in ["DLMS_EK", "DLMS_AK", "DLMS_PASSWORD", "DLMS_CRYPTO", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command.env("XDG_STATE_HOME", state.path()).env("XDG_CONFIG_HOME", state.path());
    command
}

pub fn dlms<S: AsRef<std::ffi::OsStr>>(state: &Directory, args: impl IntoIterator<Item = S>) -> Outcome {
    dlms_with_input(state, args, "")
}

pub fn dlms_with_input<S: AsRef<std::ffi::OsStr>>(
    state: &Directory,
    args: impl IntoIterator<Item = S>,
    input: &str,
) -> Outcome {
    let mut child = command(state)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A process that is ended with the value.
pub struct Running {
    child: Child,
    /// Where it listens, `HOST:PORT`.
    pub address: String,
}

impl Running {
    /// Starts a process and waits until it says `LISTENING`, on standard output or else on standard error.
    pub fn start(command: &mut Command, on_stderr: bool) -> Self {
        let (out, err) = match on_stderr {
            false => (Stdio::piped(), Stdio::inherit()),
            true => (Stdio::piped(), Stdio::piped()),
        };
        let mut child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
        let mut line = String::new();
        match on_stderr {
            false => BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap(),
            true => BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap(),
        };
        let address = line.trim().strip_prefix("LISTENING ").unwrap_or_else(|| panic!("{line:?}"));
        let address = match address.contains(':') {
            true => address.to_owned(),
            false => format!("127.0.0.1:{address}"),
        };
        Self { child, address }
    }

    pub fn port(&self) -> &str {
        self.address.rsplit_once(':').unwrap().1
    }

    /// What it prints until it ends by itself.
    pub fn finish(mut self) -> (i32, String) {
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), text)
    }

    /// Asks it to end, as a service manager would.
    #[cfg(unix)]
    pub fn terminate(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A simulated meter.
pub fn serve(state: &Directory, model: &str, framing: &str, more: &[&str]) -> Running {
    let mut command = command(state);
    command.args(["serve", "--model", model, "--listen", "127.0.0.1:0", "--framing", framing]).args(more);
    Running::start(&mut command, false)
}

/// The associations of a simulated meter.
pub fn credentials(state: &Directory, model: &str) -> Vec<Value> {
    let shown = dlms(state, ["serve", "--model", model, "--show-credentials", "--json"]).expect(0);
    shown.json().as_array().unwrap().clone()
}

/// The credentials of one association.
pub fn association<'c>(credentials: &'c [Value], name: &str) -> &'c Value {
    credentials.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no association {name}"))
}

/// The connection options for one association.
pub fn options(meter: &Running, framing: &str, credentials: &Value) -> Vec<String> {
    let mut options = vec!["--connect".to_owned(), format!("tcp://{}", meter.address)];
    let mut option = |name: &str, value: String| options.extend([name.to_owned(), value]);
    option("--framing", framing.to_owned());
    for (name, key) in [
        ("--client", "client"),
        ("--server", "server"),
        ("--auth", "auth"),
        ("--suite", "suite"),
        ("--security", "security"),
        ("--password-hex", "password-hex"),
        ("--ek", "ek"),
        ("--ak", "ak"),
        ("--client-title", "client-title"),
        ("--server-title", "server-title"),
        ("--signing-key", "signing-key"),
        ("--peer-public-key", "peer-public-key"),
        ("--kek", "kek"),
        ("--agreement-key", "agreement-key"),
        ("--peer-agreement-key", "peer-agreement-key"),
    ] {
        match &credentials[key] {
            Value::Null => {}
            Value::String(text) => option(name, text.clone()),
            number => option(name, number.to_string()),
        }
    }
    options
}

/// The words of a command line: a subcommand, connection options, the rest.
pub fn words<'w>(command: &'w str, options: &'w [String], rest: &[&'w str]) -> Vec<&'w str> {
    let mut words = vec![command];
    words.extend(options.iter().map(String::as_str));
    words.extend(rest);
    words
}
