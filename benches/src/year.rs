//! A year's profile over loopback: 35,040 rows of 8 columns through the wrapper, HLS-GMAC, authenticated encryption,
//! PDUs of 1,024 octets; the whole client process from its start to its exit.
//!
//! The floor is a process that makes the same round trips with octets of the same numbers that mean nothing.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use dlms::server::WrapperServer;
use dlms_axdr::Data;
use dlms_security::{CounterId, Forgetful, SecuritySuite};
use dlms_tokio::{Client, ClientOptions, Endpoint, Framing, Keys, ProfileSelection};
use dlms_wrapper::WPort;

use crate::measure::{Row, Table, Times};
use crate::meter::{
    AUTHENTICATION_KEY, CLIENT_TITLE, ENCRYPTION_KEY, Meter, PDU, PROFILE, Provider, READER, REGISTERS,
    client_config,
};

/// A year of quarters of an hour.
pub const ROWS: u32 = 35_040;
const ROUNDS: usize = 25;
const LIMIT: f64 = 1.5;
const MOST_MEMORY: u64 = 8 << 20;

/// The lengths of requests and responses of one connection, one after the other.
type Script = Vec<(usize, usize)>;

/// A meter on a port of its own.
struct Server {
    address: SocketAddr,
    /// What the last connection carried.
    script: Arc<Mutex<Script>>,
}

impl Server {
    fn start(rows: u32) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let script = Arc::<Mutex<Script>>::default();
        let recorded = Arc::clone(&script);
        let mut meter = Meter::new(rows)?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = serve(&mut meter, stream).unwrap_or_default();
                *recorded.lock().unwrap_or_else(PoisonError::into_inner) = script;
            }
        });
        Ok(Self { address, script })
    }

    fn script(&self) -> Script {
        // The client is gone before the server has seen it go.
        for _ in 0..100 {
            let script = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if !script.is_empty() {
                return script;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Script::new()
    }
}

fn serve(meter: &mut Meter, mut stream: TcpStream) -> Result<Script> {
    stream.set_nodelay(true)?;
    // Every process counts from 0.
    meter.forget_counters()?;
    let buffer = || vec![0; usize::from(PDU) + 128];
    let mut server: WrapperServer<Provider, Vec<u8>, 1> = WrapperServer::new(WPort(1), buffer);
    let start = Instant::now();
    let mut octets = vec![0; 4096];
    let (mut script, mut request) = (Script::new(), 0);
    loop {
        let length = stream.read(&mut octets)?;
        if length == 0 {
            return Ok(script);
        }
        request += length;
        let mut input = octets.get(..length).unwrap_or_default();
        while !input.is_empty() {
            if let Some(answer) = server.handle_input(start.elapsed(), &mut input, &mut meter.host())? {
                stream.write_all(answer)?;
                script.push((std::mem::take(&mut request), answer.len()));
            }
        }
        while server.poll_event().is_some() {}
    }
}

/// Answers with octets of the same numbers.
fn start_echo(script: Script) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        let mut octets = vec![0; 1 << 16];
        for mut stream in listener.incoming().flatten() {
            drop(stream.set_nodelay(true));
            for (request, response) in &script {
                if stream.read_exact(&mut octets[..*request]).is_err()
                    || stream.write_all(&octets[..*response]).is_err()
                {
                    break;
                }
            }
        }
    });
    Ok(address)
}

/// Serves the profile until it is stopped, and prints where.
///
/// # Errors
/// There is no port.
pub fn meter() -> Result<()> {
    println!("{}", Server::start(ROWS)?.address);
    loop {
        std::thread::park();
    }
}

/// The floor's process.
///
/// # Errors
/// The server is not there.
pub fn echo(address: &str, script: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut octets = vec![0; 1 << 16];
    for step in script.split(';') {
        let numbers = step.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
        let [request, response, times] = numbers[..] else { bail!("{step}") };
        for _ in 0..times {
            stream.write_all(&octets[..request])?;
            stream.read_exact(&mut octets[..response])?;
        }
    }
    Ok(())
}

fn written(script: &Script) -> Result<String> {
    let mut text = String::new();
    let mut left = &script[..];
    while let Some(first) = left.first() {
        let times = left.iter().take_while(|step| *step == first).count();
        let separator = if text.is_empty() { "" } else { ";" };
        write!(text, "{separator}{},{},{times}", first.0, first.1)?;
        left = &left[times..];
    }
    Ok(text)
}

/// Our process: reads the profile, and looks at every cell.
///
/// # Errors
/// The profile was not read.
pub fn client(address: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (rows, sum) = runtime.block_on(read(address))?;
    println!("{rows} {sum}");
    Ok(())
}

async fn read(address: &str) -> Result<(u32, u64)> {
    let suite = SecuritySuite::Suite0;
    let counter = CounterId(1);
    let keys = Keys::new(suite, CLIENT_TITLE, &ENCRYPTION_KEY, &AUTHENTICATION_KEY, counter, 0, Forgetful)?;
    let options = ClientOptions::new(Endpoint::Tcp(address.to_owned()), Framing::wrapper(READER, 1))
        .with_association(client_config(READER))
        .with_keys(keys);
    let mut client = Client::connect(options).await?;
    let mut profile = client.profile(PROFILE, &ProfileSelection::All).await?;
    let (mut rows, mut sum) = (0, 0u64);
    while let Some(row) = profile.next_row().await? {
        rows += 1;
        for cell in row {
            if let Data::DoubleLongUnsigned(value) = cell {
                sum = sum.wrapping_add(value.into());
            }
        }
    }
    client.disconnect().await?;
    Ok((rows, sum))
}

