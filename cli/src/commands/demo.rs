//! `dlms demo`: the tour. A simulated meter and a client in one process, over a socket of the loopback address.

use std::sync::{Arc, Mutex};

use cosem_objects::AttributeReference;
use cosem_objects::classes::{ControlState, DisconnectControl};
use dlms_axdr::{FromData as _, OwnedData};
use dlms_meters::{Credentials, MeterModel, Options};
use dlms_obis::LogicalName;
use serde::Serialize;

use super::profile::clock;
use super::{objects, profile, read};
use crate::args::{DemoArgs, Framing};
use crate::classes;
use crate::connection::ConnectionOptions;
use crate::failure::{Failure, Result};
use crate::output::{self, table::Sheet};
use crate::parse::address::Address;
use crate::parse::hex;
use crate::parse::time::{End, Moment};
use crate::profile::{Profile, Rows, Selection, time_text};
use crate::session::{Session, refused};
use crate::simulated::{self, Meter};

/// The values that the tour stops at: energies, then what is there at the moment.
const REGISTERS: [LogicalName; 7] = [
    LogicalName::new(1, 0, 1, 8, 0, 255),
    LogicalName::new(1, 0, 2, 8, 0, 255),
    LogicalName::new(1, 0, 3, 8, 0, 255),
    LogicalName::new(1, 0, 4, 8, 0, 255),
    LogicalName::new(1, 0, 32, 7, 0, 255),
    LogicalName::new(1, 0, 31, 7, 0, 255),
    LogicalName::new(1, 0, 1, 7, 0, 255),
];
/// The association for the management of the meter: HLS-GMAC, authenticated and encrypted.
const ASSOCIATION: &str = "mgt";
const LOAD_PROFILE: LogicalName = LogicalName::new(1, 0, 99, 1, 0, 255);
const RELAY: LogicalName = LogicalName::new(0, 0, 96, 3, 10, 255);
/// Rows of the profile that are shown as a table; the plot shows all.
const ROWS: usize = 12;

/// What the tour came to, for programs.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Toured {
    meter: &'static str,
    association: String,
    objects: usize,
    clock: String,
    registers: Vec<Measured>,
    profile_rows: usize,
    /// The state of the relay: at first, and after each of its methods.
    relay: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Measured {
    instance_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<serde_json::Number>,
    unit: &'static str,
}

pub(crate) async fn run(args: &DemoArgs, json: bool) -> Result<()> {
    if json {
        output::step_aside();
    }
    step("A PMM1220 meter starts in this process")?;
    let options = Options {
        unix_milliseconds: super::serve::unix_milliseconds(),
        speed: 1.0,
        seed: args.seed,
        state: None,
    };
    let meter =
        Arc::new(Mutex::new(Meter::new(MeterModel::Pmm1220, options, dlms_tokio::provider(), &[], false)?));
    let server = simulated::bind(&meter, &Address::Tcp("127.0.0.1:0".to_owned()), Framing::Wrapper).await?;
    let address = server.local_addr()?;
    output::line(&format!("it listens on {address}, with the TCP wrapper"))?;
    let credentials = simulated::locked(&meter).credentials()?;
    let serving = tokio::spawn(server.run());
    let toured = tokio::select! {
        toured = tour(address, &credentials, args.trace) => toured,
        () = simulated::live(&meter) => Err(Failure::bug("the meter's time ended")),
    };
    serving.abort();
    let toured = toured?;
    if json { output::json(&toured) } else { Ok(()) }
}

async fn tour(address: std::net::SocketAddr, credentials: &[Credentials], trace: bool) -> Result<Toured> {
    let chosen = credentials
        .iter()
        .find(|one| one.name == ASSOCIATION)
        .ok_or_else(|| Failure::bug("the meter has no association for its management"))?;
    step("A client associates: HLS-GMAC, every message authenticated and encrypted")?;
    let target = ConnectionOptions::of_simulated(address, chosen, trace)?;
    let mut session = Session::open(&target).await?;
    if let Some(agreement) = session.client().agreement() {
        let title = agreement.server_title.map(|title| title.to_string()).unwrap_or_default();
        output::line(&format!(
            "as {:?}, client address {}; the meter {title} has proved who it is and takes APDUs of {} octets",
            chosen.name, chosen.client, agreement.server_max_receive_pdu_size
        ))?;
    }
    let toured = stops(&mut session, &chosen.name).await;
    step("The client releases the association")?;
    session.release().await;
    let toured = toured?;
    step("Next")?;
    output::line("dlms serve --model pmm1220      the same meter, for other programs")?;
    output::line("dlms serve --model lab --show-credentials")?;
    output::line("dlms objects --connect tcp://127.0.0.1:4059")?;
    Ok(toured)
}

