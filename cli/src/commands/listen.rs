//! `dlms listen`: what meters send of their own accord.
//!
//! The framing of each connection and each datagram is told by its first octet, unless it is given: a flag begins HDLC,
//! a version number the wrapper, anything else is an APDU. With keys, what is not protected as asked for is refused, and
//! so is what was heard before.

use std::collections::HashMap;
use std::io::Cursor;
use std::time::Duration;

use dlms::client::notification::{Notification, NotificationError, Opened};
use dlms::{ProtectionError, SecurityContext};
use dlms_axdr::OwnedData;
use dlms_security::{CounterStore, Forgetful, Protection, SystemTitle};
use dlms_tokio::{Listener, ListenerFraming, Provider, Received};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

use crate::args::{ListenArgs, ListenFraming};
use crate::counters;
use crate::failure::{Exit, Failure, Result};
use crate::listening::ListenKeys;
use crate::output::{self, tree::Node};
use crate::parse::address::Address;
use crate::parse::hex;
use crate::profile::time_text;
use crate::target::Keys;

/// How many meters are remembered.
const METERS: usize = 4096;
/// How long another run is waited for that has the file of counters.
const IN_USE: Duration = Duration::from_secs(1);
/// How many notifications wait to be shown.
const QUEUE: usize = 256;
/// The longest datagram.
const DATAGRAM: usize = 65_535;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    /// Who has proved to have sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    system_title: Option<String>,
    security: &'static str,
    apdu: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    long_invoke_id_and_priority: Option<String>,
    date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class_id: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute_id: Option<i8>,
    data: &'a OwnedData,
}

pub(crate) async fn run(args: &ListenArgs, json: bool) -> Result<()> {
    let keys = args.keys.resolve()?;
    let address: Address = args.address.parse().map_err(Failure::usage)?;
    let (sender, mut received) = mpsc::channel(QUEUE);
    let local = match &address {
        Address::Tcp(host) => {
            let listener = TcpListener::bind(host).await.map_err(|error| cannot_listen(host, &error))?;
            let local = listener.local_addr()?;
            tokio::spawn(accept(listener, args.framing, sender));
            local
        }
        Address::Udp(host) => {
            let socket = UdpSocket::bind(host).await.map_err(|error| cannot_listen(host, &error))?;
            let local = socket.local_addr()?;
            tokio::spawn(datagrams(socket, args.framing, sender));
            local
        }
        Address::Serial(_) => return Err(Failure::usage("listening on serial lines is not built yet")),
    };
    // Standard output is for the notifications.
    eprintln!("LISTENING {local}");
    let provider = dlms_tokio::provider_on(keys.library)?;
    let counters: Box<dyn CounterStore + Send> = match &args.counter_file {
        Some(path) => Box::new(counters::open(path, IN_USE).await?),
        None => Box::new(Forgetful),
    };
    let mut meters = Meters { keys, contexts: HashMap::new(), counters, provider };
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(mut one) = received.recv().await else { break };
        match meters.show(&mut one, json) {
            Ok(()) => {}
            // Standard output is gone.
            Err(failure) if failure.layer == "command" => return Err(failure),
            Err(failure) => {
                let _ = failure.report(json);
            }
        }
        left -= 1;
    }
    Ok(())
}

fn cannot_listen(host: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Link, "transport", "listen", format!("cannot listen on {host}: {error}"))
}

async fn accept(listener: TcpListener, framing: ListenFraming, sender: mpsc::Sender<Received>) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("dlms: a connection was not accepted: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let sender = sender.clone();
        tokio::spawn(async move {
            let Some(framing) = framing_of(framing, &stream).await else { return };
            forward(Listener::stream(stream, framing), peer, &sender).await;
        });
    }
}

async fn datagrams(socket: UdpSocket, framing: ListenFraming, sender: mpsc::Sender<Received>) {
    let mut datagram = vec![0; DATAGRAM];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut datagram).await else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let octets = datagram.get(..length).unwrap_or(&[]).to_vec();
        let Some(framing) = chosen(framing, octets.first().copied()) else { continue };
        forward(Listener::stream(Cursor::new(octets), framing), peer, &sender).await;
    }
}

async fn forward(mut listener: Listener, peer: std::net::SocketAddr, sender: &mpsc::Sender<Received>) {
    while let Some(received) = listener.next().await {
        if sender.send(Received { peer: Some(peer), ..received }).await.is_err() {
            return;
        }
    }
}

async fn framing_of(framing: ListenFraming, stream: &TcpStream) -> Option<ListenerFraming> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) => chosen(framing, first.first().copied()),
        _ => None,
    }
}

fn chosen(framing: ListenFraming, first: Option<u8>) -> Option<ListenerFraming> {
    match (framing, first?) {
        (ListenFraming::Hdlc, _) | (ListenFraming::Auto, 0x7E) => Some(ListenerFraming::Hdlc),
        (ListenFraming::Wrapper, _) | (ListenFraming::Auto, 0x00) => Some(ListenerFraming::Wrapper),
        (ListenFraming::Apdu | ListenFraming::Auto, _) => Some(ListenerFraming::Raw),
    }
}

/// The meters that were heard, each with its replay window.
struct Meters {
    keys: ListenKeys,
    contexts: HashMap<SystemTitle, SecurityContext<Provider>>,
    /// Where the lowest counters that are taken from them are kept.
    counters: Box<dyn CounterStore + Send>,
    provider: Provider,
}

