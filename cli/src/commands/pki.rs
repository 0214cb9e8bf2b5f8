//! `dlms pki`: a small certification authority for labs and tests.
//!
//! Its directory holds `root.pem` and `root.key`, and what it issued: `TITLE-USAGE.pem`, and `TITLE-USAGE.key` where the
//! key was made here. Only the owner may read it; nothing in it is ever written over.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use der::asn1::ObjectIdentifier;
use dlms_security::certificate::{
    Certificate, CertificateTime, CertificationRequest, NewCertificate, Subject, Validity, write_public_key,
};
use dlms_security::{
    CryptoProvider as _, Curve, KeyUsage, PrivateKey, PublicKeyProvider as _, RustCrypto, SecurityError,
    SystemTitle,
};
use dlms_tokio::OsRandom;
use serde::Serialize;

use super::pki_show;
use crate::args::{CurveName, ExportFormat, PkiCommand, PkiExportArgs, PkiInitArgs, PkiIssueArgs, UsageName};
use crate::failure::{Exit, Failure, Result};
use crate::key_files::{self, Document};
use crate::output;
use crate::parse::hex;

const ROOT: &str = "root.pem";
const ROOT_KEY: &str = "root.key";
const DAY: u64 = 86_400;
/// Octets of a serial number, which is drawn by lot: no other one is needed to be unique.
const SERIAL_NUMBER: usize = 16;

pub(crate) fn run(command: &PkiCommand, json: bool) -> Result<()> {
    match command {
        PkiCommand::Init(args) => init(args, json),
        PkiCommand::Issue(args) => issue(args, json),
        PkiCommand::Show(args) => pki_show::run(args, json),
        PkiCommand::Export(args) => export(args),
    }
}

pub(crate) fn provider() -> RustCrypto<OsRandom> {
    RustCrypto::new(OsRandom)
}

/// What was written.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    certificate: PathBuf,
    key: Option<PathBuf>,
    system_title: Option<String>,
    serial_number: String,
}

impl Written {
    fn tell(&self, json: bool) -> Result<()> {
        if json {
            return output::json(self);
        }
        output::line(&self.certificate.display().to_string())?;
        match &self.key {
            Some(key) => Ok(output::line(&key.display().to_string())?),
            None => Ok(()),
        }
    }
}

fn init(args: &PkiInitArgs, json: bool) -> Result<()> {
    let provider = provider();
    let key = provider.generate(args.curve.into()).map_err(refused)?;
    let subject = Subject::Authority {
        organization: &args.organization,
        common_name: &args.common_name,
        path_length: None,
    };
    let (der, serial_number) = certify(subject, &key, None, args.days, None)?;
    let root = args.directory.join(ROOT);
    make_directory(&args.directory)?;
    let key_file = args.directory.join(ROOT_KEY);
    write_new(&key_file, key_files::private_key_pem(&key)?.as_bytes(), true)?;
    write_new(&root, key_files::pem("CERTIFICATE", &der)?.as_bytes(), false)?;
    Written { certificate: root, key: Some(key_file), system_title: None, serial_number }.tell(json)
}

