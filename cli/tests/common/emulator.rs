//! The meter of `examples/firmware-meter` in qemu, with its two lines as TCP ports.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::Directory;

/// Where the images are, if they were built. With `DLMS_FIRMWARE`, the directory of the images, they must be there.
pub fn images() -> Option<PathBuf> {
    let built = "../examples/firmware-meter/target/thumbv7m-none-eabi/release";
    let named = std::env::var_os("DLMS_FIRMWARE").map(PathBuf::from);
    let directory = named.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(built));
    if directory.join("meter").exists() {
        return Some(directory);
    }
    assert!(named.is_none(), "DLMS_FIRMWARE is set, but there is no image in {}", directory.display());
    eprintln!("not run: examples/firmware-meter was not built");
    None
}

/// A meter that runs. Its data flash is in the directory that it was given.
pub struct Emulator {
    process: Child,
    lines: Receiver<String>,
    pub optical_port: u16,
    pub remote_port: u16,
}

impl Emulator {
    /// Switches the meter on and waits until it says that it is ready.
    pub fn start(images: &Path, directory: &Directory) -> Self {
        let [optical_port, remote_port] = free_ports();
        let line = |port: u16| format!("tcp:127.0.0.1:{port},server,nowait,nodelay");
        let mut process = Command::new("qemu-system-arm")
            .args(["-M", "mps2-an385", "-display", "none", "-monitor", "none", "-kernel"])
            .arg(images.join("boot"))
            .args(["-device", &format!("loader,file={}", images.join("meter").display())])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(["-serial", &line(optical_port), "-serial", &line(remote_port)])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-system-arm");
        let lines = follow(process.stdout.take().unwrap());
        let mut meter = Self { process, lines, optical_port, remote_port };
        meter.wait_for("is ready");
        meter
    }

    /// Waits for a line on the meter's console, and returns it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20));
            let line = line.unwrap_or_else(|_| panic!("the meter does not say {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Cuts the power.
    pub fn cut(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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
