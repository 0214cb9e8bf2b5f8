//! `dlms serve`: a simulated meter.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use dlms_meters::{Credentials, MeterModel, Options};

use crate::args::{Model, ServeArgs};
use crate::connection::library;
use crate::failure::{Failure, Result};
use crate::key_files;
use crate::output::{self, table::Sheet};
use crate::parse::address::Address;
use crate::simulated::{self, Meter};

/// How fast a meter's time may pass.
const FASTEST: f64 = 1e6;

pub(crate) async fn run(args: &ServeArgs, json: bool) -> Result<()> {
    let model = match args.model {
        Model::Lab => MeterModel::Lab,
        Model::Pmm1220 => MeterModel::Pmm1220,
        Model::Magno22 => return Err(Failure::usage("the magno22 is not built yet")),
    };
    if !(args.speed > 0.0 && args.speed <= FASTEST) {
        return Err(Failure::usage(format!("--speed is above 0 and not above {FASTEST}")));
    }
    if args.show_credentials {
        return show(&model.credentials().map_err(|error| Failure::bug(error.to_string()))?, json);
    }
    let address: Address =
        args.listen.parse().map_err(|error| Failure::usage(format!("--listen: {error}")))?;
    let options = Options {
        unix_milliseconds: unix_milliseconds(),
        speed: args.speed,
        seed: args.seed,
        state: args.state.clone(),
    };
    let provider = dlms_tokio::provider_on(library(args.crypto.as_deref())?)?;
    let authorities =
        args.authority.iter().map(|path| key_files::authority(path)).collect::<Result<Vec<_>>>()?;
    let meter = Meter::new(model, options, provider, &authorities, args.events)?;
    let meter = Arc::new(Mutex::new(meter));
    let server = simulated::bind(&meter, &address, args.framing).await?;
    output::line(&format!("LISTENING {}", server.local_addr()?))?;
    let ended = tokio::select! {
        ended = server.run() => ended.map_err(Failure::from),
        () = simulated::live(&meter) => Ok(()),
        () = asked_to_end() => Ok(()),
    };
    simulated::locked(&meter).save()?;
    ended
}

pub(crate) fn unix_milliseconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Waits for an interrupt or, where there is one, the signal to terminate.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// The keys of a simulated meter are test material: they are there to be shown.
fn show(credentials: &[Credentials], json: bool) -> Result<()> {
    if json {
        return output::json(credentials);
    }
    let head = [
        "association",
        "client",
        "auth",
        "suite",
        "security",
        "password",
        "ek",
        "ak",
        "client title",
        "counter",
    ];
    let mut sheet = Sheet::new(head, vec![false, true]);
    for one in credentials {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        sheet.row([
            one.name.clone(),
            one.client.to_string(),
            one.auth.to_owned(),
            one.suite.map(|suite| suite.to_string()).unwrap_or_default(),
            one.security.to_owned(),
            text(&one.password_hex),
            text(&one.ek),
            text(&one.ak),
            text(&one.client_title),
            text(&one.counter_object),
        ]);
    }
    Ok(output::text(&sheet.text())?)
}