fn issue(args: &PkiIssueArgs, json: bool) -> Result<()> {
    let provider = provider();
    let Document::Certificate(root) = key_files::document(&args.directory.join(ROOT))? else {
        return Err(Failure::usage(format!("{}: no certificate", args.directory.join(ROOT).display())));
    };
    let root = Certificate::from_der(&root).map_err(SecurityError::from).map_err(refused)?;
    let root_key = key_files::private_key_file(&args.directory.join(ROOT_KEY))?;

    let wanted = args.title.as_deref().map(title).transpose()?;
    let request = args.csr.as_deref().map(request).transpose()?;
    let (title, public_key, own_key) = match &request {
        Some(der) => {
            let request =
                CertificationRequest::from_der(der).map_err(SecurityError::from).map_err(refused)?;
            request.verify(&provider).map_err(refused)?;
            let title = match (request.title(), wanted) {
                (Some(named), Some(wanted)) if named != wanted => {
                    let message = format!("the request is of {named}, not of {wanted}");
                    return Err(Failure::new(Exit::Security, "certificate", "title-mismatch", message));
                }
                (named, wanted) => named.or(wanted).ok_or_else(|| {
                    Failure::usage("the request names no system title").hint("give one with --title")
                })?,
            };
            (title, *request.public_key(), None)
        }
        None => {
            let title = wanted.ok_or_else(|| Failure::usage("--title is needed without --csr"))?;
            let curve = args.curve.map_or(root.public_key().curve(), Curve::from);
            let key = provider.generate(curve).map_err(refused)?;
            (title, provider.public_key(&key).map_err(refused)?, Some(key))
        }
    };
    let usage = KeyUsage::from(args.usage);
    let subject = match args.hardware_type.as_deref().map(ObjectIdentifier::new).transpose() {
        Ok(None) => Subject::Party(title, usage),
        Ok(Some(hardware_type)) => Subject::Hardware { title, usage, hardware_type },
        Err(error) => return Err(Failure::usage(format!("--hardware-type: {error}"))),
    };
    let (der, serial_number) = certify(subject, &root_key, Some(&root), args.days, Some(public_key))?;

    let name = format!("{title}-{}.pem", args.usage.text());
    let certificate = args.out.clone().unwrap_or_else(|| args.directory.join(name));
    let key_file = own_key.as_ref().map(|_| certificate.with_extension("key"));
    if key_file.as_ref() == Some(&certificate) {
        return Err(Failure::usage("--out: the ending .key is that of the key's file"));
    }
    if certificate.exists() {
        return Err(exists(&certificate));
    }
    if let (Some(path), Some(key)) = (&key_file, &own_key) {
        write_new(path, key_files::private_key_pem(key)?.as_bytes(), true)?;
    }
    write_new(&certificate, key_files::pem("CERTIFICATE", &der)?.as_bytes(), false)?;
    Written { certificate, key: key_file, system_title: Some(title.to_string()), serial_number }.tell(json)
}

/// The DER of a new certificate and its serial number, in text; `public_key` is that of `key` for a root.
fn certify(
    subject: Subject<'_>,
    key: &PrivateKey,
    issuer: Option<&Certificate<'_>>,
    days: Option<u32>,
    public_key: Option<dlms_security::PublicKey>,
) -> Result<(Vec<u8>, String)> {
    let provider = provider();
    let mut serial_number = [0; SERIAL_NUMBER];
    provider.random(&mut serial_number).map_err(refused)?;
    // Positive, and of this length.
    if let Some(first) = serial_number.first_mut() {
        *first = *first & 0x3F | 0x40;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let not_after = match days {
        Some(days) => CertificateTime::from_unix_seconds(now.saturating_add(u64::from(days) * DAY)),
        None => CertificateTime::INDEFINITE,
    };
    let public_key = match public_key {
        Some(public_key) => public_key,
        None => provider.public_key(key).map_err(refused)?,
    };
    let new = NewCertificate {
        serial_number: &serial_number,
        validity: Validity { not_before: CertificateTime::from_unix_seconds(now), not_after },
        subject,
        public_key,
    };
    let mut buffer = vec![0; Certificate::MAX_LENGTH];
    let der = new.issue(&provider, issuer, key, &mut buffer).map_err(refused)?;
    Ok((der.to_vec(), hex::text(&serial_number)))
}

/// A certificate for a certification request of this party, by the authority in a directory.
pub(crate) fn issue_to(
    directory: &Path,
    request: &[u8],
    title: SystemTitle,
    usage: KeyUsage,
    days: Option<u32>,
) -> Result<Vec<u8>> {
    let root = key_files::authority(directory)?;
    let root = Certificate::from_der(&root).map_err(SecurityError::from).map_err(refused)?;
    let root_key = key_files::private_key_file(&directory.join(ROOT_KEY))?;
    let request = CertificationRequest::from_der(request).map_err(SecurityError::from).map_err(refused)?;
    let key = *request.public_key();
    certify(Subject::Party(title, usage), &root_key, Some(&root), days, Some(key)).map(|(der, _)| der)
}

/// What the key of a certificate is for, in text.
pub(crate) const fn usage_text(usage: KeyUsage) -> &'static str {
    match usage {
        KeyUsage::DigitalSignature => UsageName::Signature.text(),
        KeyUsage::KeyAgreement => UsageName::Agreement.text(),
        KeyUsage::Tls => UsageName::Tls.text(),
    }
}

