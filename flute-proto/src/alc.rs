// SPDX-License-Identifier: MPL-2.0

//! The ALC packet (RFC 5775): an LCT header, a FEC Payload ID, and encoding symbols.
