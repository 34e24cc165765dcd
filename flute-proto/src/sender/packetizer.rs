// SPDX-License-Identifier: MPL-2.0

//! How one object is cut, protected and put into packets: what all its transfers have in common.

use std::fmt;
use std::sync::Arc;

use flute_fec::{BlockEncoder, ObjectCodec, ParameterError, SourceBlock};

use super::fec_config::FecConfig;
use crate::alc::{Flags, Template};
use crate::lct::{Extension, FieldWidths, Header, Toi, Tsi};
use crate::oti::{Oti, OtiError, PayloadId};

/// What goes around the symbols of an object.
pub(super) struct Envelope<'a> {
    pub(super) tsi: Tsi,
    pub(super) toi: Toi,
    pub(super) widths: FieldWidths,
    /// Header extensions besides EXT_FTI.
    pub(super) extensions: &'a [Extension<'a>],
    /// Whether there is an EXT_FTI.
    pub(super) fti: bool,
}

/// How one object is cut, protected and put into packets.
pub(super) struct Packetizer {
    oti: Oti,
    codec: ObjectCodec,
    fec: FecConfig,
    template: Template,
    max_esi: u32,
    has_source_block_length: bool,
    /// For larger and for smaller blocks; none for an empty object.
    shapes: Vec<Shape>,
    packets: u64,
    bytes: u64,
}

/// Blocks of one length.
struct Shape {
    source_symbols: u32,
    repair_symbols: u32,
    encoder: Arc<dyn BlockEncoder>,
}

impl Packetizer {
    pub(super) fn new(oti: Oti, fec: FecConfig, envelope: &Envelope<'_>) -> Result<Self, OtiError> {
        let format = oti.payload_id_format()?;
        let codec = oti.codec()?;
        let template = template(&oti, envelope)?;
        let mut packetizer = Self {
            codec,
            fec,
            template,
            max_esi: format.max_esi(),
            has_source_block_length: format.has_source_block_length(),
            shapes: Vec::new(),
            packets: 0,
            bytes: 0,
            oti,
        };
        packetizer.lay_out()?;
        Ok(packetizer)
    }

    /// Makes the shapes, and counts the packets of a transfer.
    fn lay_out(&mut self) -> Result<(), ParameterError> {
        let blocks = self.codec.block_count();
        let (Some(first), Some(last)) = (self.codec.block(0), self.codec.block(blocks.saturating_sub(1))) else {
            // An empty object is one packet without a symbol.
            (self.packets, self.bytes) = (1, self.template.overhead() as u64);
            return Ok(());
        };
        self.add_shape(&first)?;
        if last.symbols != first.symbols {
            self.add_shape(&last)?;
        }

        let transfer_length = self.oti.parameters.transfer_length;
        let symbols = transfer_length.div_ceil(self.symbol_size() as u64);
        let larger = symbols - u64::from(last.symbols) * u64::from(blocks);
        let larger = if larger == 0 { u64::from(blocks) } else { larger };
        let mut repair_bytes = 0;
        for (shape, count) in self.shapes.iter().zip([larger, u64::from(blocks) - larger]) {
            let packets = self.packets_of(shape.source_symbols) + self.packets_of(shape.repair_symbols);
            self.packets += count * u64::from(packets);
            repair_bytes += count * u64::from(shape.repair_symbols) * self.symbol_size() as u64;
        }
        self.bytes = transfer_length + repair_bytes + self.packets * self.template.overhead() as u64;
        Ok(())
    }

    fn add_shape(&mut self, block: &SourceBlock) -> Result<(), ParameterError> {
        let wanted = self.fec.repair_symbols(block.symbols).min(self.max_esi - (block.symbols - 1));
        let encoder = self.codec.encoder(block, wanted)?;
        let repair_symbols = wanted.min(encoder.max_repair_symbols());
        self.shapes.push(Shape { source_symbols: block.symbols, repair_symbols, encoder });
        Ok(())
    }

    fn shape(&self, block: &SourceBlock) -> Option<&Shape> {
        self.shapes.iter().find(|shape| shape.source_symbols == block.symbols)
    }

    /// FEC Object Transmission Information.
    pub(super) fn oti(&self) -> &Oti {
        &self.oti
    }

    pub(super) fn codec(&self) -> &ObjectCodec {
        &self.codec
    }

    pub(super) fn symbol_size(&self) -> usize {
        self.oti.parameters.symbol_size.into()
    }

    /// Symbols of one packet, at most.
    pub(super) fn symbols_per_packet(&self) -> u32 {
        self.oti.symbols_per_packet.into()
    }

    /// How many packets these symbols of one block take.
    pub(super) fn packets_of(&self, symbols: u32) -> u32 {
        symbols.div_ceil(self.symbols_per_packet())
    }

    /// Number of repair symbols of a block, and the encoder that makes them.
    pub(super) fn repair(&self, block: &SourceBlock) -> (u32, Option<&Arc<dyn BlockEncoder>>) {
        self.shape(block).map_or((0, None), |shape| (shape.repair_symbols, Some(&shape.encoder)))
    }

    /// Repair symbols per source symbol, apart from the floor that short objects have.
    pub(super) fn redundancy(&self) -> f64 {
        match self.shapes.first() {
            Some(shape) if shape.repair_symbols > 0 => {
                let made = f64::from(shape.repair_symbols) / f64::from(shape.source_symbols);
                self.fec.redundancy(shape.source_symbols).min(made)
            }
            _ => 0.0,
        }
    }

    /// Packets of one transfer.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes of all packets of one transfer, headers and repair symbols included.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of a packet in front of its symbols.
    pub(super) fn overhead(&self) -> usize {
        self.template.overhead()
    }

    /// Size of the largest packet.
    pub(super) fn packet_size(&self) -> usize {
        self.template.overhead() + self.symbol_size() * self.symbols_per_packet() as usize
    }

    /// Appends everything in front of the symbols of a packet.
    pub(super) fn append_header(&self, block: &SourceBlock, esi: u32, flags: Flags, out: &mut Vec<u8>) {
        let source_block_length = self.has_source_block_length.then_some(block.symbols as u16);
        self.template.append(flags, PayloadId { source_block: block.number, esi, source_block_length }, out);
    }

    /// Replaces what goes around the symbols.
    pub(super) fn readdress(&mut self, envelope: &Envelope<'_>) -> Result<(), OtiError> {
        self.template = template(&self.oti, envelope)?;
        Ok(())
    }
}

fn template(oti: &Oti, envelope: &Envelope<'_>) -> Result<Template, OtiError> {
    let fti = oti.encode_fti()?;
    let mut extensions = envelope.extensions.to_vec();
    if envelope.fti {
        extensions.push(Extension::Fti(&fti));
    }
    let header = Header {
        psi: 0,
        close_session: false,
        close_object: false,
        codepoint: oti.encoding_id.0,
        widths: envelope.widths,
        congestion_control: 0,
        tsi: Some(envelope.tsi),
        toi: Some(envelope.toi),
        sender_current_time: None,
        expected_residual_time: None,
    };
    let template = Template::new(&header, &extensions, oti.payload_id_format()?);
    // The widths were chosen for this TSI and TOI, and the extensions are short.
    Ok(template.expect("identifiers and extensions fit into the header"))
}

impl fmt::Debug for Packetizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packetizer").field("oti", &self.oti).field("packets", &self.packets).finish_non_exhaustive()
    }
}