fn request(path: &Path) -> Result<Vec<u8>> {
    match key_files::document(path)? {
        Document::Request(der) => Ok(der),
        _ => Err(Failure::usage(format!("{}: no certification request", path.display()))),
    }
}

fn title(digits: &str) -> Result<SystemTitle> {
    let octets = hex::octets(digits).map_err(|error| Failure::usage(format!("--title: {error}")))?;
    SystemTitle::try_from(&octets[..]).map_err(|error| Failure::usage(format!("--title: {error}")))
}

fn export(args: &PkiExportArgs) -> Result<()> {
    let (label, der, public_key) = match key_files::document(&args.file)? {
        Document::Certificate(der) => {
            let key = Certificate::from_der(&der).map(|certificate| *certificate.public_key());
            ("CERTIFICATE", der, key)
        }
        Document::Request(der) => {
            let key = CertificationRequest::from_der(&der).map(|request| *request.public_key());
            ("CERTIFICATE REQUEST", der, key)
        }
        Document::PublicKey(key) => ("PUBLIC KEY", public_key_der(&key)?, Ok(key)),
    };
    let public_key = public_key.map_err(SecurityError::from).map_err(refused)?;
    let octets = match args.format {
        ExportFormat::Der => der,
        ExportFormat::Pem => key_files::pem(label, &der)?.into_bytes(),
        ExportFormat::Raw => format!("{}\n", hex::text(public_key.octets())).into_bytes(),
        ExportFormat::Spki => key_files::pem("PUBLIC KEY", &public_key_der(&public_key)?)?.into_bytes(),
    };
    match &args.out {
        Some(path) => write_new(path, &octets, false),
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(&octets)?;
            Ok(out.flush()?)
        }
    }
}

fn public_key_der(key: &dlms_security::PublicKey) -> Result<Vec<u8>> {
    write_public_key(key, &mut [0; 128]).map(<[u8]>::to_vec).map_err(refused)
}

/// A directory that only its owner may enter.
fn make_directory(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// A file that is not there yet; a secret one only its owner may read, from the beginning.
pub(crate) fn write_new(path: &Path, octets: &[u8], is_secret: bool) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if is_secret { 0o600 } else { 0o644 });
    }
    #[cfg(not(unix))]
    let _ = is_secret;
    let written = options.open(path).and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => Failure::usage(format!("{}: {error}", path.display())),
    })
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("{} is there already", path.display()))
        .hint("nothing is written over: move it away")
}

/// What the library refused.
pub(crate) fn refused(error: SecurityError) -> Failure {
    match error {
        SecurityError::Certificate(error) => {
            let message = error.fault.to_string();
            Failure::new(Exit::Security, "certificate", "refused", message).at(error.offset)
        }
        SecurityError::BufferTooSmall { .. } => Failure::usage("names are too long for a certificate"),
        error => Failure::new(Exit::Security, "certificate", "refused", error.to_string()),
    }
}

impl From<CurveName> for Curve {
    fn from(name: CurveName) -> Self {
        match name {
            CurveName::P256 => Self::P256,
            CurveName::P384 => Self::P384,
        }
    }
}

impl From<UsageName> for KeyUsage {
    fn from(name: UsageName) -> Self {
        match name {
            UsageName::Signature => Self::DigitalSignature,
            UsageName::Agreement => Self::KeyAgreement,
            UsageName::Tls => Self::Tls,
        }
    }
}

impl UsageName {
    const fn text(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Agreement => "agreement",
            Self::Tls => "tls",
        }
    }
}
