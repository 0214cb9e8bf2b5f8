//! Several links at one physical station: which of them a frame is for (IEC 62056-46, 6.4.2.4).

use crate::address::Delivery;
use crate::link::TransmitError;
use crate::{Control, Frame, Secondary};

/// Where a frame belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Route {
    /// To the link of this index.
    Link(usize),
    /// To every link of the station; each takes what is for it, none answers.
    Broadcast,
    /// To no link, though it is for this station: all are taken. Answer with [`refuse`].
    Full,
    /// To another station, or nobody.
    Elsewhere,
}

/// Finds the link of a frame: that of its client and server addresses, else a free one that would take the client.
pub fn route<B, U>(links: &[Secondary<B, U>], frame: &Frame<'_>) -> Route
where
    B: AsRef<[u8]> + AsMut<[u8]>,
    U: AsRef<[u8]> + AsMut<[u8]>,
{
    let mut free = None;
    for (index, link) in links.iter().enumerate() {
        match link.accepts(frame) {
            None => {}
            Some(Delivery::Broadcast) => return Route::Broadcast,
            Some(_) if link.is_connected() => return Route::Link(index),
            Some(_) => free = free.or(Some(index)),
        }
    }
    if let Some(index) = free {
        return Route::Link(index);
    }
    let sender_is_a_client = frame.source.client().is_some() && !frame.source.is_reserved_source();
    let ours = links.iter().any(|link| {
        let config = link.config();
        let delivery =
            config.server.receives(frame.destination, config.calling_device, config.any_address_length);
        delivery == Some(Delivery::Individual)
    });
    let connects = matches!(frame.control, Control::SetNormalResponseMode { poll_final: true });
    if sender_is_a_client && ours && connects { Route::Full } else { Route::Elsewhere }
}

/// Writes the DM that refuses `frame`.
///
/// # Errors
/// [`TransmitError::Buffer`] if `out` is too short.
pub fn refuse(frame: &Frame<'_>, out: &mut [u8]) -> Result<usize, TransmitError> {
    let refusal = Frame {
        destination: frame.source,
        source: frame.destination,
        control: Control::DisconnectedMode { poll_final: true },
        segmented: false,
        information: &[],
    };
    Ok(refusal.encode(out)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{ClientAddress, SecondaryConfig, ServerAddress};
    use core::time::Duration;

    fn snrm(client: u8, server: ServerAddress) -> Frame<'static> {
        Frame {
            destination: server.into(),
            source: ClientAddress::new(client).unwrap().into(),
            control: Control::SetNormalResponseMode { poll_final: true },
            segmented: false,
            information: &[],
        }
    }

    #[test]
    fn links_by_client_and_server() {
        let server = ServerAddress::two(1, 0x11).unwrap();
        let link = || Secondary::new(SecondaryConfig::new(server), [0; 64]);
        let mut links = [link(), link()];
        assert_eq!(route(&links, &snrm(0x10, server)), Route::Link(0));
        links[0].handle_frame(Duration::ZERO, &snrm(0x10, server));
        assert_eq!(route(&links, &snrm(0x10, server)), Route::Link(0));
        assert_eq!(route(&links, &snrm(0x20, server)), Route::Link(1));
        links[1].handle_frame(Duration::ZERO, &snrm(0x20, server));
        assert_eq!(route(&links, &snrm(0x30, server)), Route::Full);
        assert_eq!(route(&links, &snrm(0x00, server)), Route::Elsewhere);
        assert_eq!(route(&links, &snrm(0x30, ServerAddress::two(2, 0x11).unwrap())), Route::Elsewhere);
        let everyone = Frame {
            control: Control::UnnumberedInformation { poll_final: false },
            ..snrm(0x10, ServerAddress::two(0x7F, 0x7F).unwrap())
        };
        assert_eq!(route(&links, &everyone), Route::Broadcast);
        let mut out = [0; 16];
        let length = refuse(&snrm(0x30, server), &mut out).unwrap();
        assert_eq!(Frame::decode(&out[1..length - 1]).unwrap().control.name(), "DM");
    }
}
