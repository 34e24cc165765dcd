// SPDX-License-Identifier: MPL-2.0

//! `REQUIREMENTS.md` names tests that there are.

use std::fs;
use std::path::{Path, PathBuf};

/// The file that has a module of this crate, or of `flute-fec` beside it, or of the integration tests.
fn file_of(module: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut path, module) = match module {
        ["requirements" | "captured_packets" | "fdt_documents", ..] => (root.join("tests"), module),
        ["flute_fec", module @ ..] => (root.join("../flute-fec/src"), module),
        _ => (root.join("src"), module),
    };
    path.extend(module);
    let file = path.with_extension("rs");
    if file.exists() {
        return file;
    }
    // `mod tests` of a file, or a folder.
    match (path.parent(), path.join("mod.rs")) {
        (_, folder) if folder.exists() => folder,
        (Some(parent), _) if parent.with_extension("rs").exists() => parent.with_extension("rs"),
        (Some(parent), _) => parent.join("mod.rs"),
        (None, folder) => folder,
    }
}

#[test]
fn every_test_of_the_table_exists() {
    let table = include_str!("../../REQUIREMENTS.md");
    let is_test = |name: &str| {
        ["requirements::", "captured_packets::", "fdt_documents::"].iter().any(|root| name.starts_with(root))
            || name.contains("::tests::")
    };
    let names: Vec<&str> =
        table.split('`').skip(1).step_by(2).filter(|name| is_test(name) && !name.contains('…')).collect();
    assert!(names.len() > 100, "{} names", names.len());
    for name in names {
        let path: Vec<&str> = name.split("::").collect();
        let (function, module) = path.split_last().unwrap();
        let file = file_of(module);
        let source = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {}: {error}", file.display()));
        assert!(source.contains(&format!("fn {function}(")), "{name} is not in {}", file.display());
    }
}
