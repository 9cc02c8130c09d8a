//! Where names of public services lead: never into private networks. Addresses of files and pictures come in messages, and
//! whoever can turn such a name may not make the bridge ask its own network.
//!
//! Other names that are fetched from are the operator's own, listed in the configuration, and may be private.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Public services that Gitter's files and pictures are on, with all names below them.
const SERVICES: [&str; 5] = [
    "gitter.im",
    "amazonaws.com",
    "githubusercontent.com",
    "gravatar.com",
    "gitlab.com",
];

/// Resolves names; those of public services to public addresses alone.
pub(super) struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Addrs = Box::new(allowed(name.as_str(), found.collect())?.into_iter());
            Ok(allowed)
        })
    }
}

/// Those addresses of a name that may be asked.
fn allowed(name: &str, mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    if is_public_service(name) {
        found.retain(|address| !is_private(address.ip()));
        if found.is_empty() {
            return Err("the name of a public service leads into a private network".into());
        }
    }
    Ok(found)
}

fn is_public_service(host: &str) -> bool {
    SERVICES.iter().any(|service| {
        host.strip_suffix(service)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_broadcast()
                || address.is_multicast()
                || first == 0
                || first >= 240
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "100.63.0.1", "172.32.0.1", "2606:4700::1111"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn public_services_are_known_by_their_ends() {
        for public in [
            "files.gitter.im",
            "b.s3.amazonaws.com",
            "avatars.githubusercontent.com",
            "secure.gravatar.com",
            "secure.gitlab.com",
        ] {
            assert!(is_public_service(public), "{public}");
        }
        for own in ["notgitter.im", "files.gitter.corp", "gravatar.com.example"] {
            assert!(!is_public_service(own), "{own}");
        }
    }

    #[test]
    fn a_public_name_never_leads_into_a_private_network() {
        let addresses =
            |texts: &[&str]| -> Vec<SocketAddr> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let both = addresses(&["169.254.169.254:0", "1.1.1.1:0", "[::1]:0"]);
        assert_eq!(
            allowed("secure.gravatar.com", both.clone()).unwrap(),
            addresses(&["1.1.1.1:0"])
        );
        assert!(allowed("avatars-01.gitter.im", addresses(&["10.0.0.1:0", "[fd00::1]:0"])).is_err());
        assert_eq!(
            allowed("gitter.corp.example", both.clone()).unwrap(),
            both,
            "the operator's own"
        );
    }
}
