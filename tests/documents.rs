// SPDX-License-Identifier: MPL-2.0

//! The documents for developers name files that are there.

use std::fs;
use std::path::Path;

#[test]
fn files_that_documents_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["docs/architecture.md", "CONTRIBUTING.md", "CHANGELOG.md", "fuzz/README.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let spans = text.split('`').skip(1).step_by(2);
        let paths =
            spans.filter(|span| span.contains('/') && [".rs", ".sh", ".md"].iter().any(|end| span.ends_with(end)));
        for path in paths.filter(|path| !path.contains(['*', ' '])) {
            assert!(root.join(path).exists(), "{document} names {path}");
        }
        let links = text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
        for link in links.filter(|link| !link.contains("://")) {
            assert!(root.join(document).with_file_name(link).exists(), "{document} links to {link}");
        }
    }
}
