//! Live objects: one, or a collection.

use gitops_core::object::Raw;
use serde::Deserialize;
use serde_json::Value;

use crate::connect::Cluster;
use crate::discovery::{Resource, Target};
use crate::error::{ClusterError, Refusal};

/// Objects in a page; what kubectl and client-go ask for.
const PAGE: &str = "500";

/// A live object. It has no `Debug`: it may be a Secret.
#[derive(Clone)]
pub struct Live {
    /// The object as the server sends it, `apiVersion` and `kind` included.
    pub json: Value,
}

impl Live {
    /// The state the object is in; changes with every write.
    pub fn resource_version(&self) -> &str {
        text(&self.json, "/metadata/resourceVersion")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        text(&self.json, "/metadata/name")
    }

    /// Its namespace; `None` where it has none.
    pub fn namespace(&self) -> Option<&str> {
        self.json.pointer("/metadata/namespace").and_then(Value::as_str)
    }

    /// As an object of the core; `None` where the answer has no name or kind.
    pub fn into_raw(self) -> Option<Raw> {
        Raw::live(self.json)
    }
}

pub(crate) fn text<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Which part of a collection is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct List<'a> {
    /// One namespace, or all.
    pub namespace: Option<&'a str>,
    /// Label selector, empty for all.
    pub selector: &'a str,
    /// Stop after the first page when the collection turns out to hold more
    /// objects than this.
    pub cap: Option<usize>,
}

/// A collection.
pub struct Listing {
    /// Its objects, in the server's order.
    pub items: Vec<Live>,
    /// Whether these are all; `false` only when `cap` was met.
    pub complete: bool,
}

#[derive(Deserialize)]
struct Page {
    kind: String,
    metadata: PageMeta,
    // Some servers send null for none.
    items: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMeta {
    #[serde(rename = "continue", default)]
    next: String,
    #[serde(default)]
    remaining_item_count: Option<usize>,
}

impl Cluster {
    /// One object; `None` exactly when the server says that this object is not
    /// there. Whatever else keeps it from view is an error.
    pub async fn get(&self, target: &Target) -> Result<Option<Live>, ClusterError> {
        let path = target.path();
        let what = || format!("GET {path}");
        match self.wire().get(&path, &[], None).await?.success() {
            Ok(answer) => {
                let json: Value = serde_json::from_slice(&answer.body)
                    .map_err(|error| unexpected(what(), &error))?;
                if text(&json, "/kind") != target.resource.kind
                    || text(&json, "/metadata/name") != target.name
                {
                    let cause = "another object than the one asked for".to_owned();
                    return Err(ClusterError::UnexpectedAnswer { what: what(), cause });
                }
                Ok(Some(Live { json }))
            }
            Err(refusal) if is_absent(&refusal, target) => Ok(None),
            Err(refusal) => Err(refusal.into_read_error(what(), self.server())),
        }
    }

    /// A collection, page by page, as of now (never from an old cache). When
    /// the pages expire on the way, it is read again in one piece.
    pub async fn list(&self, resource: &Resource, list: List<'_>) -> Result<Listing, ClusterError> {
        let path = resource.path(list.namespace, None);
        let mut items = Vec::new();
        let mut next = String::new();
        let mut limit = PAGE;
        loop {
            let mut query = Vec::new();
            if !limit.is_empty() {
                query.push(("limit", limit));
            }
            if !next.is_empty() {
                query.push(("continue", next.as_str()));
            }
            if !list.selector.is_empty() {
                query.push(("labelSelector", list.selector));
            }
            let answer = match self.wire().get(&path, &query, None).await?.success() {
                Ok(answer) => answer,
                Err(refusal) if refusal.code == 410 && !next.is_empty() => {
                    items.clear();
                    next.clear();
                    limit = "";
                    continue;
                }
                Err(refusal) => {
                    return Err(refusal.into_read_error(format!("GET {path}"), self.server()));
                }
            };
            let page: Page = serde_json::from_slice(&answer.body)
                .map_err(|error| unexpected(format!("GET {path}"), &error))?;
            if !page.kind.ends_with("List") {
                return Err(ClusterError::UnexpectedAnswer {
                    what: format!("GET {path}"),
                    cause: format!("a {} is no list", page.kind),
                });
            }
            items.extend(page.items.unwrap_or_default().into_iter().map(|mut json| {
                // The items of a list do not say what they are.
                if let Some(object) = json.as_object_mut() {
                    object.insert("apiVersion".to_owned(), resource.api_version().into());
                    object.insert("kind".to_owned(), resource.kind.clone().into());
                }
                Live { json }
            }));
            next = page.metadata.next;
            if next.is_empty() {
                return Ok(Listing { items, complete: true });
            }
            let total = items.len() + page.metadata.remaining_item_count.unwrap_or(1);
            if list.cap.is_some_and(|cap| total > cap) {
                return Ok(Listing { items, complete: false });
            }
        }
    }
}

/// Whether a refusal says that this very object is not there; a path that is
/// not served, or a namespace that is not, answers 404 as well.
fn is_absent(refusal: &Refusal, target: &Target) -> bool {
    refusal.code == 404
        && refusal.reason == "NotFound"
        && refusal.name == target.name
        && (refusal.kind == target.resource.plural
            || refusal.kind.eq_ignore_ascii_case(&target.resource.kind))
}

/// What is wrong with a body, without any of it.
pub(crate) fn unexpected(what: String, error: &serde_json::Error) -> ClusterError {
    ClusterError::UnexpectedAnswer {
        what,
        cause: format!("no such JSON (line {}, column {})", error.line(), error.column()),
    }
}
