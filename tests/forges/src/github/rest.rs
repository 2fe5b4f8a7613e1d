//! The REST API: who may, which route, and the words of a refusal.

use serde_json::{Value, json};

use super::shapes::Places;
use super::world::{Grant, Level, World};
use super::{commits, issues, pulls};

/// An answer before it is on the wire.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Reply {
    /// An answer.
    pub(super) fn new(status: u16, body: Value) -> Reply {
        Reply { status, headers: Vec::new(), body }
    }

    /// A refusal, `basic-error`.
    pub(super) fn refused(status: u16, message: &str) -> Reply {
        let url = "https://docs.github.com/rest";
        let body = json!({
            "message": message, "documentation_url": url, "status": status.to_string(),
        });
        Reply::new(status, body)
    }

    /// 422 with one reason, `validation-error`.
    pub(super) fn invalid(resource: &str, field: &str, code: &str, words: Option<&str>) -> Reply {
        let mut error = json!({"resource": resource, "field": field, "code": code});
        if let Some(words) = words {
            error["message"] = json!(words);
        }
        let url = "https://docs.github.com/rest";
        let body = json!({
            "message": "Validation Failed", "errors": [error], "documentation_url": url,
            "status": "422",
        });
        Reply::new(422, body)
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) login: String,
    pub(super) grant: Grant,
}

/// One call that found its route.
pub(super) struct Call<'a> {
    pub(super) world: &'a mut World,
    pub(super) places: &'a Places,
    pub(super) asker: &'a Asker,
    /// The repository, where the route names one.
    pub(super) at: usize,
    /// What stood in the places of the template, after owner and repository.
    pub(super) names: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Value,
    /// The most entries of a page, whatever is asked for.
    pub(super) cap: usize,
    /// The address without its query.
    pub(super) address: String,
}

impl Call<'_> {
    /// A number in the path.
    pub(super) fn number(&self) -> u64 {
        self.names.first().and_then(|name| name.parse().ok()).unwrap_or_default()
    }

    /// A text of the body.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.body.get(name)?.as_str().map(str::to_owned)
    }

    /// A parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A page of a list, with `Link` to the others.
    ///
    /// Source: GitHub docs, "Using pagination in the REST API".
    pub(super) fn page(&self, all: Vec<Value>) -> Reply {
        let number = |name: &str| self.parameter(name).and_then(|value| value.parse().ok());
        let size: usize = number("per_page").unwrap_or(30).clamp(1, 100).min(self.cap);
        let page: usize = number("page").unwrap_or(1).max(1);
        let last = all.len().div_ceil(size).max(1);
        let some: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
        let reply = Reply::new(200, Value::Array(some));
        let link = |page: usize, rel: &str| {
            let mut query: Vec<String> = self
                .query
                .iter()
                .filter(|(name, _)| name != "page")
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            query.push(format!("page={page}"));
            // By its number, as GitHub has it.
            format!("<{}?{}>; rel=\"{rel}\"", self.address, query.join("&"))
        };
        match page < last {
            true => {
                let links = [link(page + 1, "next"), link(last, "last")];
                reply.with("link", links.join(", "))
            }
            false => reply,
        }
    }
}

