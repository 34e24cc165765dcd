// SPDX-License-Identifier: MPL-2.0

//! The page for people: its own files, and those of the players that it plays with, where they are installed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use flute_http::{Response, response};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

const HTML: &str = include_str!("page/page.html");

/// The files that the page is made of, by their path below `/_flute/`.
const OWN_FILES: &[(&str, &str, &str)] = &[
    ("page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("page.js", JAVASCRIPT, include_str!("page/page.js")),
    ("player.js", JAVASCRIPT, include_str!("page/player.js")),
];

/// The files of dash.js and hls.js, by their path below `/_flute/`, and where npm puts them below the folder of the player.
const PLAYER_FILES: &[(&str, &str)] = &[
    ("player/dash.all.min.js", "node_modules/dashjs/dist/modern/umd/dash.all.min.js"),
    ("player/hls.min.js", "node_modules/hls.js/dist/hls.min.js"),
    ("player/hls.worker.js", "node_modules/hls.js/dist/hls.worker.js"),
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What the page may do: run and read what this server has, and play what a script has made of it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; worker-src 'self'; connect-src 'self'; \
                      media-src 'self' blob:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where the players are in relation to the folder of the program, without --player-directory.
const PLAYER_DIRECTORIES: [&str; 2] = ["player", "../share/flute/player"];

/// The page and its files.
#[derive(Debug)]
pub(super) struct Page {
    /// In the order of [`PLAYER_FILES`], or none.
    player: Vec<Bytes>,
}

impl Page {
    /// A page with the players of this folder, else with those that are installed beside the program, if there are any.
    pub(super) fn load(player_directory: Option<&Path>) -> anyhow::Result<Self> {
        let player = match (player_directory, installed_player()) {
            (Some(directory), _) => read_player(directory).with_context(|| {
                let directory = directory.display();
                format!(
                    "--player-directory {directory}: run npm ci --omit=dev --ignore-scripts in flute-cli/player first"
                )
            })?,
            (None, Some(directory)) => read_player(&directory)?,
            (None, None) => Vec::new(),
        };
        Ok(Self { player })
    }

    /// The page itself.
    pub(super) fn html(&self) -> Response {
        let mut response = response::text(StatusCode::OK, "text/html; charset=utf-8", HTML);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        response
    }

    /// The file of the page at this path below `/_flute/`.
    pub(super) fn file(&self, path: &str) -> Option<Response> {
        let own = OWN_FILES.iter().find(|(name, ..)| *name == path);
        if let Some((_, content_type, text)) = own {
            return Some(response::text(StatusCode::OK, content_type, *text));
        }
        let index = PLAYER_FILES.iter().position(|(name, _)| *name == path)?;
        Some(response::text(StatusCode::OK, JAVASCRIPT, self.player.get(index)?.clone()))
    }
}

/// The files of the players, which are as long as a megabyte altogether.
fn read_player(directory: &Path) -> anyhow::Result<Vec<Bytes>> {
    let read = |(_, path): &(&str, &str)| {
        let path = directory.join(path);
        let content = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Bytes::from(content))
    };
    PLAYER_FILES.iter().map(read).collect()
}

/// The folder in which players are installed for this program.
fn installed_player() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let beside = program.parent()?;
    let has_player = |directory: &PathBuf| PLAYER_FILES.iter().all(|(_, path)| directory.join(path).is_file());
    PLAYER_DIRECTORIES.iter().map(|directory| beside.join(directory)).find(has_player)
}
