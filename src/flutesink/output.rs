// SPDX-License-Identifier: MPL-2.0

//! Where packets go: to the src pad, or to the network.

use flute_proto::sender::Batch;
use gst::glib;
use gst::prelude::*;

use crate::debug::FLUTESINK as CAT;
use flute_net::{SendConfig, SendSocket};

/// Packets of a list on the src pad, at most.
const LIST_LENGTH: usize = 64;

/// Where packets go.
#[derive(Debug)]
pub(super) enum Output {
    /// Downstream.
    Pad(PadOutput),
    /// The element sends them itself.
    Socket(SocketOutput),
}

impl Output {
    /// How many packets are wanted at a time, of about so many bytes.
    pub(super) fn max_packets(&self, packet_size: usize) -> usize {
        match self {
            Self::Pad(_) => LIST_LENGTH,
            Self::Socket(output) => output.socket.max_packets(packet_size),
        }
    }

    /// Whether nothing may be sent unless the element is PLAYING: a pad is there to preroll what is downstream.
    pub(super) fn waits_for_playing(&self) -> bool {
        matches!(self, Self::Socket(_))
    }

    /// Sends the packets of a batch, which is empty afterwards. `stop` is asked while the network is busy.
    pub(super) fn send(
        &mut self,
        element: &super::FluteSink,
        batch: &mut Batch,
        pts: gst::ClockTime,
        stop: impl Fn() -> bool,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        match self {
            Self::Pad(output) => output.push(batch, pts),
            Self::Socket(output) => output.send(element, batch, stop),
        }
    }

    /// Sends to another destination from now on, or says why not.
    pub(super) fn redirect(&mut self, element: &super::FluteSink, config: &SendConfig) {
        let Self::Socket(output) = self else { return };
        match output.socket.redirect(config) {
            Ok(()) => gst::info!(CAT, obj = element, "sending to {} from now on", config.destination),
            Err(error) => {
                let destination = &config.destination;
                gst::element_warning!(
                    element,
                    gst::ResourceError::OpenWrite,
                    ("Still sending to where it was, not to {destination}: {error}")
                );
            }
        }
    }

    /// Says that there will be no more packets.
    pub(super) fn end(&mut self, element: &super::FluteSink, seqnum: Option<gst::Seqnum>) {
        match self {
            Self::Pad(output) => output.end(seqnum),
            Self::Socket(_) => post_eos(element, seqnum),
        }
    }
}

/// Tells, as a sink does, that all packets have been sent.
pub(super) fn post_eos(element: &super::FluteSink, seqnum: Option<gst::Seqnum>) {
    let mut eos = gst::message::Eos::builder().src(element);
    if let Some(seqnum) = seqnum {
        eos = eos.seqnum(seqnum);
    }
    // An element without a bus cannot post it.
    let _ = element.post_message(eos.build());
}

/// The src pad.
#[derive(Debug)]
pub(super) struct PadOutput {
    pad: gst::Pad,
    is_started: bool,
}

impl PadOutput {
    pub(super) fn new(pad: gst::Pad) -> Self {
        Self { pad, is_started: false }
    }

    /// Pushes what must come before the first buffer. The stream ID is made by hand:
    /// `gst_pad_create_stream_id()` does not allow for several sink pads.
    fn start(&mut self) {
        if std::mem::replace(&mut self.is_started, true) {
            return;
        }
        let stream_id = format!("flute-{}", glib::uuid_string_random());
        let stream_start = gst::event::StreamStart::builder(&stream_id).group_id(gst::GroupId::next()).build();
        self.pad.push_event(stream_start);
        self.pad.push_event(gst::event::Caps::new(&gst::Caps::new_empty_simple(super::PACKET_CAPS)));
        self.pad.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    }

    /// One allocation for all packets, and a region of it for each of them.
    fn push(&mut self, batch: &mut Batch, pts: gst::ClockTime) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.start();
        let packet_size = batch.packet_size().max(1);
        let bytes = batch.take();
        let length = bytes.len();
        let memory = gst::Memory::from_mut_slice(bytes);
        if length <= packet_size {
            return self.pad.push(buffer(memory, pts));
        }
        let mut list = gst::BufferList::new_sized(length.div_ceil(packet_size));
        {
            let list = list.get_mut().expect("a new list is ours alone");
            for start in (0..length).step_by(packet_size) {
                list.add(buffer(memory.share(start..length.min(start + packet_size)), pts));
            }
        }
        self.pad.push_list(list)
    }

    fn end(&mut self, seqnum: Option<gst::Seqnum>) {
        self.start();
        let mut eos = gst::event::Eos::builder();
        if let Some(seqnum) = seqnum {
            eos = eos.seqnum(seqnum);
        }
        self.pad.push_event(eos.build());
    }
}

fn buffer(memory: gst::Memory, pts: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    {
        let buffer = buffer.get_mut().expect("a new buffer is ours alone");
        buffer.append_memory(memory);
        buffer.set_pts(pts);
    }
    buffer
}

/// The network.
#[derive(Debug)]
pub(super) struct SocketOutput {
    socket: SendSocket,
    is_failing: bool,
}

impl SocketOutput {
    pub(super) fn new(socket: SendSocket) -> Self {
        Self { socket, is_failing: false }
    }

    /// A network that fails for a while loses packets, as networks do; one that cannot take packets of this size never
    /// will.
    fn send(
        &mut self,
        element: &super::FluteSink,
        batch: &mut Batch,
        stop: impl Fn() -> bool,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        match self.socket.send(batch.as_bytes(), batch.packet_size(), stop) {
            Ok(()) => self.is_failing = false,
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) => {
                gst::element_error!(
                    element,
                    gst::ResourceError::Write,
                    ("Packets of {} bytes are too long for the network: set mtu lower", batch.packet_size()),
                    ["{error}"]
                );
                return Err(gst::FlowError::Error);
            }
            Err(error) => {
                gst::debug!(CAT, obj = element, "sending failed: {error}");
                if !std::mem::replace(&mut self.is_failing, true) {
                    gst::element_warning!(element, gst::ResourceError::Write, ("Packets are lost: {error}"));
                }
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }
}