async fn stops(session: &mut Session, association: &str) -> Result<Toured> {
    step("Its objects")?;
    let objects = objects::list(session).await?;
    let mut sheet = Sheet::new(["object", "class", "is"], vec![]);
    for object in &objects {
        let words = object.logical_name.describe().map(|words| words.to_string()).unwrap_or_default();
        sheet.row([object.logical_name.to_string(), classes::name(object.class_id).to_owned(), words]);
    }
    output::text(&sheet.text())?;

    step("Its clock and its registers")?;
    let now = clock(session).await?;
    output::line(&format!("{:>20}  clock", output::value().apply_to(time_text(now, false))))?;
    let registers: Vec<_> = REGISTERS
        .iter()
        .filter_map(|name| {
            let object = objects.iter().find(|object| object.logical_name == *name)?;
            Some(AttributeReference { class_id: object.class_id, logical_name: *name, attribute_index: 2 })
        })
        .collect();
    let mut measured = Vec::new();
    for reading in read::readings(session, &registers).await? {
        let Some(scaled) = reading.scaled else { continue };
        let name = reading.attribute.logical_name;
        measured.push(Measured {
            instance_id: hex::text(name.octets()),
            value: read::number(&scaled),
            unit: scaled.unit().symbol(),
        });
        let words = name.describe().map(|words| words.to_string()).unwrap_or_default();
        let value = output::value().apply_to(format!("{:>20}", scaled.to_string()));
        output::line(&format!("{value}  {words} {}", output::dim().apply_to(name)))?;
    }

    step("The load profile of the last day")?;
    let load = Profile::read(session, LOAD_PROFILE).await?;
    let from = Moment::RelativeSeconds(-86_400).resolve(now, End::Begin).unwrap_or(now);
    let columns: Vec<_> = (0..load.columns.len()).collect();
    let mut rows = Rows { columns: load.columns.clone(), rows: Vec::new() };
    let keep = |row: &[OwnedData]| {
        rows.rows.push(row.to_vec());
        Ok(())
    };
    load.rows(session, Selection::Range(from, now), &columns, |_, _| {}, keep).await?;
    output::text(&profile::text(&rows, ROWS))?;

    step("Its relay")?;
    let mut relay = vec![show_relay(session).await?];
    for (method, words) in [
        (DisconnectControl::<()>::REMOTE_DISCONNECT, "remote_disconnect"),
        (DisconnectControl::<()>::REMOTE_RECONNECT, "remote_reconnect"),
    ] {
        let (result, _) = session.invoke(method.of(RELAY), &OwnedData::Integer(0)).await?;
        if result != cosem_objects::ActionResult::Success {
            return Err(refused(words, result));
        }
        output::line(&format!("{words} {}", output::good().apply_to("done")))?;
        relay.push(show_relay(session).await?);
    }
    Ok(Toured {
        meter: "PMM1220",
        association: association.to_owned(),
        objects: objects.len(),
        clock: time_text(now, true),
        registers: measured,
        profile_rows: rows.rows.len(),
        relay,
    })
}

/// Shows the relay, and gives its control_state.
async fn show_relay(session: &mut Session) -> Result<String> {
    let attributes =
        [DisconnectControl::<()>::OUTPUT_STATE.of(RELAY), DisconnectControl::<()>::CONTROL_STATE.of(RELAY)];
    let values = session.get_all(&attributes).await?;
    let data = |index: usize| values.get(index).and_then(|value| value.as_ref().ok()).map(OwnedData::as_data);
    let supply = match data(0).and_then(|data| bool::from_data(data).ok()) {
        Some(true) => output::good().apply_to("on"),
        Some(false) => output::bad().apply_to("off"),
        None => output::dim().apply_to("unknown"),
    };
    let state = data(1).and_then(|data| ControlState::from_data(data).ok());
    let state = state.map(|state| crate::session::slug(&format!("{state:?}"))).unwrap_or_default();
    let button = match state.as_str() {
        "ready-for-reconnection" => "; its control mode leaves the rest to the customer's button",
        _ => "",
    };
    output::line(&format!("supply {supply}, {state}{button}"))?;
    Ok(state)
}

fn step(title: &str) -> Result<()> {
    Ok(output::line(&format!("\n{} {}", output::dim().apply_to("──"), output::heading().apply_to(title)))?)
}
