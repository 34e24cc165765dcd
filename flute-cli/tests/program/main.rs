// SPDX-License-Identifier: MPL-2.0

//! The program as its users meet it: processes of its own, real sockets on the loopback interface.

mod browser;
mod descriptions;
mod disruptions;
mod gateway;
mod gateway_services;
mod gateway_soak;
mod inspect;
mod live;
mod players;
mod process;
mod relay;
mod tools;
mod transfers;