/// What answers a call.
type Handler = fn(&mut Call<'_>) -> Reply;

/// A call that the fake knows.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) template: &'static str,
    /// The permission that it takes, and how much of it.
    ///
    /// Source: GitHub docs, "Permissions required for fine-grained personal access
    /// tokens".
    needs: (&'static str, Level),
    handler: Handler,
}

const fn route(
    method: &'static str,
    template: &'static str,
    needs: (&'static str, Level),
    handler: Handler,
) -> Route {
    Route { method, template, needs, handler }
}

const PULLS: &str = "pull_requests";

/// All of them, below `/repos/{owner}/{repo}` but for the last.
pub(super) const ROUTES: [Route; 23] = [
    route("GET", "", ("metadata", Level::Read), commits::repository),
    route("GET", "/pulls", (PULLS, Level::Read), pulls::list),
    route("POST", "/pulls", (PULLS, Level::Write), pulls::open),
    route("GET", "/pulls/{pull_number}", (PULLS, Level::Read), pulls::get),
    route("PATCH", "/pulls/{pull_number}", (PULLS, Level::Write), pulls::change),
    route("PUT", "/pulls/{pull_number}/merge", ("contents", Level::Write), pulls::merge),
    route("GET", "/pulls/{pull_number}/reviews", (PULLS, Level::Read), pulls::reviews),
    route("POST", "/pulls/{pull_number}/reviews", (PULLS, Level::Write), pulls::review),
    route(
        "PUT",
        "/pulls/{pull_number}/reviews/{review_id}/dismissals",
        (PULLS, Level::Write),
        pulls::dismiss,
    ),
    route("POST", "/pulls/{pull_number}/requested_reviewers", (PULLS, Level::Write), pulls::ask),
    route("GET", "/commits/{commit_sha}/pulls", (PULLS, Level::Read), pulls::of_commit),
    route("GET", "/issues/{issue_number}/comments", (PULLS, Level::Read), issues::comments),
    route("POST", "/issues/{issue_number}/comments", (PULLS, Level::Write), issues::comment),
    route("PATCH", "/issues/comments/{comment_id}", (PULLS, Level::Write), issues::edit),
    route("POST", "/issues/{issue_number}/labels", (PULLS, Level::Write), issues::label),
    route("GET", "/labels/{name}", (PULLS, Level::Read), issues::one_label),
    route("POST", "/statuses/{sha}", ("statuses", Level::Write), commits::set_status),
    route("GET", "/commits/{ref}/statuses", ("statuses", Level::Read), commits::statuses),
    route("GET", "/branches/{branch}", ("contents", Level::Read), commits::branch),
    route("GET", "/rules/branches/{branch}", ("metadata", Level::Read), commits::rules),
    route("PATCH", "", ("administration", Level::Write), commits::change_repository),
    route("POST", "/forks", ("contents", Level::Read), commits::fork),
    route("GET", "/orgs/{org}/teams/{team_slug}/members", ("members", Level::Read), commits::team),
];

impl Route {
    /// The template in full.
    pub(super) fn full(&self) -> String {
        match self.template.starts_with("/orgs/") {
            true => self.template.to_owned(),
            false => format!("/repos/{{owner}}/{{repo}}{}", self.template),
        }
    }

    /// What stands in its places; `None` where it is another one.
    fn names(&self, path: &[String]) -> Option<Vec<String>> {
        let full = self.full();
        let parts: Vec<&str> = full.trim_start_matches('/').split('/').collect();
        if parts.len() != path.len() {
            return None;
        }
        let mut names = Vec::new();
        for (part, here) in parts.iter().zip(path) {
            match part.starts_with('{') {
                true => names.push(here.clone()),
                false if part == here => {}
                false => return None,
            }
        }
        Some(names)
    }
}

/// The route of a call, and what stands in its places.
pub(super) fn find(method: &str, path: &[String]) -> Option<(&'static Route, Vec<String>)> {
    // What is written out comes before what may be anything.
    let mut found: Vec<(&Route, Vec<String>)> = ROUTES
        .iter()
        .filter(|route| route.method == method)
        .filter_map(|route| Some((route, route.names(path)?)))
        .collect();
    found.sort_by_key(|(_, names)| names.len());
    found.into_iter().next()
}

/// What a request is before it found its route.
pub(super) struct Raw {
    pub(super) method: String,
    /// The path below the API, decoded piece by piece.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Value,
}

/// Answers a call, with the route that it found.
pub(super) fn answer(
    world: &mut World,
    places: &Places,
    asker: &Asker,
    raw: Raw,
    cap: usize,
) -> (Option<&'static Route>, Reply) {
    let Raw { method, mut path, query, body } = raw;
    // `/repositories/7/…` is `/repos/acme/apps/…`.
    if let [first, number, ..] = &path[..]
        && first == "repositories"
    {
        let number: u64 = number.parse().unwrap_or_default();
        let Some(there) = world.repositories.iter().find(|one| one.id == number) else {
            return (None, Reply::refused(404, "Not Found"));
        };
        let names = ["repos".to_owned(), there.owner.clone(), there.name.clone()];
        path.splice(..2, names);
    }
    let Some((route, mut names)) = find(&method, &path) else {
        return (None, Reply::refused(404, "Not Found"));
    };
    let mut at = 0;
    let mut address = format!("{}/{}", places.api, path.join("/"));
    if path.first().is_some_and(|first| first == "repos") {
        let (owner, name) = (names.remove(0), names.remove(0));
        let Some(place) = world.find(&owner, &name) else {
            // GitHub docs, "Best practices for using the REST API", "Follow
            // redirects": a repository that moved is answered 301 by its number.
            return match world.find_former(&owner, &name) {
                Some(place) if sees(world, asker, place) => {
                    let id = world.repositories[place].id;
                    let rest: String = path[3..].iter().map(|part| format!("/{part}")).collect();
                    let to = format!("{}/repositories/{id}{rest}", places.api);
                    let body = json!({
                        "message": "Moved Permanently", "url": to,
                        "documentation_url": "https://docs.github.com/rest",
                    });
                    (Some(route), Reply::new(301, body).with("location", to))
                }
                _ => (Some(route), Reply::refused(404, "Not Found")),
            };
        };
        at = place;
        let rest: String = path[3..].iter().map(|part| format!("/{part}")).collect();
        address = format!("{}/repositories/{}{rest}", places.api, world.repositories[at].id);
    }
    if let Some(refusal) = refusal(world, asker, at, route, &path) {
        return (Some(route), refusal);
    }
    let mut call = Call { world, places, asker, at, names, query, body, cap, address };
    (Some(route), (route.handler)(&mut call))
}

/// Whether somebody sees a repository: all of them are private.
pub(super) fn sees(world: &World, asker: &Asker, at: usize) -> bool {
    let repository = &world.repositories[at];
    match &asker.grant {
        Grant::Installation { repositories, .. } => repositories.contains(&repository.name),
        Grant::Classic(scopes) if !scopes.contains(&"repo") => false,
        _ => repository.roles.contains_key(&asker.login),
    }
}

/// Whether a token's own bounds allow so much.
pub(super) fn allows(grant: &Grant, permission: &str, level: Level) -> bool {
    match grant {
        Grant::Classic(scopes) => {
            let scope = if permission == "members" { "read:org" } else { "repo" };
            scopes.contains(&scope)
        }
        // Every token may read metadata.
        _ if permission == "metadata" => true,
        Grant::Fine(permissions) | Grant::Installation { permissions, .. } => {
            permissions.get(permission).is_some_and(|held| *held >= level)
        }
    }
}

/// Why a call is refused before it is looked at.
///
/// Sources: GitHub docs, "Troubleshooting the REST API" (404 for what may not be
/// seen, 403 with `x-accepted-github-permissions`), "Scopes for OAuth apps"
/// (`x-oauth-scopes`), "Archiving repositories" (read only).
fn refusal(
    world: &World,
    asker: &Asker,
    at: usize,
    route: &Route,
    path: &[String],
) -> Option<Reply> {
    let (permission, level) = route.needs;
    let word = if level == Level::Read { "read" } else { "write" };
    let lacking = |reply: Reply| match &asker.grant {
        Grant::Classic(scopes) => {
            let accepted = if permission == "members" { "admin:org, read:org" } else { "repo" };
            let reply = reply.with("x-accepted-oauth-scopes", accepted);
            reply.with("x-oauth-scopes", scopes.join(", "))
        }
        _ => reply.with("x-accepted-github-permissions", format!("{permission}={word}")),
    };
    let forbidden = match &asker.grant {
        Grant::Classic(_) => "Must have admin rights to Repository.",
        Grant::Fine(_) => "Resource not accessible by personal access token",
        Grant::Installation { .. } => "Resource not accessible by integration",
    };
    if path.first().is_some_and(|first| first == "orgs") {
        return match allows(&asker.grant, permission, level) {
            true => None,
            false => Some(lacking(Reply::refused(403, forbidden))),
        };
    }
    if !sees(world, asker, at) {
        return Some(lacking(Reply::refused(404, "Not Found")));
    }
    if !allows(&asker.grant, permission, level) {
        return Some(lacking(Reply::refused(403, forbidden)));
    }
    let repository = &world.repositories[at];
    if level > Level::Read && repository.archived {
        return Some(Reply::refused(403, "Repository was archived so is read-only."));
    }
    let role = match &asker.grant {
        // Its permissions are all there is to it.
        Grant::Installation { .. } => Level::Write,
        _ => repository.roles.get(&asker.login).copied().unwrap_or(Level::Read),
    };
    // Who may read may open a request from a fork, comment and review.
    let by_readers = ["/pulls", "/issues/{issue_number}/comments", "/forks"];
    let reviews = route.template.ends_with("/reviews");
    if level > role && !by_readers.contains(&route.template) && !reviews {
        return Some(lacking(Reply::refused(403, forbidden)));
    }
    (permission == "administration" && role < Level::Admin)
        .then(|| lacking(Reply::refused(403, "Must have admin rights to Repository.")))
}
