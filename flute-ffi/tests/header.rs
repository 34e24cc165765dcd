// SPDX-License-Identifier: MPL-2.0

//! The header that is in the repository is that of the sources.

use std::path::Path;

#[test]
fn the_header_is_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let mut header = Vec::new();
    cbindgen::Builder::new().with_crate(folder).with_config(config).generate().unwrap().write(&mut header);
    let path = folder.join("include/flute.h");
    if std::env::var_os("FLUTE_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &header).unwrap();
    }
    let committed = std::fs::read(&path).unwrap_or_default();
    assert!(committed == header, "make it anew: FLUTE_UPDATE_HEADER=1 cargo test -p flute-ffi header");
}