/// The sum that a client must find.
fn expected_sum() -> u64 {
    let cell = |row: u32, column: u32| u64::from(row * 7 + column * 104_729);
    (0..ROWS).flat_map(|row| (0..REGISTERS as u32).map(move |column| cell(row, column))).sum()
}

/// The time of a process that did not succeed.
const FAILED: Duration = Duration::MAX;

/// The wall time of a process.
fn time(command: &mut Command) -> Duration {
    let start = Instant::now();
    match command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => start.elapsed(),
        _ => FAILED,
    }
}

/// The most memory that a process had at once, as the kernel tells it while the process is there.
fn peak_memory(command: &mut Command) -> Result<u64> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high_water = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes =
            high_water.and_then(|it| it.trim().strip_suffix(" kB")).and_then(|it| it.parse().ok());
        peak = peak.max(kibibytes.unwrap_or(0u64) << 10);
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(peak)
}

/// The `dlms` command on the same profile.
fn command(dlms: &Path, address: SocketAddr, csv: &Path, state: &Path) -> Command {
    // The meter counts from 0 each time, which who remembers the last time rightly takes for a replay.
    drop(std::fs::remove_dir_all(state));
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let mut command = Command::new(dlms);
    command
        .args(["profile", "--connect", &format!("tcp://{address}"), "--client", &READER.to_string()])
        .args(["--auth", "gmac", "--suite", "0", "--security", "auth-enc", "--max-pdu", &PDU.to_string()])
        .args(["--ek", &hex(&ENCRYPTION_KEY), "--ak", &hex(&AUTHENTICATION_KEY)])
        .args(["--client-title", &hex(CLIENT_TITLE.octets()), "--invocation-counter", "0"])
        .arg("--csv")
        .arg(csv)
        .arg(PROFILE.to_string())
        .env("XDG_STATE_HOME", state);
    command
}

/// Measures the rows; `this` is the path of this program, `dlms` the command, if it is to be measured too.
///
/// # Errors
/// Rows are missing.
pub fn table(this: &Path, rounds: Option<usize>, dlms: Option<&Path>) -> Result<Table> {
    let rounds = rounds.unwrap_or(ROUNDS);
    let server = Server::start(ROWS)?;
    let address = server.address.to_string();
    let ours = || {
        let mut command = Command::new(this);
        command.args(["year", &address]);
        command
    };
    let output = ours().stderr(Stdio::inherit()).output().context("our client")?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let complete = found == format!("{ROWS} {}", expected_sum());
    if !complete {
        bail!("{ROWS} rows of the sum {} were expected, {found} came", expected_sum());
    }
    let script = server.script();
    let round_trips = script.len();
    let text = written(&script)?;
    let echo_address = start_echo(script)?.to_string();
    let floor = || {
        let mut command = Command::new(this);
        command.args(["echo", &echo_address, &text]);
        command
    };
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let times = Times::take(rounds, || time(&mut floor()), || time(&mut ours()));
    if times.includes(FAILED) {
        bail!("our client, or the floor, failed in some rounds");
    }
    let memory = peak_memory(&mut ours())?;
    let mebibytes = |octets: u64| format!("{:.1} MiB", octets as f64 / f64::from(1 << 20));
    let mut rows = vec![
        times.row("a year's profile, client process on `dlms-tokio`", LIMIT, milliseconds),
        Row::figure("rows returned", ROWS, &ROWS.to_string(), Some(complete)),
        Row::figure("peak memory (RSS)", mebibytes(memory), "≤ 8 MB", Some(memory <= MOST_MEMORY)),
    ];
    if let Some(dlms) = dlms {
        rows.extend(command_rows(rounds, dlms, server.address, || time(&mut floor()))?);
    }
    Ok(Table {
        title: "A year's profile, whole process".to_owned(),
        about: format!(
            "35,040 rows of 8 columns over loopback, wrapper, HLS-GMAC, authenticated and encrypted, PDUs of 1,024 octets, \
             {round_trips} round trips; wall time of the client process from start to exit. The floor is a process that \
             makes the same round trips with echoed octets of the same numbers; ours waits for the server's work too."
        ),
        rows,
        after: String::new(),
    })
}

fn command_rows(
    rounds: usize,
    dlms: &Path,
    address: SocketAddr,
    floor: impl FnMut() -> Duration,
) -> Result<Vec<Row>> {
    let csv = std::env::temp_dir().join(format!("dlms-year-{}.csv", std::process::id()));
    let state = csv.with_extension("state");
    let output = command(dlms, address, &csv, &state).output().context("the dlms command")?;
    if !output.status.success() {
        return Err(anyhow!("dlms profile: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let lines = std::fs::read_to_string(&csv)?.lines().count();
    let times = Times::take(rounds, floor, || time(&mut command(dlms, address, &csv, &state)));
    if times.includes(FAILED) {
        bail!("dlms profile, or the floor, failed in some rounds");
    }
    let memory = peak_memory(&mut command(dlms, address, &csv, &state))?;
    drop(std::fs::remove_dir_all(&state));
    std::fs::remove_file(&csv)?;
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let mebibytes = |octets: u64| format!("{:.1} MiB", octets as f64 / f64::from(1 << 20));
    let complete = lines == ROWS as usize + 1;
    Ok(vec![
        times.row("the same by `dlms profile --csv`, the file included", LIMIT, milliseconds),
        Row::figure("rows in the file", lines.saturating_sub(1), &ROWS.to_string(), Some(complete)),
        Row::figure("peak memory (RSS) of `dlms`", mebibytes(memory), "≤ 8 MB", Some(memory <= MOST_MEMORY)),
    ])
}
