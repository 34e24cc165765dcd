// SPDX-License-Identifier: MPL-2.0

//! A network that loses packets.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Takes datagrams on one port of this machine and hands them on to another, but for those that it loses.
pub(crate) struct Relay {
    address: String,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// `is_lost` is asked with the number of each datagram and its bytes.
    pub(crate) fn start(to: &str, mut is_lost: impl FnMut(u64, &[u8]) -> bool + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (to, is_over) = (to.to_owned(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let is_over = is_over.clone();
            move || {
                let (mut datagram, mut number) = ([0; 65_536], 0);
                while !is_over.load(Ordering::Relaxed) {
                    let Ok(length) = socket.recv(&mut datagram) else { continue };
                    if !is_lost(number, &datagram[..length]) {
                        socket.send_to(&datagram[..length], &to).unwrap();
                    }
                    number += 1;
                }
            }
        });
        Self { address, is_over, thread: Some(thread) }
    }

    /// Where to send to.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
