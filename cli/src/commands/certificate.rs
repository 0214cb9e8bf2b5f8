//! `dlms keys certificate renew`: the meter makes a key pair, the authority certifies it, and the meter is seen to use it.

use std::cell::RefCell;

use dlms::client::rotation::{
    Access, CertificateRenewal, PendingCertificate, RenewalEnvironment, RenewalStore, StoredDer,
};
use dlms_security::certificate::{Authority, Certificate};
use dlms_security::{KeyUsage, PublicKey, SecurityError, StorageError};
use dlms_tokio::renew_certificate;
use serde::Serialize;

use super::keys::{Change, connect_once, kept};
use super::pki;
use crate::args::CertificateRenewArgs;
use crate::failure::{Failure, Result};
use crate::key_files;
use crate::meter_keys::{KeptCertificate, KeyFile};
use crate::output;
use crate::parse::hex;
use crate::session;
use crate::target::{KeyPair, Target};

/// What was renewed.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    renewed: &'static str,
    serial_number: String,
    public_key: String,
    key_file: String,
}

pub(crate) async fn renew(args: &CertificateRenewArgs, json: bool) -> Result<()> {
    let root = key_files::authority(&args.authority)?;
    let root = Certificate::from_der(&root).map_err(SecurityError::from).map_err(pki::refused)?;
    let authorities = [Authority { certificate: root, is_trust_anchor: true }];
    let mut change = Change::open(&args.connection, args.setup).await?;
    let server = change.target.server_title.ok_or_else(|| {
        Failure::usage("whose certificate? The meter's title is needed").hint("give --server-title")
    })?;
    let setup = change.setup;
    let provider = dlms_tokio::provider_on(change.target.library)?;
    let mut renewal = {
        let mut env =
            RenewalEnvironment { provider: &provider, store: &mut change.file, authorities: &authorities };
        match CertificateRenewal::resume(&mut env, setup, server) {
            Ok(Some(renewal)) => Ok(renewal),
            Ok(None) => CertificateRenewal::begin(&mut env, setup, server, args.usage.into()),
            Err(error) => Err(error),
        }
        .map_err(|error| session::failure(&error.into()))?
    };
    let usage = renewal.usage();
    let failed = &RefCell::new(None);
    let target = &change.target.clone();
    let connect = move |_: Access, key: Option<PublicKey>| async move {
        let signatures = target.signatures.clone().map(|pair| match (usage, key) {
            (KeyUsage::DigitalSignature, Some(peer)) => KeyPair { peer, ..pair },
            _ => pair,
        });
        connect_once(Target { signatures, ..target.clone() }, failed).await
    };
    let issue = move |request: Vec<u8>| async move {
        pki::issue_to(&args.authority, &request, server, usage, args.days)
            .map_err(|failure| kept(failure, failed))
    };
    let done =
        renew_certificate(&provider, &mut change.file, &authorities, &mut renewal, connect, issue).await;
    if let Err(error) = done {
        let failure = failed.take().unwrap_or_else(|| session::failure(&error));
        return Err(match &change.file.kept.certificate {
            Some(_) => failure.hint("run dlms keys certificate renew again: it goes on"),
            None => failure,
        });
    }
    let der = change.file.renewed.take().unwrap_or_default();
    let certificate = Certificate::from_der(&der).map_err(SecurityError::from).map_err(pki::refused)?;
    if let Some(path) = &args.out {
        pki::write_new(path, key_files::pem("CERTIFICATE", &der)?.as_bytes(), false)?;
    }
    let report = Report {
        renewed: pki::usage_text(usage),
        serial_number: hex::text(certificate.serial_number()),
        public_key: hex::text(certificate.public_key().octets()),
        key_file: change.file.path().display().to_string(),
    };
    if json {
        return output::json(&report);
    }
    let done = output::good().apply_to("renewed");
    Ok(output::line(&format!("{} certificate {done}: {}", report.renewed, report.serial_number))?)
}

impl RenewalStore for KeyFile {
    fn pending(&mut self) -> Result<Option<PendingCertificate>, StorageError> {
        let Some(kept) = &self.kept.certificate else { return Ok(None) };
        let der = |digits: &Option<String>| -> Result<Option<StoredDer>, StorageError> {
            let Some(digits) = digits else { return Ok(None) };
            let octets = hex::octets(digits).map_err(|_| StorageError)?;
            StoredDer::from_slice(&octets).map(Some).map_err(|_| StorageError)
        };
        Ok(Some(PendingCertificate {
            usage: KeyUsage::from_id(kept.usage).ok_or(StorageError)?,
            old: der(&kept.old)?,
            new: der(&kept.new)?,
        }))
    }

    fn set_pending(&mut self, pending: Option<&PendingCertificate>) -> Result<(), StorageError> {
        let text = |der: &Option<StoredDer>| der.as_ref().map(|der| hex::text(der));
        self.change(|kept| {
            kept.certificate = pending.map(|pending| KeptCertificate {
                usage: pending.usage as u8,
                old: text(&pending.old),
                new: text(&pending.new),
            });
        })
    }

    fn commit(&mut self, usage: KeyUsage, certificate: &[u8]) -> Result<(), StorageError> {
        let key = *Certificate::from_der(certificate).map_err(|_| StorageError)?.public_key();
        self.change(|kept| {
            let digits = Some(hex::text(key.octets()));
            match usage {
                KeyUsage::DigitalSignature => kept.peer_public_key = digits,
                KeyUsage::KeyAgreement => kept.peer_agreement_key = digits,
                KeyUsage::Tls => {}
            }
            kept.certificate = None;
        })?;
        self.renewed = Some(certificate.to_vec());
        Ok(())
    }
}
