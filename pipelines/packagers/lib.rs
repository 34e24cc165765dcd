// SPDX-License-Identifier: MPL-2.0

//! Nothing: this package is there for the plugins that it depends on.
