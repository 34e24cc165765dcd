// SPDX-License-Identifier: MPL-2.0

//! Rules of single packets.

use super::{Clause, Cut, Findings, Session};
use crate::alc::{Packet, Payload};
use crate::lct::Toi;
use crate::oti::{FecEncodingId, Oti};
use crate::profile::{Feature, Profile};

pub(super) const ALC: &str = "RFC 5775 §4.1";
const VERSION: Clause = Clause::new("RFC 6726 §3.4.1", "RFC 3926 §3.4.1");
const FDT_HEADER: Clause = Clause::new("RFC 6726 §3.3", "RFC 3926 §3.4");
const CENC: Clause = Clause::new("RFC 6726 §3.4.3", "RFC 3926 §3.4.3");
const OTI: Clause = Clause::new("RFC 6726 §5", "RFC 3926 §5");
const BLOCKS: Clause = Clause::of_both("RFC 5052 §9.1");
const SYMBOLS: Clause = Clause::of_both("RFC 5052 §6.2");
/// The header of MBMS, and what it may carry.
const MBMS_HEADER: &str = "TS 26.346 7.2.7";
const MBMS_EXTENSIONS: &str = "TS 26.346 7.2.8";

/// Looks at a packet.
pub(super) fn check(packet: &Packet<'_>, session: &Session, findings: &mut Findings<'_>) {
    check_header(packet, findings);
    let Some(toi) = packet.header.toi else { return };
    match toi {
        Toi::FDT => check_fdt_packet(packet, findings),
        toi => check_object_packet(toi, packet, session, findings),
    }
    if let Err(forbidden) = findings.profile.check_fec(packet.encoding_id()) {
        let what = format!("FEC Encoding ID {} is not allowed", packet.encoding_id());
        findings.note_at(forbidden.clause, what, || of_toi(toi));
    }
}

fn check_header(packet: &Packet<'_>, findings: &mut Findings<'_>) {
    let header = &packet.header;
    let rules = findings.profile.rules();
    if let Some((width, clause)) = rules.tsi_width {
        if header.widths.tsi != width {
            let what = format!("a TSI of {} bits, not of {width}", header.widths.tsi);
            findings.note_at(clause, what, || of_packet(packet));
        }
        if header.widths.cci != 32 || header.congestion_control != 0 {
            let what = "Congestion Control Information that is not 32 bits of 0";
            findings.note_at(MBMS_HEADER, what, || of_packet(packet));
        }
        if header.sender_current_time.is_some() || header.expected_residual_time.is_some() {
            findings.note_at(MBMS_HEADER, "the flag T or R is set", || of_packet(packet));
        }
    }
    if packet.time.is_some()
        && let Err(forbidden) = findings.profile.check(Feature::SenderCurrentTime)
    {
        findings.note_at(forbidden.clause, "EXT_TIME is not allowed", || of_packet(packet));
    }
}

fn check_fdt_packet(packet: &Packet<'_>, findings: &mut Findings<'_>) {
    let Some(fdt) = packet.fdt else {
        if packet.payload.is_some() {
            findings.note(FDT_HEADER, "a packet of an FDT Instance without EXT_FDT", || of_packet(packet));
        }
        return;
    };
    let version = findings.profile.rules().flute_version;
    if fdt.flute_version != version {
        let what = format!("EXT_FDT has version {} of FLUTE, not {version}", fdt.flute_version);
        findings.note(VERSION, what, || format!("FDT Instance {}", fdt.instance_id));
    }
    match (packet.oti(), is_mbms(findings.profile)) {
        (Some(Err(error)), _) => {
            findings.note(OTI, format!("EXT_FTI is wrong: {error}"), || format!("FDT Instance {}", fdt.instance_id));
        }
        // RFC 6726 §5 wants it in the session, and MBMS in every packet.
        (None, true) => {
            let what = "a packet of an FDT Instance without EXT_FTI";
            findings.note_at(MBMS_EXTENSIONS, what, || format!("FDT Instance {}", fdt.instance_id));
        }
        (Some(Ok(oti)), _) => {
            check_payload(packet, Cut::of(&oti).as_ref(), || format!("FDT Instance {}", fdt.instance_id), findings)
        }
        (None, false) => {}
    }
    match packet.content_encoding {
        Some(0) => {
            let what = "EXT_CENC on an FDT Instance that is not encoded";
            findings.note(CENC, what, || format!("FDT Instance {}", fdt.instance_id));
        }
        Some(_) => {
            if let Err(forbidden) = findings.profile.check(Feature::FdtContentEncoding) {
                let what = "an FDT Instance with a content encoding";
                findings.note_at(forbidden.clause, what, || format!("FDT Instance {}", fdt.instance_id));
            }
        }
        None => {}
    }
}

