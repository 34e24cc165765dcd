// SPDX-License-Identifier: MPL-2.0

//! Any bytes as an FDT Instance: what is read can be written again in some profile, and reads the same then.

use flute_proto::fdt::{FdtInstance, ReadLimits};
use flute_proto::profile::Profile;

/// Tries an input.
pub fn run(document: &[u8]) {
    let limits = ReadLimits::default();
    let Ok(parsed) = FdtInstance::from_xml(document, &limits) else { return };
    if let Ok(xml) = parsed.instance.to_xml(Profile::Mbms) {
        let again = FdtInstance::from_xml(xml.as_bytes(), &limits).unwrap();
        assert_eq!(again.instance.files.len(), parsed.instance.files.len());
        assert!(again.rejected.is_empty());
    }
}
