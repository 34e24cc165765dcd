// SPDX-License-Identifier: MPL-2.0

//! Numbers with a unit, as users write them: `20M`, `64Mi`, `20%`, `1.5s`.

use std::time::Duration;

/// A rate in bit/s: `20M` is 20 000 000, and 0 is as fast as possible.
pub(crate) fn bitrate(text: &str) -> Result<u64, String> {
    let bare = text.trim();
    let bare = ["bit/s", "bps"].iter().find_map(|unit| bare.strip_suffix(unit)).unwrap_or(bare);
    decimal(bare).ok_or_else(|| format!("“{text}” is no rate: write bits per second, such as 20M or 1500k"))
}

/// A number of bytes: `64M` is 64 000 000, `64Mi` is 64 · 2^20.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let bare = text.trim();
    let bare = bare.strip_suffix('B').unwrap_or(bare);
    let binary = || {
        let (number, power) = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40)]
            .into_iter()
            .find_map(|(unit, power)| Some((bare.strip_suffix(unit)?, power)))?;
        scaled(number, (1u64 << power) as f64)
    };
    binary()
        .or_else(|| decimal(bare))
        .ok_or_else(|| format!("“{text}” is no number of bytes: write it like 64M or 64Mi"))
}

/// Percent: `20%`, or `20`.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end().parse::<f64>();
    let percent = number.ok().filter(|percent| (0.0..=100_000.0).contains(percent));
    percent.ok_or_else(|| format!("“{text}” is no percentage: write it like 20%"))
}

/// A time in seconds, or in another unit: `30`, `1.5s`, `200ms`, `5m`, `2h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let bare = text.trim();
    let (number, unit) = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((bare.strip_suffix(unit)?, seconds)))
        .unwrap_or((bare, 1.0));
    let seconds = number.trim_end().parse::<f64>().ok().map(|number| number * unit);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| format!("“{text}” is no time: write seconds, or like 200ms, 5m or 2h"))
}

fn decimal(text: &str) -> Option<u64> {
    let (number, power) = [("k", 3), ("K", 3), ("M", 6), ("G", 9), ("T", 12)]
        .into_iter()
        .find_map(|(unit, power)| Some((text.strip_suffix(unit)?, power)))
        .unwrap_or((text, 0));
    scaled(number, 10f64.powi(power))
}

/// What is a whole number stays exact.
fn scaled(number: &str, factor: f64) -> Option<u64> {
    let number = number.trim_end();
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor as u64);
    }
    let product = number.parse::<f64>().ok()? * factor;
    (product >= 0.0 && product < u64::MAX as f64).then_some(product as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, expected) in [
            ("20M", 20_000_000),
            ("1.5M", 1_500_000),
            ("0", 0),
            ("300k", 300_000),
            ("2 Gbit/s", 2_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(bitrate(text), Ok(expected), "{text}");
        }
        for wrong in ["", "M", "-1", "20 apples", "1e30M", "18446744073709551615k", "NaN"] {
            assert!(bitrate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [("64Mi", 64 << 20), ("64M", 64_000_000), ("1KiB", 1024), ("5", 5), ("0.5Gi", 1 << 29)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        assert!(bytes("64Zi").is_err());
    }

    #[test]
    fn percentages_and_times() {
        assert_eq!(percent("20%"), Ok(20.0));
        assert_eq!(percent("12.5 %"), Ok(12.5));
        assert!(percent("-1%").is_err() && percent("NaN").is_err());
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert!(duration("-1").is_err() && duration("soon").is_err());
    }
}
