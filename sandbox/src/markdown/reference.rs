//! Finds issues, merge requests and commits, in plain text and in the URLs of links (gitter-api 5.7). Pure.

/// An issue as Gitter lists it in `issues[]`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Issue {
    /// Its number, with the zeros that were typed.
    pub(crate) number: String,
    /// `owner/repository`, where it is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repo: Option<String>,
}

/// The next `#7` or `owner/repository#7` of a text, by its place and length in bytes.
pub(super) fn next_issue(text: &str) -> Option<(usize, usize, Issue)> {
    text.match_indices('#').find_map(|(sign, _)| {
        let (before, from_sign) = text.split_at(sign);
        let digits = from_sign.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        let (_, number) = from_sign.split_at_checked(1)?;
        let number = number.get(..digits).filter(|number| !number.is_empty())?;
        let repo = repository_at_end(before);
        let start = sign - repo.map_or(0, str::len);
        let issue = Issue {
            number: number.to_owned(),
            repo: repo.map(str::to_owned),
        };
        Some((start, sign + 1 + digits - start, issue))
    })
}

/// The `owner/repository` that a text ends with.
fn repository_at_end(text: &str) -> Option<&str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let project = text.bytes().rev().take_while(is_part).count();
    let (owner_part, _) = text.split_at(text.len() - project);
    let owner = owner_part
        .strip_suffix('/')?
        .bytes()
        .rev()
        .take_while(is_part)
        .count();
    let length = owner + 1 + project;
    (owner > 0 && project > 0).then(|| text.split_at(text.len() - length).1)
}

/// What a link of GitHub or GitLab leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Linked<'url> {
    /// `issue`, `mr`, `pr` or `commit`.
    pub(super) kind: &'static str,
    /// `github` or `gitlab`.
    pub(super) provider: &'static str,
    /// Owner and repository; GitLab's owners may have several parts.
    pub(super) repo: String,
    /// The number, or the hash of a commit.
    pub(super) id: &'url str,
}

impl Linked<'_> {
    /// The text that Gitter puts in place of the URL.
    pub(super) fn short(&self) -> String {
        let repo = &self.repo;
        match self.kind {
            "commit" => format!("{repo}@{}", self.id.get(..7).unwrap_or(self.id)),
            "mr" if self.provider == "gitlab" => format!("{repo}!{}", self.id),
            _ => format!("{repo}#{}", self.id),
        }
    }
}

/// Takes the URL of a link apart, if it leads to an issue, merge request, pull request or commit.
pub(super) fn linked(url: &str) -> Option<Linked<'_>> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/')?;
    let provider = match host {
        "github.com" => "github",
        "gitlab.com" => "gitlab",
        _ => return None,
    };
    if path.contains('#') {
        return None;
    }
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (path, id) = path.rsplit_once('/')?;
    let (repo, kind) = path.rsplit_once('/')?;
    let is_number = || id.bytes().all(|byte| byte.is_ascii_digit()) && id.parse().is_ok_and(|id: u64| id > 0);
    let is_hash = || !id.is_empty() && id.bytes().all(|byte| matches!(byte, b'a'..=b'f' | b'0'..=b'9'));
    let kind = match kind {
        "issues" if is_number() => "issue",
        "merge_requests" if is_number() => "mr",
        "pull" if is_number() => "pr",
        "commit" if is_hash() => "commit",
        _ => return None,
    };
    let repo = repo.strip_suffix("/-").unwrap_or(repo);
    repo.contains('/').then(|| Linked {
        kind,
        provider,
        repo: repo.to_owned(),
        id,
    })
}
