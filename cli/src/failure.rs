//! What went wrong, as the contract of the command has it: an exit code, one line for people, one object for programs.

use std::fmt;
use std::io;
use std::process::ExitCode;

use serde::Serialize;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Wrong usage.
    Usage = 2,
    /// Malformed input or a malformed answer.
    Malformed = 3,
    /// Wrong key, tag, signature, a replay, refused protection.
    Security = 4,
    /// Cannot connect, time-out, link lost.
    Link = 5,
    /// The peer refused.
    Refused = 6,
    /// A bug of ours.
    Bug = 70,
}

/// Why a command did not do what it was asked to.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) layer: &'static str,
    /// A word for programs.
    pub(crate) reason: String,
    pub(crate) offset: Option<usize>,
    /// What went wrong and where, in one line.
    pub(crate) message: String,
    /// What to try.
    hint: Option<String>,
    /// Whether everything there is to say stands in the output already.
    silent: bool,
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Only of functions that the command's own provider has.
impl From<dlms_security::SecurityError> for Failure {
    fn from(error: dlms_security::SecurityError) -> Self {
        Self::new(Exit::Security, "security", "security", error.to_string())
    }
}

impl Failure {
    pub(crate) fn new(
        exit: Exit,
        layer: &'static str,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let (reason, message) = (reason.into(), message.into());
        Self { exit, layer, reason, offset: None, message, hint: None, silent: false }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "command", "usage", message)
    }

    pub(crate) fn bug(message: impl Into<String>) -> Self {
        Self::new(Exit::Bug, "command", "bug", message)
    }

    /// The results that were printed say what was refused; only the exit code is left to tell.
    pub(crate) fn told(exit: Exit) -> Self {
        Self { silent: true, ..Self::new(exit, "command", "told", "") }
    }

    pub(crate) fn at(self, offset: usize) -> Self {
        Self { offset: Some(offset), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// Names what the failure is about, in front.
    pub(crate) fn about(self, subject: impl fmt::Display) -> Self {
        Self { message: format!("{subject}: {}", self.message), ..self }
    }

    /// Prints the failure, for people on standard error and with `json` for programs on standard output.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        if !self.silent {
            if json {
                // The reader of a closed pipe does not want to know.
                let _ = crate::output::json(&self.json());
            }
            eprintln!("dlms: {self}");
        }
        ExitCode::from(self.exit as u8)
    }

    fn json(&self) -> impl Serialize + '_ {
        #[derive(Serialize)]
        struct Report<'a> {
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            layer: &'a str,
            reason: &'a str,
            offset: Option<usize>,
            message: &'a str,
        }
        Report {
            error: Body {
                layer: self.layer,
                reason: &self.reason,
                offset: self.offset,
                message: &self.message,
            },
        }
    }
}

/// One line: layer, what, octet offset, what to try.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.layer != "command" {
            write!(f, "{}: ", self.layer)?;
        }
        f.write_str(&self.message)?;
        if let Some(offset) = self.offset {
            write!(f, " (octet {offset})")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Standard output failed: quietly, if its reader went away.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::told(Exit::Link),
            _ => Self::new(Exit::Link, "command", "input-output", error.to_string()),
        }
    }
}

/// A value of ours that does not become JSON.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(kind) => io::Error::from(kind).into(),
            None => Self::bug(error.to_string()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn for_people_and_for_programs() {
        let failure = Failure::new(Exit::Malformed, "hdlc", "fcs-mismatch", "the frame check does not match")
            .at(17)
            .hint("try --lenient");
        assert_eq!(failure.to_string(), "hdlc: the frame check does not match (octet 17); try --lenient");
        assert_eq!(
            serde_json::to_string(&failure.json()).unwrap(),
            r#"{"error":{"layer":"hdlc","reason":"fcs-mismatch","offset":17,"message":"the frame check does not match"}}"#
        );
    }
}
