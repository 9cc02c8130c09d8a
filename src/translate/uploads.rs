//! Messages that are nothing but a file on Gitter's file host (gitter-api 6).

use url::Url;

/// A file on Gitter's file host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Upload<'a> {
    /// Its name for people.
    pub(super) name: &'a str,
    /// Where it is.
    pub(super) url: &'a str,
    /// Where Gitter's small picture of it is, if that is on a listed host too.
    pub(super) thumbnail: Option<&'a str>,
}

/// The file that a message is: `[name](url)`, or `[![name](thumbnail)](url)`, and nothing else. The host
/// must be listed; an entry with a port means that port only.
pub(super) fn find<'a>(text: &'a str, hosts: &[String]) -> Option<Upload<'a>> {
    let link = text.trim().strip_prefix('[')?.strip_suffix(')')?;
    let (name, thumbnail, url) = if let Some(picture) = link.strip_prefix("![") {
        let (picture, url) = picture.rsplit_once(")](")?;
        let (name, thumbnail) = picture.rsplit_once("](")?;
        (name, Some(thumbnail), url)
    } else {
        let (name, url) = link.rsplit_once("](")?;
        (name, None, url)
    };
    let is_one = !name.contains("](") && !name.contains(['\n', '\r']) && !name.trim().is_empty();
    (is_one && is_on(url, hosts)).then_some(Upload {
        name: name.trim(),
        url,
        thumbnail: thumbnail.filter(|thumbnail| is_on(thumbnail, hosts)),
    })
}

fn is_on(address: &str, hosts: &[String]) -> bool {
    let odd = |it: char| it.is_whitespace() || it.is_control() || "{}<>".contains(it);
    if address.contains(odd) {
        return false;
    }
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    let Some(host) = url.host_str() else { return false };
    let with_port = url.port().map(|port| format!("{host}:{port}"));
    let is_listed = |listed: &String| {
        listed.eq_ignore_ascii_case(host)
            || with_port
                .as_ref()
                .is_some_and(|it| listed.eq_ignore_ascii_case(it))
    };
    matches!(url.scheme(), "http" | "https") && url.path() != "/" && hosts.iter().any(is_listed)
}
