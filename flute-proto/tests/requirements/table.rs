// SPDX-License-Identifier: MPL-2.0

//! `REQUIREMENTS.md` names tests and code that there are.

use std::collections::BTreeSet;
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

/// The sources in a folder of the workspace.
fn sources(folder: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// Whether a source declares an item, a field or a variant of this name.
fn declares(source: &str, name: &str) -> bool {
    let is_end = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    source.lines().map(str::trim_start).any(|line| {
        let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub(super) ")).unwrap_or(line);
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let item = line.strip_prefix("const fn ").or_else(|| {
            let (keyword, rest) = line.split_once(' ')?;
            ["const", "enum", "fn", "mod", "static", "struct", "trait", "type"].contains(&keyword).then_some(rest)
        });
        let member = || line.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', ',', '(', ' ']));
        item.and_then(|item| item.strip_prefix(name)).is_some_and(is_end) || member()
    })
}

#[test]
fn every_name_of_the_table_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for folder in ["src", "../flute-fec/src", "../flute-net/src", "../src"] {
        sources(&root.join(folder), &mut all);
    }
    let rows = include_str!("../../REQUIREMENTS.md").lines().filter(|line| line.starts_with("| "));
    // The columns are: clause, who, requirement, where, test.
    let places = rows.filter_map(|row| row.split('|').nth(4));
    let spans = places.flat_map(|place| place.split('`').skip(1).step_by(2));
    let is_code = |span: &&str| span.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_' || sign == ':');
    let names: BTreeSet<&str> = spans.filter(is_code).collect();
    assert!(names.len() > 40, "{} names", names.len());
    for name in names {
        let parts: Vec<&str> = name.split("::").filter(|&part| part != "flute_fec").collect();
        for part in &parts {
            assert!(all.iter().any(|source| declares(source, part)), "{name}: no source declares {part}");
        }
        // A method may be in another file than its type.
        let (member, path) = parts.split_last().unwrap();
        let is_of_type = |source: &&String| declares(source, member) && path.iter().all(|part| source.contains(part));
        assert!(all.iter().any(|source| is_of_type(&source)), "no source declares {name}");
    }
}
