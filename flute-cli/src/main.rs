// SPDX-License-Identifier: MPL-2.0

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod capture;
mod gateway;
mod generate;
mod inspect;
mod interrupt;
mod network;
mod quantity;
mod receive;
mod report;
mod send;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use gateway::GatewayArguments;
use generate::GenerateCommand;
use inspect::InspectArguments;
use interrupt::Interrupt;
use receive::ReceiveArguments;
use report::Report;
use send::SendArguments;

/// Sends and receives files by multicast: FLUTE, RFC 6726 and RFC 3926.
///
/// The exit status is 0 if everything was sent or has arrived, 1 if something was lost or left out, and 2 if the command
/// could not begin.
#[derive(Debug, Parser)]
#[command(name = "flute", version, max_term_width = 120)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print each event as a line of JSON on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but what is lost or wrong
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Say more on standard error; twice for everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send folders and files
    Send(Box<SendArguments>),
    /// Receive files into a folder
    Receive(Box<ReceiveArguments>),
    /// Serve what is multicast over HTTP, and show what the network is doing
    Gateway(Box<GatewayArguments>),
    /// Say what is on the wire, or in a capture
    Inspect(Box<InspectArguments>),
    #[command(flatten)]
    Generate(GenerateCommand),
}

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was sent, or has arrived.
    Complete,
    /// Something is missing, which has been told.
    Incomplete,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = match arguments.verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false).init();
    match run(&arguments) {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Incomplete) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("flute: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let report = Report::new(arguments.json, arguments.quiet);
    let interrupt = Interrupt::listen()?;
    match &arguments.command {
        Command::Send(arguments) => send::run(arguments, &report, &interrupt),
        Command::Receive(arguments) => receive::run(arguments, &report, &interrupt),
        Command::Inspect(arguments) => inspect::run(arguments, &report, &interrupt),
        Command::Gateway(arguments) => gateway::run(arguments, &report, &interrupt),
        Command::Generate(command) => command.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const DOCUMENTS: [&str; 3] =
        [include_str!("../README.md"), include_str!("../../README.md"), include_str!("../../docs/program.md")];

    #[test]
    fn the_arguments_go_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn commands_of_the_documents_are_understood() {
        let mut commands = 0;
        for line in DOCUMENTS.iter().flat_map(|document| document.lines()) {
            let Some(command) = line.trim().strip_prefix("flute ").map(|rest| format!("flute {rest}")) else {
                continue;
            };
            let command = command.split(['#', '|', '>']).next().unwrap_or_default();
            if let Err(error) = Arguments::try_parse_from(command.split_whitespace()) {
                panic!("{command}: {error}");
            }
            commands += 1;
        }
        assert!(commands > 10, "the documents have examples");
    }
}
