// SPDX-License-Identifier: MPL-2.0

//! The program as its users meet it: processes of its own, real sockets on the loopback interface.

mod descriptions;
mod gateway;
mod gateway_services;
mod gateway_soak;
mod inspect;
mod players;
mod process;
mod relay;
mod transfers;
