//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::connection::ConnectionOptions;
use crate::listening::ListenOptions;
use crate::parse::reference::Reference;
use crate::parse::time::Moment;
use dlms_obis::LogicalName;

/// Reads, operates, simulates and explains DLMS/COSEM meters.
#[derive(Parser)]
#[command(name = "dlms", version, propagate_version = true, infer_subcommands = false)]
pub(crate) struct Cli {
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Explain octets: a telegram, an APDU, a whole exchange
    Decode(DecodeArgs),
    /// Read attributes
    Read(ReadArgs),
    /// List the objects of the association with their access rights
    Objects(ObjectsArgs),
    /// Read a load profile as a table and a plot
    Profile(Box<ProfileArgs>),
    /// Write an attribute
    Set(SetArgs),
    /// Invoke a method
    Invoke(InvokeArgs),
    /// Transfer a firmware image
    Image(ImageArgs),
    /// Receive notifications
    Listen(ListenArgs),
    /// Simulate a meter
    Serve(ServeArgs),
    /// Change a meter's keys
    #[command(subcommand)]
    Keys(Box<KeysCommand>),
    /// A small certification authority, for labs
    #[command(subcommand)]
    Pki(PkiCommand),
    /// Take the tour: a meter and a client in one process
    Demo(DemoArgs),
}

#[derive(Args)]
pub(crate) struct DecodeArgs {
    /// How the octets are framed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) framing: DecodeFraming,
    /// Block cipher key, hexadecimal
    #[arg(long, value_name = "HEX", env = "DLMS_EK", hide_env_values = true)]
    pub(crate) ek: Option<String>,
    /// Authentication key, hexadecimal
    #[arg(long, value_name = "HEX", env = "DLMS_AK", hide_env_values = true)]
    pub(crate) ak: Option<String>,
    /// Dedicated key, hexadecimal
    #[arg(long, value_name = "HEX")]
    pub(crate) dedicated_key: Option<String>,
    /// System title of the sender, where the octets do not carry it
    #[arg(long, value_name = "HEX")]
    pub(crate) system_title: Option<String>,
    /// Accept the known deviations of real meters, and name them
    #[arg(long)]
    pub(crate) lenient: bool,
    /// Octets, `-` for standard input, or `@FILE`: one message per line, `>` before what a client sends, `<` before
    /// what a meter sends to it
    #[arg(value_name = "HEX")]
    pub(crate) input: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "kebab-case")]
pub(crate) enum DecodeFraming {
    #[default]
    Auto,
    Hdlc,
    Wrapper,
    Mbus,
    Wmbus,
    LlcApdu,
    Apdu,
    AxdrData,
    P1Ascii,
    #[value(name = "iec62056-21")]
    Iec6205621,
}

#[derive(Args)]
pub(crate) struct ReadArgs {
    /// Attributes, as in 3:1-0:1.8.0*255:2
    #[arg(required = true, value_name = "CLASS:OBIS:ATTR")]
    pub(crate) attributes: Vec<Reference>,
    /// Read with ACCESS, where the meter has that service
    #[arg(long)]
    pub(crate) access: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Args)]
pub(crate) struct ObjectsArgs {
    /// Read every attribute that may be read
    #[arg(long)]
    pub(crate) values: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Args)]
