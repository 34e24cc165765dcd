// SPDX-License-Identifier: MPL-2.0

//! The receiver, in virtual time, on packets made by hand.

mod close;
mod crafted;
mod damage;
mod destinations;
mod encodings;
mod fdt;
mod fec;
mod peers;
mod slices;