fn check_object_packet(toi: Toi, packet: &Packet<'_>, session: &Session, findings: &mut Findings<'_>) {
    if packet.fdt.is_some() {
        findings.note(VERSION, "EXT_FDT on a packet that is not of TOI 0", || of_toi(toi));
    }
    if packet.content_encoding.is_some() {
        findings.note(CENC, "EXT_CENC on a packet without EXT_FDT", || of_toi(toi));
    }
    if packet.fti.is_some()
        && let Err(forbidden) = findings.profile.check(Feature::FtiOnObjects)
    {
        findings.note_at(forbidden.clause, "EXT_FTI on a packet of an object", || of_toi(toi));
    }
    let described = session.described.get(&toi);
    if let Some(id) = described.and_then(|described| described.file.oti.encoding_id)
        && id != packet.encoding_id()
    {
        let what = format!("Codepoint {} where the FDT says FEC Encoding ID {id}", packet.encoding_id());
        findings.note(OTI, what, || of_toi(toi));
    }
    let from_fdt = described.and_then(|described| described.cut.as_ref());
    match packet.oti() {
        Some(Err(error)) => findings.note(OTI, format!("EXT_FTI is wrong: {error}"), || of_toi(toi)),
        Some(Ok(oti)) => {
            if from_fdt.is_some_and(|cut| differ(&cut.oti, &oti)) {
                findings.note(OTI, "EXT_FTI and the FDT say different things", || of_toi(toi));
            }
            check_payload(packet, Cut::of(&oti).as_ref(), || of_toi(toi), findings);
        }
        None => check_payload(packet, from_fdt, || of_toi(toi), findings),
    }
}

/// Whether the two describe different objects. EXT_FTI of RFC 5510 §4.2.2 rounds nothing, and all that it says the FDT
/// can say.
fn differ(from_fdt: &Oti, from_packet: &Oti) -> bool {
    from_fdt.encoding_id != from_packet.encoding_id || from_fdt.parameters != from_packet.parameters
}

fn check_payload(packet: &Packet<'_>, cut: Option<&Cut>, case: impl Fn() -> String, findings: &mut Findings<'_>) {
    let (Some(payload), Some(cut)) = (packet.payload, cut) else { return };
    // An empty object has no source block, and a packet only to be closed by.
    if cut.oti.encoding_id != packet.encoding_id() || payload.symbols.is_empty() {
        return;
    }
    let Some(id) = cut.format.decode(payload.id) else { return };
    let size = cut.oti.parameters.symbol_size;
    let count = payload.symbols(size).len() as u64;
    let Some(block) = cut.codec.block(id.source_block) else {
        let what = "a source block number beyond the object";
        return findings.note(BLOCKS, what, || format!("{}, source block {}", case(), id.source_block));
    };
    let place = || format!("{}, source block {}, encoding symbol {}", case(), id.source_block, id.esi);
    let end = u64::from(id.esi) + count;
    if cut.oti.encoding_id == FecEncodingId::NO_CODE && end > u64::from(block.symbols) {
        findings.note(BLOCKS, "an encoding symbol beyond the source block", place);
    } else if !is_whole(payload, &cut.oti, end >= u64::from(block.symbols)) {
        findings.note(SYMBOLS, format!("a payload that is no whole number of symbols of {size} bytes"), place);
    }
}

/// Whether the payload is whole symbols. The last source symbol of an object may be short.
fn is_whole(payload: Payload<'_>, oti: &Oti, has_last: bool) -> bool {
    let size = usize::from(oti.parameters.symbol_size);
    let rest = payload.symbols.len() % size;
    let short = (oti.parameters.transfer_length % size as u64) as usize;
    rest == 0 || has_last && rest == short
}

/// Whether the profile is one of MBMS, or stands on it.
pub(super) fn is_mbms(profile: Profile) -> bool {
    profile.rules().tsi_width.is_some()
}

fn of_packet(packet: &Packet<'_>) -> String {
    packet.header.toi.map_or_else(|| "a packet without a TOI".to_owned(), of_toi)
}

fn of_toi(toi: Toi) -> String {
    format!("TOI {toi}")
}
