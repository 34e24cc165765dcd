// SPDX-License-Identifier: MPL-2.0

//! Requirements of RFC 6726, RFC 3926, RFC 5775 and RFC 5651 that show on the wire: of a sender on the packets it gives
//! out, of a receiver on packets that are put together by hand. `REQUIREMENTS.md` says which test shows what.

mod listening;
mod receiver;
mod sender;
mod table;
mod transmission;

use std::time::Duration;

use flute_proto::Time;

/// `seconds` after 2026-01-01 00:00 UTC.
fn at(seconds: u64) -> Time {
    Time::from_unix(Duration::from_secs(1_767_225_600 + seconds))
}
