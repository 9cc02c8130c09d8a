//! What Gitter's HTML refers to without saying its address: issues and commits of the room's repository, and
//! pictures behind Gitter's proxy (gitter-api 5.7 and 2.2).

use scraper::ElementRef;
use url::Url;

/// The address of an issue, merge request, pull request or commit; `None` where its repository is not known.
/// `repository`: the web address of the one that backs the room.
pub(super) fn address(element: ElementRef<'_>, repository: Option<&String>) -> Option<String> {
    let attribute = |name: &str| element.attr(name).map(str::trim).filter(|it| !it.is_empty());
    let kind = attribute("data-link-type")?;
    let named = attribute("data-issue-repo").or_else(|| attribute("data-commit-repo"));
    let provider = attribute("data-provider");
    let repository = named.map_or_else(
        || Url::parse(repository?).ok(),
        |path| repository_named(path, provider, repository),
    )?;
    let is_gitlab = provider.map_or_else(
        || repository.host_str().is_some_and(|host| host.contains("gitlab")),
        |provider| provider == "gitlab",
    );
    let place = match (kind, is_gitlab) {
        ("issue", false) => "issues",
        ("issue", true) => "-/issues",
        ("pr" | "mr", false) => "pull",
        ("pr" | "mr", true) => "-/merge_requests",
        ("commit", false) => "commit",
        ("commit", true) => "-/commit",
        _ => return None,
    };
    let id = if kind == "commit" {
        attribute("data-commit-sha").filter(|sha| sha.bytes().all(|it| it.is_ascii_hexdigit()))?
    } else {
        attribute("data-issue").filter(|number| number.bytes().all(|it| it.is_ascii_digit()))?
    };
    Some(format!(
        "{}/{place}/{id}",
        repository.as_str().trim_end_matches('/')
    ))
}

/// A repository by its path: at the provider, or where the room's own repository is.
fn repository_named(path: &str, provider: Option<&str>, own: Option<&String>) -> Option<Url> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./".contains(it);
    if !path.contains('/') || !path.chars().all(is_plain) || path.split('/').any(|part| part == "..") {
        return None;
    }
    let site = match (provider, own) {
        (Some("github"), _) => Url::parse("https://github.com").ok(),
        (Some("gitlab"), _) => Url::parse("https://gitlab.com").ok(),
        (_, Some(own)) => Url::parse(own).ok(),
        _ => None,
    };
    site?.join(&format!("/{}", path.trim_matches('/'))).ok()
}

/// The address of a picture behind Gitter's image proxy: `<proxy>/<signature>/<address in hex>`.
pub(super) fn unproxied(address: &str, proxy: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    if !url.host_str()?.eq_ignore_ascii_case(proxy) {
        return None;
    }
    let hex = url.path_segments()?.next_back()?;
    let bytes = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes)
        .ok()
        .filter(|address| !address.is_empty())
}
