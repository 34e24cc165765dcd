// SPDX-License-Identifier: MPL-2.0

//! The program as its users meet it: processes of its own, real sockets on the loopback interface.

mod descriptions;
mod gateway;
mod inspect;
mod players;
mod process;
mod relay;
mod transfers;
