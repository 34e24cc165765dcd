// SPDX-License-Identifier: MPL-2.0

//! What packages install beside the program: completions for shells, and pages for `man`.

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;

use crate::{Arguments, Outcome};

#[derive(Debug, Subcommand)]
pub(crate) enum GenerateCommand {
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write pages for man into a folder
    Man {
        /// The folder, which is made if it is not there
        folder: PathBuf,
    },
}

impl GenerateCommand {
    pub(crate) fn run(&self) -> anyhow::Result<Outcome> {
        let mut command = Arguments::command();
        match self {
            Self::Completions { shell } => {
                clap_complete::generate(*shell, &mut command, "flute", &mut io::stdout());
            }
            Self::Man { folder } => {
                let cannot = || format!("writing pages into {}", folder.display());
                std::fs::create_dir_all(folder).with_context(cannot)?;
                clap_mangen::generate_to(command, folder).with_context(cannot)?;
            }
        }
        Ok(Outcome::Complete)
    }
}
