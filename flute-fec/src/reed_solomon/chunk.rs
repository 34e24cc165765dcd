// SPDX-License-Identifier: MPL-2.0

//! Many repair symbols at a time, by fewer products than the matrix has coefficients: see
//! [`toeplitz`](super::toeplitz).

use std::ops::Range;
use std::sync::OnceLock;

use super::KEPT_MATRIX_BYTES;
use super::kernel::{
    FanIn, GROUP_PLANES, LEAF_ALIGNMENT, LEAVES, Leaves, MAX_LEAF_INPUTS, Map, PARTS, STRIP, Strings, SumOfProducts,
};
use super::lagrange::Geometry;
use super::multiply::Multiplier;
use super::scratch::Lines;

/// Rows of a chunk, at most.
pub(super) const MAX_ROWS: usize = PARTS * GROUP_PLANES;

/// Consecutive repair symbols that are computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The first one, counted from k.
    pub(super) first: u32,
    /// How many there are.
    pub(super) rows: u32,
    /// Rows and columns of a leaf.
    pub(super) leaf: u32,
}

impl Chunk {
    /// One past the last repair symbol.
    pub(super) fn end(&self) -> u32 {
        self.first + self.rows
    }

    /// Blocks of the matrix beside each other.
    fn blocks(&self, k: u32) -> u32 {
        k.div_ceil(PARTS as u32 * self.leaf)
    }

    /// How many elements there are maps of, about.
    fn maps(&self, k: u32) -> usize {
        let (leaf, parts) = (self.leaf as usize, PARTS);
        self.blocks(k) as usize * (LEAVES * leaf * leaf + parts * leaf) + 2 * parts * leaf
    }

    /// About how many products it takes for k source symbols, including the time for sums.
    pub(super) fn cost(&self, k: u32) -> u64 {
        let (leaf, leaves) = (u64::from(self.leaf), LEAVES as u64);
        // A product for each coefficient of the leaves; about half as much time for each sum that is made and stored.
        u64::from(self.blocks(k)) * (leaves * leaf * leaf + leaves * leaf) + 2 * leaves * leaf
    }

    /// Cuts `rows` repair symbols of `k` source symbols into chunks, without those that are as well computed one by
    /// one. `max_leaf` is the size of the largest leaf.
    pub(super) fn cut(k: u32, rows: u32, max_leaf: u32) -> impl Iterator<Item = Self> {
        let mut first = 0;
        std::iter::from_fn(move || {
            let left = rows - first;
            let chunk = |leaf: u32| Chunk { first, rows: left.min(PARTS as u32 * leaf), leaf };
            let total = |chunk: &Chunk| chunk.cost(k) + u64::from(left - chunk.rows) * u64::from(k);
            // Half a group or a whole one: those are what kernels are fast with.
            let best = [max_leaf / 2, max_leaf].map(chunk).into_iter().min_by_key(total)?;
            first = best.end();
            (total(&best) < u64::from(left) * u64::from(k)).then_some(best)
        })
    }
}

/// The chunks of a code, the maps of which are made as they are needed.
pub(super) struct Chunks<M> {
    geometry: Geometry,
    chunks: Vec<(Chunk, OnceLock<ChunkMaps<M>>)>,
    bytes: usize,
}

impl<M: Map> Chunks<M> {
    /// The chunks of the first `rows` repair symbols; so many of them as may be kept.
    pub(super) fn new<K: SumOfProducts<Map = M>>(multiplier: &Multiplier<K>, geometry: Geometry, rows: u32) -> Self {
        let planes = multiplier.layout().planes().count();
        let mut bytes = 0;
        let chunks = Chunk::cut(geometry.k, rows, multiplier.group_rows() as u32).take_while(|chunk| {
            let more = chunk.maps(geometry.k) * planes * planes * size_of::<M>();
            let is_kept = bytes + more <= KEPT_MATRIX_BYTES;
            bytes += if is_kept { more } else { 0 };
            is_kept
        });
        Self { geometry, chunks: chunks.map(|chunk| (chunk, OnceLock::new())).collect(), bytes }
    }

    /// Bytes that all maps take, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The chunks, in the order of their rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = Chunk> + '_ {
        self.chunks.iter().map(|(chunk, _)| *chunk)
    }

    /// The maps of one of the chunks.
    pub(super) fn maps<K: SumOfProducts<Map = M>>(&self, multiplier: &Multiplier<K>, index: usize) -> &ChunkMaps<M> {
        let (chunk, maps) = &self.chunks[index];
        maps.get_or_init(|| ChunkMaps::new(multiplier, &self.geometry, *chunk))
    }
}

/// The maps of a [`Chunk`].
#[derive(Debug)]
pub(super) struct ChunkMaps<M> {
    chunk: Chunk,
    /// Source symbols that have a column apart, 0 or 1.
    symbols_apart: usize,
    /// For all inputs of all slabs, as [`Leaves`] wants them.
    inputs: Vec<M>,
    slabs: Vec<Slab<M>>,
    /// For groups of outputs, one of each part, as [`FanIn`] wants them.
    outputs: Vec<[M; 2]>,
}

