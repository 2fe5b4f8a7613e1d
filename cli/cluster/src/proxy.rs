//! Which proxy leads to a server. Rules of Go's `httpproxy`, which kubectl
//! follows: the kubeconfig's `proxy-url`, else `HTTPS_PROXY` (`HTTP_PROXY` for
//! plain http) unless `NO_PROXY` names the host. Loopback needs none.

use std::net::IpAddr;

use http::Uri;

/// The proxy for `server`; `None` for a direct connection.
pub(crate) fn choose(server: &Uri, of_kubeconfig: Option<&str>) -> Result<Option<Uri>, String> {
    if let Some(url) = of_kubeconfig.filter(|url| !url.is_empty()) {
        return parse(url).map(Some);
    }
    let names = match server.scheme_str() {
        Some("http") => ["HTTP_PROXY", "http_proxy"],
        _ => ["HTTPS_PROXY", "https_proxy"],
    };
    let Some(url) = variable(names) else { return Ok(None) };
    let except = variable(["NO_PROXY", "no_proxy"]).unwrap_or_default();
    if is_direct(server, &except) { Ok(None) } else { parse(&url).map(Some) }
}

fn variable(names: [&str; 2]) -> Option<String> {
    names.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// A URL without a scheme is one of http. The text may hold a password, so it
/// is not repeated.
fn parse(url: &str) -> Result<Uri, String> {
    let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    whole.parse().map_err(|_| "the proxy URL cannot be read".to_owned())
}

fn is_direct(server: &Uri, except: &str) -> bool {
    let host = server.host().unwrap_or_default();
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    let port = server.port_u16().unwrap_or(match server.scheme_str() {
        Some("http") => 80,
        _ => 443,
    });
    except.split(',').map(|entry| entry.trim().to_lowercase()).any(|entry| {
        if entry.is_empty() {
            return false;
        }
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return match (network.parse(), bits.parse(), address) {
                (Ok(network), Ok(bits), Some(address)) => contains(network, bits, address),
                _ => false,
            };
        }
        if let Ok(single) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
            return address == Some(single);
        }
        let (name, wanted) = match entry.rsplit_once(':') {
            Some((name, wanted)) => (name, wanted.parse().ok()),
            None => (entry.as_str(), None::<u16>),
        };
        if wanted.is_some_and(|wanted| wanted != port) {
            return false;
        }
        let name = name.trim_start_matches('*');
        match name.strip_prefix('.') {
            Some(_) => host.ends_with(name),
            None => host == name || host.ends_with(&format!(".{name}")),
        }
    })
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    match bits {
        0 => true,
        bits if bits > width => false,
        bits => (network ^ address) >> (width - bits) == 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn direct(server: &str, except: &str) -> bool {
        is_direct(&server.parse().unwrap(), except)
    }

    #[test]
    fn no_proxy_is_read_as_go_does() {
        assert!(direct("https://127.0.0.1:6443", ""));
        assert!(direct("https://localhost:6443", ""));
        assert!(direct("https://[::1]:6443", ""));
        assert!(!direct("https://api.acme.example", ""));
        assert!(direct("https://api.acme.example", "*"));
        assert!(direct("https://api.acme.example", "other, acme.example"));
        assert!(direct("https://api.acme.example", ".acme.example"));
        assert!(direct("https://api.acme.example", "*.acme.example"));
        assert!(!direct("https://acme.example", ".acme.example"));
        assert!(!direct("https://notacme.example", "acme.example"));
        assert!(direct("https://acme.example:6443", "acme.example:6443"));
        assert!(!direct("https://acme.example", "acme.example:6443"));
        assert!(direct("https://10.1.2.3:6443", "10.0.0.0/8"));
        assert!(!direct("https://11.1.2.3:6443", "10.0.0.0/8"));
        assert!(direct("https://10.1.2.3:6443", "10.1.2.3"));
    }

    #[test]
    fn the_kubeconfig_comes_first_and_a_bad_url_is_not_repeated() {
        let server = "https://api.acme.example".parse().unwrap();
        let proxy = choose(&server, Some("http://proxy.example:3128")).unwrap().unwrap();
        assert_eq!(proxy.host(), Some("proxy.example"));
        assert!(!choose(&server, Some("http://me:hunter2@ x")).unwrap_err().contains("hunter2"));
    }
}
