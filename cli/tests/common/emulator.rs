//! The meters of `examples/firmware-meter` and `examples/firmware-embassy` in qemu, with their lines as TCP ports, and who
//! reads them.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::{Directory, dlms, words};

/// Who reads: the public client has no options.
pub const READER: &[&str] = &["--client", "2", "--auth", "lls", "--password", "12345678"];
pub const GMAC: &[&str] = &[
    "--client",
    "1",
    "--auth",
    "gmac",
    "--ek",
    "000102030405060708090a0b0c0d0e0f",
    "--ak",
    "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
    "--client-title",
    "4755525800000001",
    "--server-title",
    "4755525830303031",
];

/// Where the images of `examples/firmware-meter` are, if they were built. With `DLMS_FIRMWARE`, the directory of its
/// images, they must be there.
pub fn images() -> Option<PathBuf> {
    image("firmware-meter", "DLMS_FIRMWARE", "meter")?.parent().map(Path::to_path_buf)
}

/// The same for the image of `examples/firmware-embassy`, and `DLMS_FIRMWARE_EMBASSY`.
pub fn embassy_image() -> Option<PathBuf> {
    image("firmware-embassy", "DLMS_FIRMWARE_EMBASSY", "embassy-meter")
}

fn image(example: &str, variable: &str, program: &str) -> Option<PathBuf> {
    let built = format!("../examples/{example}/target/thumbv7m-none-eabi/release");
    let named = std::env::var_os(variable).map(PathBuf::from);
    let directory = named.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(built));
    let image = directory.join(program);
    if image.exists() {
        return Some(image);
    }
    assert!(named.is_none(), "{variable} is set, but there is no image in {}", directory.display());
    eprintln!("not run: examples/{example} was not built");
    None
}

/// The options of an association over a line.
pub fn options(port: u16, association: &[&str]) -> Vec<String> {
    let target = format!("tcp://127.0.0.1:{port}");
    let line = ["--connect", &target, "--framing", "hdlc"];
    line.iter().chain(association).map(|option| (*option).to_owned()).collect()
}

/// Every attribute that the association may read.
pub fn read_all(state: &Directory, options: &[String]) -> usize {
    let objects = dlms(state, words("objects", options, &["--json", "--values"])).expect(0).json();
    let objects = objects.as_array().unwrap();
    let values: Vec<_> = objects.iter().flat_map(|object| object["values"].as_array().unwrap()).collect();
    let refused: Vec<_> = values.iter().filter(|value| value.get("data").is_none()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    values.len()
}

/// One attribute.
pub fn value(state: &Directory, options: &[String], attribute: &str) -> Value {
    let read = dlms(state, words("read", options, &["--json", attribute])).expect(0).json();
    read[0]["data"].clone()
}

/// Reads everything with `gurux-dlms` in the associations of suite 0.
pub fn read_with_gurux(port: u16) {
    let gmac = ["--client", "1", "--auth", "gmac", "--security", "authenc"];
    for association in [&["--client", "16"][..], READER, &gmac] {
        gurux_reads(port, association);
    }
}

/// Reads everything with `gurux-dlms` in an association.
pub fn gurux_reads(port: u16, association: &[&str]) {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop");
    if !peers.join(".venv/bin/python").exists() && std::env::var_os("DLMS_INTEROP").is_none() {
        eprintln!("not run: tests/interop/setup.sh has not made the peers' environment");
        return;
    }
    let output = Command::new(peers.join(".venv/bin/python"))
        .arg(peers.join("peers/gurux_client.py"))
        .args(["--port", &port.to_string(), "--framing", "hdlc"])
        .args(["--ops", "objects,read-all", "--tolerate-denied"])
        .args(association)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{read}");
    assert!(read["ops"]["read-all"]["attributes_ok"].as_u64().unwrap() > 10, "{read}");
}

/// A meter that runs. Its data flash is in the directory that it was given.
pub struct Emulator {
    process: Arc<Mutex<Child>>,
    lines: Receiver<String>,
    pub optical_port: u16,
    pub remote_port: u16,
}

impl Emulator {
    /// Switches the meter of `examples/firmware-meter` on and waits until it says that it is ready.
    pub fn start(images: &Path, directory: &Directory) -> Self {
        let ports = free_ports();
        let mut meter = Self::run_meter(images, directory, ports.map(listening));
        [meter.optical_port, meter.remote_port] = ports;
        meter.wait_for("is ready");
        meter
    }

    /// The same without waiting. Only the remote port leads anywhere: to the socket `remote.socket`.
    pub fn switch_on(images: &Path, directory: &Directory) -> Self {
        Self::run_meter(images, directory, ["null".to_owned(), "unix:remote.socket,server,nowait".to_owned()])
    }

    fn run_meter(images: &Path, directory: &Directory, lines: [String; 2]) -> Self {
        let loader = format!("loader,file={}", images.join("meter").display());
        Self::run(&images.join("boot"), &["-device", &loader], directory, lines)
    }

    /// Switches the meter of `examples/firmware-embassy` on, with its consumer port connected to who listens at `consumer`.
    pub fn start_embassy(image: &Path, directory: &Directory, consumer: &str) -> Self {
        let [_, remote_port] = free_ports();
        let mut meter = Self::run(image, &[], directory, [format!("tcp:{consumer}"), listening(remote_port)]);
        meter.remote_port = remote_port;
        // It says nothing. What is sent as soon as there is a line is answered when it is ready.
        let is_there = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            TcpStream::connect(("127.0.0.1", meter.remote_port)).is_ok()
        });
        assert!(is_there, "the emulator does not start");
        meter
    }

    fn run(program: &Path, more: &[&str], directory: &Directory, lines: [String; 2]) -> Self {
        let mut process = Command::new("qemu-system-arm")
            .args(["-M", "mps2-an385", "-display", "none", "-monitor", "none", "-kernel"])
            .arg(program)
            .args(more)
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(["-serial", &lines[0], "-serial", &lines[1]])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-system-arm");
        let lines = follow(process.stdout.take().unwrap());
        Self { process: Arc::new(Mutex::new(process)), lines, optical_port: 0, remote_port: 0 }
    }

    /// Waits for a line on the meter's console, and returns it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_while_on(text).unwrap_or_else(|| panic!("the meter does not say {text:?}"))
    }

    /// The same of a meter whose power may go; `None` if it has.
    #[track_caller]
    pub fn wait_while_on(&mut self, text: &str) -> Option<String> {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if line.contains(text) => return Some(line),
                Ok(line) if line.contains("panicked") || line.contains("stopped") => panic!("{line}"),
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("the meter does not say {text:?}"),
            }
        }
    }

    /// Cuts the power.
    pub fn cut(self) {
        drop(self);
    }

    /// Cuts the power later.
    pub fn cut_after(&self, delay: Duration) {
        let process = self.process.clone();
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            end(&process);
        });
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        end(&self.process);
        let panicked = self.lines.iter().any(|line| line.contains("panicked"));
        assert!(!panicked || std::thread::panicking(), "the meter has panicked");
    }
}

fn end(process: &Mutex<Child>) {
    let mut process = process.lock().unwrap();
    let _ = process.kill();
    let _ = process.wait();
}

fn listening(port: u16) -> String {
    format!("tcp:127.0.0.1:{port},server,nowait,nodelay")
}

fn follow(console: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(console).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

fn free_ports() -> [u16; 2] {
    let listeners = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
