//! The `dlms` command: reads, operates, simulates and explains DLMS/COSEM meters.

mod args;
mod classes;
mod commands;
mod connection;
mod counters;
mod failure;
mod key_files;
mod listening;
mod meter_keys;
mod output;
mod parse;
mod places;
mod profile;
mod session;
mod simulated;
mod target;
mod trace;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use failure::{Exit, Failure};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("dlms: a bug of ours: {panic}");
        std::process::exit(Exit::Bug as i32);
    }));
    output::choose_colours();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let outcome = match runtime(&cli.command) {
        Ok(runtime) => runtime.block_on(run(&cli)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(cli.json),
    }
}

/// A meter serves its clients on all cores. A client waits for one answer after the other: threads would only hand each
/// to another.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Serve(_) | Command::Demo(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

async fn run(cli: &Cli) -> failure::Result<()> {
    match &cli.command {
        Command::Decode(args) => commands::decode::run(args, cli.json),
        Command::Read(args) => commands::read::run(args, cli.json).await,
        Command::Objects(args) => commands::objects::run(args, cli.json).await,
        Command::Profile(args) => commands::profile::run(args, cli.json).await,
        Command::Set(args) => commands::set::run(args, cli.json).await,
        Command::Invoke(args) => commands::invoke::run(args, cli.json).await,
        Command::Image(args) => commands::image::run(args, cli.json).await,
        Command::Listen(args) => commands::listen::run(args, cli.json).await,
        Command::Serve(args) => commands::serve::run(args, cli.json).await,
        Command::Keys(args) => commands::keys::run(args, cli.json).await,
        Command::Pki(args) => commands::pki::run(args, cli.json),
        Command::Demo(args) => commands::demo::run(args, cli.json).await,
    }
}

/// Help and version go to standard output and are no errors.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args().any(|argument| argument == "--json") {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return Failure::usage(message).report(true);
    }
    let _ = error.print();
    ExitCode::from(Exit::Usage as u8)
}
