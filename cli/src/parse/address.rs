//! Where a meter is: `tcp://HOST:PORT`, `udp://HOST:PORT`, `serial:///dev/ttyUSB0?baud=9600&mode-e`.

use std::fmt;
use std::str::FromStr;

/// The port of the wrapper and of HDLC over TCP.
const PORT: u16 = 4059;
const BAUD: u32 = 9600;

/// A transport and an address on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `HOST:PORT`
    Tcp(String),
    /// `HOST:PORT`
    Udp(String),
    Serial(Serial),
}

/// A serial line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Serial {
    pub(crate) path: String,
    pub(crate) baud: u32,
    /// Whether the link is opened in protocol mode E of IEC 62056-21.
    pub(crate) mode_e: bool,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            Some(("tcp", host)) => socket(host).map(Self::Tcp),
            Some(("udp", host)) => socket(host).map(Self::Udp),
            Some(("serial", line)) => serial(line).map(Self::Serial),
            Some((scheme, _)) => Err(format!("{scheme:?} is none of tcp, udp and serial")),
            None => socket(text).map(Self::Tcp),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Udp(host) => write!(f, "udp://{host}"),
            Self::Serial(serial) => write!(f, "serial://{}?baud={}", serial.path, serial.baud),
        }
    }
}

/// `HOST[:PORT]`, with 4059 for a port that is left out; an IPv6 address in brackets.
fn socket(text: &str) -> Result<String, String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_| format!("port {port:?} is no number to 65535"))?)
        }
        _ => (text, PORT),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if host.is_empty() || bare.unwrap_or(host).is_empty() {
        return Err("the host is missing, as in tcp://192.0.2.1:4059".to_owned());
    }
    if bare.is_none() && host.contains(':') {
        return Err("an IPv6 address stands in brackets, as in tcp://[2001:db8::1]:4059".to_owned());
    }
    Ok(format!("{host}:{port}"))
}

fn serial(text: &str) -> Result<Serial, String> {
    let (path, options) = text.split_once('?').unwrap_or((text, ""));
    if path.is_empty() {
        return Err("the device is missing, as in serial:///dev/ttyUSB0".to_owned());
    }
    let mut serial = Serial { path: path.to_owned(), baud: BAUD, mode_e: false };
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("baud", baud)) => {
                serial.baud = baud.parse().map_err(|_| format!("baud rate {baud:?} is no number"))?;
            }
            None if option == "mode-e" => serial.mode_e = true,
            _ => return Err(format!("{option:?} is none of baud=N and mode-e")),
        }
    }
    Ok(serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transport() {
        let tcp = |host: &str| Ok(Address::Tcp(host.to_owned()));
        assert_eq!("tcp://127.0.0.1:4061".parse(), tcp("127.0.0.1:4061"));
        assert_eq!("tcp://meter.example".parse(), tcp("meter.example:4059"));
        assert_eq!("127.0.0.1:0".parse(), tcp("127.0.0.1:0"));
        assert_eq!("tcp://[::1]".parse(), tcp("[::1]:4059"));
        assert_eq!("tcp://[::1]:99".parse(), tcp("[::1]:99"));
        assert_eq!("udp://h:1".parse(), Ok(Address::Udp("h:1".to_owned())));
        let serial = Serial { path: "/dev/ttyUSB0".to_owned(), baud: 300, mode_e: true };
        assert_eq!("serial:///dev/ttyUSB0?baud=300&mode-e".parse(), Ok(Address::Serial(serial)));
        for wrong in ["tcp://", "tcp://h:70000", "ftp://h", "::1", "serial://", "serial:///dev/x?parity=even"]
        {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
