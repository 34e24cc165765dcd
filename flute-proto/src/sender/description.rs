// SPDX-License-Identifier: MPL-2.0

//! What FDT Instances say of an object, and how it is put into packets: before it is read, and after.

use super::config::SenderConfig;
use super::fec_config::FecConfig;
use super::object::{Object, ObjectError};
use super::outline::Outline;
use super::packetizer::{Envelope, Packetizer};
use crate::content::ContentEncoding;
use crate::fdt::File;
use crate::lct::{FieldWidths, Toi, Tsi};
use crate::oti::OtiError;
use crate::profile::{Feature, Profile, TransferLength};

/// Describes the objects of a session.
#[derive(Debug)]
pub(super) struct ObjectDescriber {
    profile: Profile,
    tsi: Tsi,
    widths: FieldWidths,
    fti_on_objects: bool,
}

impl ObjectDescriber {
    pub(super) fn new(config: &SenderConfig, widths: FieldWidths) -> Self {
        Self { profile: config.profile, tsi: config.tsi, widths, fti_on_objects: config.fti_on_objects }
    }

    /// What is known of an object before it is read, with the FEC and content encoding of the session where it has none of
    /// its own. Everything that may be wrong with its description is found here.
    pub(super) fn outline(
        &self,
        object: &mut Object,
        toi: Toi,
        fec: FecConfig,
        encoding: ContentEncoding,
    ) -> Result<Outline, ObjectError> {
        let fec = object.fec.unwrap_or(fec);
        let encoding = object.content_encoding.unwrap_or(encoding);
        self.profile.check_fec(fec.scheme.encoding_id())?;
        self.profile.check(Feature::ContentEncoding(encoding))?;
        let outline = Outline::take(object, toi, fec, encoding);
        self.profile.check_file(&outline.file)?;
        outline.file.render(self.profile, &mut String::new())?;
        Ok(outline)
    }

    /// How an object of this transfer length is put into packets, and what FDT Instances say of it.
    pub(super) fn describe(
        &self,
        mut file: File,
        fec: &FecConfig,
        transfer_length: u64,
        md5: Option<[u8; 16]>,
    ) -> Result<(Packetizer, String), OtiError> {
        let oti = fec.oti(transfer_length, self.profile)?;
        file.oti = oti.attributes()?;
        file.content_md5 = md5;
        let is_encoded = file.content_encoding.is_some();
        if is_encoded && self.profile.rules().transfer_length == TransferLength::WhenEncoded {
            file.transfer_length = Some(transfer_length);
        }
        let envelope =
            Envelope { tsi: self.tsi, toi: file.toi, widths: self.widths, extensions: &[], fti: self.fti_on_objects };
        let packetizer = Packetizer::new(oti, *fec, &envelope)?;
        let mut xml = String::new();
        file.render(self.profile, &mut xml).expect("numbers were added to what was rendered before");
        Ok((packetizer, xml))
    }
}
