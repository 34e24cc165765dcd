// SPDX-License-Identifier: MPL-2.0

//! The page in a browser: Chromium plays a live service with dash.js and hls.js, behind a network that loses packets.
//!
//! With `FLUTE_SCREENSHOTS` set the pictures in `docs/images` are made anew.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::live::{LOSS, LiveService};
use crate::tools::{has, skip};

/// Seconds for which each presentation is played.
const SECONDS: &str = "30";

/// Longer than the browser takes on a machine that has other things to do.
const TIMEOUT: &str = "400";

#[test]
fn a_browser_plays_what_is_repaired() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let player = crate_folder.join("player");
    if !has("node", &["--version"]) || !has("chromium", &["--version"]) {
        return;
    }
    if !player.join("node_modules/playwright-core").is_dir() {
        skip("npm ci --ignore-scripts was not run in flute-cli/player");
        return;
    }
    let Some(service) = LiveService::start(0, &["--player-directory", player.to_str().unwrap()]) else { return };
    // A live presentation of one segment leaves no player any time.
    service.wait_for_segments(6);
    let temporary = tempfile::tempdir().unwrap();
    let screenshots = match std::env::var_os("FLUTE_SCREENSHOTS") {
        Some(_) => crate_folder.join("../docs/images"),
        None => temporary.path().to_owned(),
    };
    let presentations = LiveService::presentations();
    let output = Command::new("timeout")
        .args([TIMEOUT, "node"])
        .arg(player.join("test/play.mjs"))
        .args([&service.url(), SECONDS])
        .arg(screenshots)
        .args(&presentations)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", output.status);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (result, presentation) in said["results"].as_array().unwrap().iter().zip(&presentations) {
        assert_eq!(
            (result["presentation"].as_str(), &result["stalls"]),
            (Some(&presentation[..]), &0.into()),
            "{said}"
        );
        assert!(result["played"].as_f64() >= SECONDS.parse().ok(), "{said}");
    }
    let shown = said["figures"]["Loss before repair"].as_str().and_then(|text| text.strip_suffix(" %"));
    let loss = shown.and_then(|percent| percent.parse::<f64>().ok()).unwrap_or_else(|| panic!("{said}")) / 100.0;
    assert!((loss - LOSS).abs() < 0.01, "{said}");
    assert_eq!((&said["fits"], &said["errors"]), (&true.into(), &Value::Array(Vec::new())), "{said}");
}
