// SPDX-License-Identifier: MPL-2.0

//! Which names a request may call this machine by.
//!
//! A page of another site can have the name of its own server resolve to this machine, and would then be of the same
//! origin as the gateway (DNS rebinding). The name in the field Host tells such requests from others.

use std::net::IpAddr;

/// Names of this machine besides addresses.
#[derive(Clone, Debug)]
pub(super) struct AllowedHosts {
    /// In lower case, without a port.
    names: Vec<String>,
}

impl AllowedHosts {
    pub(super) fn new(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Whether a request with this field Host may be answered that came to `local`.
    pub(super) fn allow(&self, host: &str, local: IpAddr) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let name = name.trim_end_matches('.');
        if let Ok(ip) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
            return ip.is_loopback() || ip == local || self.names.iter().any(|allowed| allowed == name);
        }
        let is_local = name == "localhost" || name.ends_with(".localhost");
        is_local || self.names.iter().any(|allowed| allowed == name)
    }
}

fn without_port(host: &str) -> &str {
    let Some((name, port)) = host.rsplit_once(':') else { return host };
    // The last part of an IPv6 address is no port, unless the rest is in brackets.
    let is_port = port.chars().all(|c| c.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']'));
    if is_port { name } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        let hosts = AllowedHosts::new(&["TV.example.com".to_owned()]);
        let local = "192.0.2.1".parse().unwrap();
        for allowed in [
            "localhost",
            "LocalHost:8080",
            "a.localhost",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
            "192.0.2.1:8080",
            "tv.example.com:80",
            "tv.example.com.",
        ] {
            assert!(hosts.allow(allowed, local), "{allowed}");
        }
        for refused in ["", "evil.example", "192.0.2.2", "tv.example.com.evil.example", "localhost.evil.example", "::2"]
        {
            assert!(!hosts.allow(refused, local), "{refused}");
        }
    }
}
