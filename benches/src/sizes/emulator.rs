//! An image in qemu, as it is: its stack is painted before it runs, and looked at while it does.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::image::{Build, Weight};
use super::session::{self, Associations};

/// What the start-up code of `cortex-m-rt` paints with too.
const PAINT: u8 = 0xCC;
/// As long as the monitor or the start of a meter may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A meter that runs.
pub(crate) struct Emulator {
    process: Child,
    monitor: TcpStream,
    /// Where the paint is, and what the emulator writes.
    folder: PathBuf,
    stack: (u64, u64),
    port: u16,
}

impl Emulator {
    /// Starts an image; `None` if there is no emulator for it.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(build: &Build, weight: &Weight) -> Result<Option<Self>> {
        let (emulator, machine) = match build.target.name {
            "thumbv7m-none-eabi" => ("qemu-system-arm", "mps2-an385"),
            name if name.starts_with("thumb") => ("qemu-system-arm", "mps2-an386"),
            _ => ("qemu-system-riscv32", "virt"),
        };
        let (end, start) = weight.stack;
        ensure!(end < start, "the image does not say where its stack is");
        let folder =
            std::env::temp_dir().join(format!("dlms-sizes-{}-{}", std::process::id(), build.target.name));
        fs::create_dir_all(&folder)?;
        let paint = folder.join("paint");
        fs::write(&paint, vec![PAINT; (start - end) as usize])?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut command = Command::new(emulator);
        command.args(["-M", machine, "-display", "none"]);
        command.arg("-monitor").arg(format!("tcp:{}", listener.local_addr()?));
        command.arg("-device");
        command.arg(format!("loader,file={},addr={end:#x},force-raw=on", paint.display()));
        match &weight.boot {
            None if machine == "virt" => command.args(["-bios", "none", "-kernel"]).arg(&weight.program),
            None => command.arg("-kernel").arg(&weight.program),
            Some(boot) => command
                .args(["-semihosting-config", "enable=on,target=native", "-serial", "null", "-kernel"])
                .arg(boot)
                .arg("-device")
                .arg(format!("loader,file={}", weight.program.display())),
        };
        command.args(["-serial", "tcp:127.0.0.1:0,server=on,wait=off,nodelay=on"]);
        command.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                eprintln!("no {emulator}: the stack of {} is not measured", build.target.name);
                return Ok(None);
            }
            process => process?,
        };
        let Ok(monitor) = accepted(&listener, &mut process) else {
            let _ = process.kill();
            bail!("{emulator} -M {machine} does not start");
        };
        let mut emulator = Self { process, monitor, folder, stack: weight.stack, port: 0 };
        emulator.answer()?;
        let serial = if weight.boot.is_some() { "serial1" } else { "serial0" };
        let lines = emulator.ask("info chardev")?;
        let line = lines.lines().find(|line| line.starts_with(serial)).context("no serial line")?;
        let port = line.split(':').nth(4).and_then(|rest| rest.split(',').next());
        emulator.port =
            port.and_then(|port| port.parse().ok()).with_context(|| format!("no port: {line}"))?;
        Ok(Some(emulator))
    }

    /// Has everything done that a client can ask for, and says how deep the stack was, in octets.
    ///
    /// # Errors
    /// The meter does not do it.
    pub(crate) fn deepest_stack(mut self, associations: Associations) -> Result<u64> {
        session::exercise(self.port, associations)?;
        let (end, start) = self.stack;
        let dump = self.folder.join("stack");
        self.ask(&format!("pmemsave {end:#x} {:#x} \"{}\"", start - end, dump.display()))?;
        let octets = fs::read(&dump)?;
        let untouched = octets.iter().take_while(|octet| **octet == PAINT).count();
        ensure!(untouched > 0, "the stack is full");
        Ok((octets.len() - untouched) as u64)
    }

    /// Gives the monitor a command.
    fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.monitor, "{command}")?;
        self.answer()
    }

    /// What the monitor says until it wants a command.
    fn answer(&mut self) -> Result<String> {
        let mut text = Vec::new();
        let mut octets = [0; 1024];
        while !text.ends_with(b"(qemu) ") {
            match self.monitor.read(&mut octets)? {
                0 => bail!("the emulator has ended"),
                length => text.extend_from_slice(octets.get(..length).unwrap_or_default()),
            }
        }
        Ok(String::from_utf8_lossy(&text).replace('\r', ""))
    }
}

fn accepted(listener: &TcpListener, process: &mut Child) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = process.try_wait()? {
            bail!("it ended: {status}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