/// Blocks of the matrix beside each other.
#[derive(Debug)]
struct Slab<M> {
    /// Inputs of a leaf.
    inputs: usize,
    /// As [`Leaves`] wants them.
    maps: Vec<[M; 2]>,
}

impl<M: Map> ChunkMaps<M> {
    /// Makes the maps.
    pub(super) fn new<K: SumOfProducts<Map = M>>(
        multiplier: &Multiplier<K>,
        geometry: &Geometry,
        chunk: Chunk,
    ) -> Self {
        let (k, field) = (geometry.k, geometry.field);
        let planes = multiplier.layout().planes().count();
        let (apart, size) = (geometry.symbols_apart(), chunk.leaf);
        let repair = k + chunk.first;
        let blocks = chunk.blocks(k - apart);
        let block_len = PARTS as u32 * size;

        let mut inputs = Vec::with_capacity((blocks * block_len) as usize * planes * planes);
        for source in apart..apart + blocks * block_len {
            let factor = if source < k { field.power(geometry.source_log(source)) } else { 0 };
            inputs.extend(multiplier.maps_of(factor));
        }
        let mut outputs = Vec::with_capacity(block_len as usize * planes * planes);
        for place in 0..size {
            for row in (0..PARTS as u32).map(|part| part * size + place) {
                let is_row = row < chunk.rows;
                let factor = if is_row { field.power(geometry.value_log(repair + row)) } else { 0 };
                let extra = if is_row { geometry.coefficient_apart(repair + row) } else { 0 };
                outputs.extend(multiplier.pair_maps([factor, extra]));
            }
        }

        let slab_blocks = (MAX_LEAF_INPUTS as u32 / size).max(1);
        let slabs = (0..blocks).step_by(slab_blocks as usize).map(|start| {
            let blocks = start..(start + slab_blocks).min(blocks);
            let inputs = blocks.len() * size as usize;
            let stride = size as usize * planes;
            let leaf_maps = (inputs * planes).div_ceil(2) * stride;
            let mut maps = vec![[M::ZERO; 2]; LEAVES * leaf_maps];
            for (leaf, maps) in maps.chunks_exact_mut(leaf_maps).enumerate() {
                for (index, block) in blocks.clone().enumerate() {
                    let values: Vec<u16> = geometry.leaf(repair, apart + block * block_len, size, leaf).collect();
                    for column in 0..size as usize {
                        for row in 0..size as usize {
                            let factor = values[size as usize - 1 + row - column];
                            multiplier.put(maps, stride, index * size as usize + column, row, factor);
                        }
                    }
                }
            }
            Slab { inputs, maps }
        });
        Self { chunk, symbols_apart: apart as usize, inputs, slabs: slabs.collect(), outputs }
    }

    /// Sets `columns` of `outputs`, the repair symbols of the chunk, or adds to them what they should be.
    ///
    /// Each of `inputs` reaches to the end of the columns, or is empty, and then counts as zeros.
    pub(super) fn compute<K: SumOfProducts<Map = M>>(
        &self,
        multiplier: &Multiplier<K>,
        inputs: &[&[u8]],
        columns: Range<usize>,
        outputs: &mut [&mut [u8]],
        is_added: bool,
        lines: &mut Lines,
    ) {
        let (kernel, planes) = (multiplier.kernel(), multiplier.layout().planes());
        let maps_of_input = planes.count() * planes.count();
        let size = self.chunk.leaf as usize;
        let slab_inputs = self.slabs.iter().map(|slab| slab.inputs).max().unwrap_or(0);
        let zeros = [0; STRIP];
        let (scaled, products) = lines.split(PARTS * slab_inputs * STRIP, LEAVES * size * STRIP);
        let strings = Strings::new(&inputs[self.symbols_apart..], columns.end);
        for column in columns.clone().step_by(STRIP) {
            let columns = column..columns.end.min(column + STRIP);
            let mut sources = strings;
            let mut maps = &self.inputs[..];
            for (number, slab) in self.slabs.iter().enumerate() {
                let len = PARTS * slab.inputs;
                let (these, rest) = sources.split(len);
                let (these_maps, rest_maps) = maps.split_at(len * maps_of_input);
                let leaves = Leaves {
                    inputs: these,
                    scales: &these_maps[..these.count() * maps_of_input],
                    size,
                    columns_of_leaf: slab.inputs,
                    maps: &slab.maps,
                    planes,
                    columns: columns.clone(),
                    is_added: number > 0,
                };
                kernel.leaves(&leaves, scaled, products);
                (sources, maps) = (rest, rest_maps);
            }
            let extra = match inputs.first() {
                Some(symbol) if self.symbols_apart > 0 && !symbol.is_empty() => &symbol[columns.clone()],
                _ => &zeros[..columns.len()],
            };
            for (place, maps) in self.outputs.chunks_exact(PARTS * maps_of_input).enumerate() {
                let fan = FanIn {
                    products: &products[place * STRIP..],
                    stride: size * STRIP,
                    extra,
                    maps,
                    planes,
                    first_output: place,
                    output_step: size,
                    column,
                    is_added,
                };
                kernel.fan_in(&fan, outputs);
            }
        }
    }
}

const _: () = assert!(STRIP.is_multiple_of(LEAF_ALIGNMENT));