impl Meters {
    fn show(&mut self, received: &mut Received, json: bool) -> Result<()> {
        let peer = received.peer.map(|peer| peer.to_string());
        let refused = |error: NotificationError| refusal(&error).about(peer.as_deref().unwrap_or("a meter"));
        let Some(keys) = &self.keys.keys else {
            let opened =
                received.open(&self.provider, &mut Forgetful, None, Protection::empty()).map_err(refused)?;
            return print(&opened, peer.clone(), json);
        };
        let title = received.claimed_sender().or(self.keys.system_title).ok_or_else(|| {
            Failure::new(Exit::Security, "security", "no-title", "a notification without a system title")
                .hint("give --system-title")
        })?;
        // A title is a claim: a meter is remembered once it has proved itself.
        let known = self.contexts.remove(&title);
        let is_known = known.is_some();
        let mut context = match known {
            Some(context) => context,
            None if self.contexts.len() >= METERS => {
                return Err(Failure::new(Exit::Security, "security", "too-many-meters", "too many meters"));
            }
            None => context(&self.provider, keys)?,
        };
        let opened = received.open(
            &self.provider,
            &mut *self.counters,
            Some((&mut context, title)),
            self.keys.protection,
        );
        let is_proved = is_known || opened.is_ok();
        let shown = opened.map_err(refused).and_then(|opened| print(&opened, peer.clone(), json));
        if is_proved {
            self.contexts.insert(title, context);
        }
        shown
    }
}

fn context(provider: &Provider, keys: &Keys) -> Result<SecurityContext<Provider>> {
    let authentication = keys.authentication.clone();
    // Nothing is sent under these keys.
    SecurityContext::new(
        provider,
        keys.suite,
        keys.client_title,
        &keys.encryption,
        authentication,
        counters::received(keys.encryption.octets()?)?,
        u32::MAX,
    )
    .map_err(|error| Failure::usage(error.to_string()))
}

fn refusal(error: &NotificationError) -> Failure {
    match error {
        NotificationError::Malformed(error)
        | NotificationError::Protection(ProtectionError::Malformed(error)) => {
            Failure::new(Exit::Malformed, "xdlms", "malformed", error.to_string()).at(error.offset)
        }
        NotificationError::Unexpected { .. } => {
            Failure::new(Exit::Malformed, "xdlms", "unexpected", error.to_string())
                .hint("give --ek and --ak for ciphered notifications")
        }
        error => Failure::new(Exit::Security, "security", "refused", error.to_string())
            .hint("check the keys and --security"),
    }
}

fn print(opened: &Opened<'_>, peer: Option<String>, json: bool) -> Result<()> {
    let security = match (
        opened.protection.contains(Protection::AUTHENTICATED),
        opened.protection.contains(Protection::ENCRYPTED),
    ) {
        (true, true) => "auth-enc",
        (true, false) => "auth",
        (false, true) => "enc",
        (false, false) => "none",
    };
    let system_title = opened.sender.map(|title| hex::text(title.octets()));
    let (date_time, data) = match &opened.notification {
        Notification::Data(notification) => (notification.date_time, notification.body.to_owned()),
        Notification::Event(notification) => (notification.time, notification.value.to_owned()),
    };
    let mut item = Item {
        peer,
        system_title,
        security,
        apdu: "data-notification",
        long_invoke_id_and_priority: None,
        date_time: date_time.map(|time| hex::text(&time.0)),
        class_id: None,
        instance_id: None,
        attribute_id: None,
        data: &data,
    };
    match &opened.notification {
        Notification::Data(notification) => {
            item.long_invoke_id_and_priority = Some(format!("{:08x}", notification.long_invoke_id.0));
        }
        Notification::Event(notification) => {
            item.apdu = "event-notification-request";
            item.class_id = Some(notification.attribute.class_id);
            item.instance_id = Some(hex::text(notification.attribute.instance_id.octets()));
            item.attribute_id = Some(notification.attribute.attribute_id);
        }
    }
    if json {
        return output::json(&item);
    }
    let time = date_time.map(|time| time_text(time, false));
    let from = item.system_title.as_deref().or(item.peer.as_deref()).unwrap_or("somebody");
    let mut node = Node::new(format!(
        "{}  {}  {}",
        output::heading().apply_to(item.apdu),
        from,
        output::dim().apply_to(time.unwrap_or_default())
    ));
    if let Notification::Event(notification) = &opened.notification {
        node.push(Node::new(notification.attribute.to_string()));
    }
    node.push(Node::of_data(data.as_data()));
    Ok(output::text(&node.text())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_octet_tells_the_framing() {
        assert_eq!(chosen(ListenFraming::Auto, Some(0x7E)), Some(ListenerFraming::Hdlc));
        assert_eq!(chosen(ListenFraming::Auto, Some(0x00)), Some(ListenerFraming::Wrapper));
        assert_eq!(chosen(ListenFraming::Auto, Some(0x0F)), Some(ListenerFraming::Raw));
        assert_eq!(chosen(ListenFraming::Apdu, Some(0x7E)), Some(ListenerFraming::Raw));
        assert_eq!(chosen(ListenFraming::Auto, None), None);
    }
}