pub(crate) struct ProfileArgs {
    /// The profile, as in 1-0:99.1.0*255
    pub(crate) obis: LogicalName,
    /// First time: ISO 8601, `yesterday`, `-24h`
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) from: Option<Moment>,
    /// Last time
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) to: Option<Moment>,
    /// Only the newest rows, of all or of those between the times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) last: Option<u32>,
    /// Which columns, by number from 1 or by OBIS code
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Write the rows to a file of comma-separated values, `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the rows to a Parquet file
    #[arg(long, value_name = "FILE")]
    pub(crate) parquet: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Args)]
pub(crate) struct SetArgs {
    /// The attribute, as in 1:0-0:96.1.9*255:2
    #[arg(value_name = "CLASS:OBIS:ATTR")]
    pub(crate) attribute: Reference,
    /// Data in its JSON form, or a number or text of the type that the attribute has
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Args)]
pub(crate) struct InvokeArgs {
    /// The method, as in 70:0-0:96.3.10*255:1
    #[arg(value_name = "CLASS:OBIS:METHOD")]
    pub(crate) method: Reference,
    /// Data in its JSON form, or a number or text of the type that the method takes; integer 0 if it is left out
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) value: Option<String>,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Args)]
pub(crate) struct ImageArgs {
    /// The image
    pub(crate) file: PathBuf,
    /// Its identifier; the name of the file if left out
    #[arg(long, value_name = "TEXT")]
    pub(crate) id: Option<String>,
    /// When to activate it: `now`, `no`, or a time that the meter's schedule takes
    #[arg(long, value_name = "now|AT|no", default_value = "now", allow_hyphen_values = true)]
    pub(crate) activate: Activate,
    /// The Image transfer object
    #[arg(long, value_name = "OBIS", default_value = "0-0:44.0.0*255")]
    pub(crate) object: LogicalName,
    /// The schedule that activates the image at a time
    #[arg(long, value_name = "OBIS", default_value = "0-0:15.0.2*255")]
    pub(crate) schedule: LogicalName,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activate {
    Now,
    No,
    At(Moment),
}

impl std::str::FromStr for Activate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "now" => Ok(Self::Now),
            "no" => Ok(Self::No),
            _ => text.parse().map(Self::At),
        }
    }
}

#[derive(Args)]
pub(crate) struct ListenArgs {
    /// HOST:PORT for TCP, or tcp://HOST:PORT, or udp://HOST:PORT
    #[arg(value_name = "ADDR")]
    pub(crate) address: String,
    /// How the octets are framed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) framing: ListenFraming,
    #[command(flatten)]
    pub(crate) keys: ListenOptions,
    /// End after so many notifications
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Keep the invocation counters of what is heard here, so that nothing is taken twice in a later run either [default:
    /// they hold for this run]
    #[arg(long, value_name = "PATH")]
    pub(crate) counter_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListenFraming {
    #[default]
    Auto,
    Wrapper,
    Hdlc,
    Apdu,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Give the meter new keys, and see that it uses them
    Rotate(KeysRotateArgs),
    /// Finish a change that was interrupted
    Resume(KeysResumeArgs),
    /// Tell which keys are kept, and what is pending
    Status(KeysStatusArgs),
    /// Raise the security policy (security_activate), and see that it is in force
    Activate(KeysActivateArgs),
    /// The meter's certificates
    #[command(subcommand)]
    Certificate(CertificateCommand),
}

#[derive(Subcommand)]
pub(crate) enum CertificateCommand {
    /// Let the meter make a new key pair, certify it, and see that it is used; goes on with what was interrupted
    Renew(CertificateRenewArgs),
}

#[derive(Args)]
pub(crate) struct CertificateRenewArgs {
    /// The directory of the authority, as `dlms pki init` makes it
    #[arg(long, value_name = "DIR")]
    pub(crate) authority: PathBuf,
    /// What the key is for
    #[arg(long, value_enum, default_value = "signature")]
    pub(crate) usage: UsageName,
    /// How long the certificate is valid; without end if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: Option<u32>,
    /// Where to write the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The Security setup object, where the association does not name it
    #[arg(long, value_name = "OBIS")]
    pub(crate) setup: Option<LogicalName>,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Args)]
pub(crate) struct KeysActivateArgs {
    /// The policy: 0 to 3 in version 0 of the object, bits in version 1 (hexadecimal with 0x)
    #[arg(value_name = "POLICY", value_parser = policy)]
    pub(crate) policy: u8,
    /// The Security setup object, where the association does not name it
    #[arg(long, value_name = "OBIS")]
    pub(crate) setup: Option<LogicalName>,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

fn policy(text: &str) -> Result<u8, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

#[derive(Args)]
pub(crate) struct KeysRotateArgs {
    /// Which keys, one after the other
    #[arg(long, value_enum, value_delimiter = ',', default_value = "ek")]
    pub(crate) key: Vec<KeyName>,
    /// `wrap`: drawn here, under the master key; `agreement`: agreed on, suites 1 and 2. To agree on ek or ak the master
    /// key is agreed on too
    #[arg(long, value_enum, default_value = "wrap")]
    pub(crate) by: ByName,
    /// The new key, raw or hexadecimal, instead of a random one
    #[arg(long, value_name = "FILE")]
    pub(crate) new_key_file: Option<PathBuf>,
    /// The Security setup object, where the association does not name it
    #[arg(long, value_name = "OBIS")]
    pub(crate) setup: Option<LogicalName>,
    /// The meter derives an agreed master key as one for wrapping
    #[arg(long)]
    pub(crate) wrapping_master: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Args)]
pub(crate) struct KeysResumeArgs {
    /// The meter derives an agreed master key as one for wrapping
    #[arg(long)]
    pub(crate) wrapping_master: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Args)]
pub(crate) struct KeysStatusArgs {
    /// A meter of ~/.config/dlms/meters.toml
    #[arg(long, value_name = "NAME")]
    pub(crate) meter: Option<String>,
    /// Its key file, where that is elsewhere
    #[arg(long, value_name = "PATH")]
    pub(crate) key_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyName {
    /// Global unicast encryption key
    Ek,
    /// Authentication key
    Ak,
    /// Global broadcast encryption key
    Broadcast,
    /// Master key
    Master,
}

impl KeyName {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Ek => "global unicast encryption key",
            Self::Ak => "authentication key",
            Self::Broadcast => "global broadcast encryption key",
            Self::Master => "master key",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ByName {
    Wrap,
    Agreement,
}

#[derive(Subcommand)]
pub(crate) enum PkiCommand {
    /// Make a root certificate and its key in a directory
    Init(PkiInitArgs),
    /// Issue a certificate, to a certification request or with a new key
    Issue(PkiIssueArgs),
    /// Print a certificate, a certification request or a public key
    Show(PkiShowArgs),
    /// Write a certificate, a request or a public key in another form
    Export(PkiExportArgs),
}

#[derive(Args)]
pub(crate) struct PkiInitArgs {
    /// The directory of the authority, which is made
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// The curve of its key: p384 certifies keys on both
    #[arg(long, value_enum, default_value = "p384")]
    pub(crate) curve: CurveName,
    /// The name of the authority
    #[arg(long, value_name = "TEXT", default_value = "Lab Root CA")]
    pub(crate) common_name: String,
    /// Whose it is
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) organization: String,
    /// How long it is valid; without end if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: Option<u32>,
}

#[derive(Args)]
pub(crate) struct PkiIssueArgs {
    /// The directory of the authority
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// A certification request (PKCS#10, PEM or DER)
    #[arg(long, value_name = "FILE", required_unless_present = "title", conflicts_with = "curve")]
    pub(crate) csr: Option<PathBuf>,
    /// The system title of the party, hexadecimal; a request names it itself
    #[arg(long, value_name = "HEX")]
    pub(crate) title: Option<String>,
    /// What the key is for
    #[arg(long, value_enum)]
    pub(crate) usage: UsageName,
    /// The curve of the new key: that of the authority if left out
    #[arg(long, value_enum)]
    pub(crate) curve: Option<CurveName>,
    /// Name the party in subjectAltName, as hardware of this type, and leave the subject empty
    #[arg(long, value_name = "OID")]
    pub(crate) hardware_type: Option<String>,
    /// How long it is valid; without end if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: Option<u32>,
    /// Where to write the certificate (PEM); a new key goes beside it with the ending `.key`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct PkiShowArgs {
    /// PEM, DER or hexadecimal
    pub(crate) file: PathBuf,
    /// Verify against this authority: its directory, or its certificate
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) authority: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct PkiExportArgs {
    /// PEM, DER or hexadecimal
    pub(crate) file: PathBuf,
    /// `raw`: the public key alone, hexadecimal; `spki`: the public key alone, PEM
    #[arg(long, value_enum)]
    pub(crate) format: ExportFormat,
    /// Where to write it; standard output if left out
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CurveName {
    P256,
    P384,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UsageName {
    Signature,
    Agreement,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Der,
    Pem,
    Raw,
    Spki,
}

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// The meter
    #[arg(long, value_enum)]
    pub(crate) model: Model,
    /// HOST:PORT, or tcp://HOST:PORT, or udp://HOST:PORT; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4059")]
    pub(crate) listen: String,
    /// How the octets are framed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) framing: Framing,
    /// How many times faster the meter's time passes
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// Where the meter keeps what survives a restart
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Take certificates by this authority: its directory, or its certificate
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) authority: Vec<PathBuf>,
    /// What the simulated consumption is drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Cryptographic library: rustcrypto, or aws-lc where it is built in [default: rustcrypto]
    #[arg(long, value_name = "NAME", env = "DLMS_CRYPTO")]
    pub(crate) crypto: Option<String>,
    /// Print addresses, keys, titles and passwords of the simulated meter's associations, and end
    #[arg(long)]
    pub(crate) show_credentials: bool,
    /// Tell on standard error what clients do
    #[arg(long)]
    pub(crate) events: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Model {
    Lab,
    Pmm1220,
    Magno22,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Framing {
    #[default]
    Wrapper,
    Hdlc,
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// What the simulated consumption is drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Show the frames of each layer on standard error
    #[arg(long)]
    pub(crate) trace: bool,
}
