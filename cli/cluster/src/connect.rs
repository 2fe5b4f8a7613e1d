//! The way from kubectl's flags and files to a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::config::{
    AuthInfo, Cluster as ClusterEntry, Context, KubeConfigOptions, Kubeconfig, KubeconfigError,
    NamedAuthInfo, NamedCluster, NamedContext,
};
use kube::{Client, Config};

use crate::discovery::{Resource, Target};
use crate::error::ClusterError;
use crate::promise::Promises;
use crate::proxy;
use crate::read::{text, unexpected};
use crate::wire::{Wire, chain};

/// The limit of a request when none is given. kubectl has none, and hangs.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// What our own entries in a kubeconfig are called while it is in memory.
const CHOSEN: &str = "kubectl-gitops";

/// Kubectl's flags about the cluster, with kubectl's meaning. `None` and empty
/// leave what the kubeconfig says.
#[derive(Clone, Default)]
pub struct Options {
    /// `--kubeconfig`: this file alone, instead of `KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`
    pub context: Option<String>,
    /// `--cluster`
    pub cluster: Option<String>,
    /// `--user`
    pub user: Option<String>,
    /// `--server`
    pub server: Option<String>,
    /// `--token`, instead of every other credential of the user.
    pub token: Option<String>,
    /// `--as`
    pub as_user: Option<String>,
    /// `--as-group`
    pub as_groups: Vec<String>,
    /// `--request-timeout`, for one request with its answer; zero for none.
    pub request_timeout: Option<Duration>,
    /// `--namespace`
    pub namespace: Option<String>,
}

/// A connection to one API server. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    wire: Wire,
    promises: Promises,
    name: String,
    namespace: String,
}

impl Cluster {
    /// Reads the kubeconfig and prepares the client. Nothing is sent yet: the
    /// first request is that of [`Cluster::discover`].
    pub async fn connect(options: Options) -> Result<Self, ClusterError> {
        // One provider for the whole process; a second call finds the first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Chosen { mut config, name, files } = choose(&options).await?;
        let unusable = |cause: String| ClusterError::Unusable {
            files: files.clone(),
            name: name.clone(),
            cause,
        };
        if !matches!(config.cluster_url.scheme_str(), Some("http" | "https")) {
            return Err(unusable("its address must start with `https://` or `http://`".to_owned()));
        }
        // Retries hidden from the limit on concurrency would defeat it.
        config.default_retry = false;
        if let Some(token) = &options.token {
            config.auth_info =
                AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() };
        }
        if let Some(user) = &options.as_user {
            config.auth_info.impersonate = Some(user.clone());
        }
        if !options.as_groups.is_empty() {
            config.auth_info.impersonate_groups = Some(options.as_groups.clone());
        }
        let timeout = match options.request_timeout {
            None => Some(DEFAULT_TIMEOUT),
            Some(Duration::ZERO) => None,
            given => given,
        };
        if let Some(timeout) = timeout {
            config.connect_timeout =
                Some(config.connect_timeout.map_or(timeout, |connect| connect.min(timeout)));
        }
        let namespace = options
            .namespace
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config).map_err(|error| unusable(chain(&error)))?;
        Ok(Self {
            inner: Arc::new(Inner {
                wire: Wire::new(client, server, timeout),
                promises: Promises::default(),
                name,
                namespace,
            }),
        })
    }

    /// The namespace of objects that name none.
    pub fn default_namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// What the user calls this cluster: the context, else the server.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.inner.wire.server
    }

    pub(crate) fn promises(&self) -> &Promises {
        &self.inner.promises
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.inner.wire
    }

    /// Whether the user may do `verb` on an object (a SelfSubjectAccessReview).
    pub async fn may(&self, verb: &str, target: &Target) -> Result<bool, ClusterError> {
        self.review(verb, &target.resource, target.namespace.as_deref(), &target.name).await
    }

    async fn review(
        &self,
        verb: &str,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<bool, ClusterError> {
        let what = || format!("may we {verb} {}", resource.plural);
        let body = serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": verb, "group": resource.group, "version": resource.version,
                "resource": resource.plural, "namespace": namespace.unwrap_or_default(),
                "name": name,
            }},
        });
        let answer = self.wire().review(body.to_string().into_bytes()).await?;
        let answer =
            answer.success().map_err(|refusal| refusal.into_read_error(what(), self.server()))?;
        let review: serde_json::Value =
            serde_json::from_slice(&answer.body).map_err(|error| unexpected(what(), &error))?;
        if text(&review, "/kind") != "SelfSubjectAccessReview" {
            return Err(ClusterError::UnexpectedAnswer {
                what: what(),
                cause: "no SelfSubjectAccessReview".to_owned(),
            });
        }
        Ok(review.pointer("/status/allowed").and_then(serde_json::Value::as_bool) == Some(true))
    }
}

struct Chosen {
    config: Config,
    /// The context, else the server.
    name: String,
    /// The files it comes from, for errors.
    files: String,
}

async fn choose(options: &Options) -> Result<Chosen, ClusterError> {
    let (kubeconfig, files) = load(options)?;
    let Some(mut kubeconfig) = kubeconfig else {
        return without_kubeconfig(options);
    };
    let files = files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(":");
    let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());

    let context_name = given(&options.context).or_else(|| given(&kubeconfig.current_context));
    let contexts: Vec<String> =
        kubeconfig.contexts.iter().map(|named| named.name.clone()).collect();
    let context = match &context_name {
        Some(name) => Some(
            kubeconfig
                .contexts
                .iter()
                .find(|named| &named.name == name)
                .map(|named| named.context.clone().unwrap_or_default())
                .ok_or_else(|| ClusterError::Unknown {
                    files: files.clone(),
                    what: "context",
                    name: name.clone(),
                    known: contexts.clone(),
                })?,
        ),
        None => None,
    };
    let mut context = match context {
        Some(context) => context,
        None if options.server.is_some() || options.cluster.is_some() => Context::default(),
        None => return Err(ClusterError::NoContext { files, contexts }),
    };
    if let Some(cluster) = given(&options.cluster) {
        context.cluster = cluster;
    }
    if let Some(user) = given(&options.user) {
        context.user = Some(user);
    }
    // As client-go: a user that is named and not there is no anonymous one.
    if let Some(user) = given(&context.user).filter(|_| options.token.is_none()) {
        let known: Vec<String> =
            kubeconfig.auth_infos.iter().map(|named| named.name.clone()).collect();
        if !known.contains(&user) {
            return Err(ClusterError::Unknown { files, what: "user", name: user, known });
        }
    }
    let cluster = kubeconfig
        .clusters
        .iter()
        .find(|named| named.name == context.cluster)
        .and_then(|named| named.cluster.clone());
    let mut cluster = match cluster {
        Some(cluster) => cluster,
        None if options.server.is_some() && options.cluster.is_none() => ClusterEntry::default(),
        None => {
            return Err(ClusterError::Unknown {
                what: "cluster",
                name: context.cluster,
                known: kubeconfig.clusters.iter().map(|named| named.name.clone()).collect(),
                files,
            });
        }
    };
    if let Some(server) = given(&options.server) {
        // As client-go: the name in the certificate belongs to the other address.
        cluster.tls_server_name = None;
        cluster.server = Some(server);
    }
    let name = context_name
        .filter(|_| options.server.is_none())
        .or_else(|| cluster.server.clone())
        .unwrap_or_default();
    let proxy_url = cluster.proxy_url.clone();

    // The choice becomes a context of its own, so that every flag counts,
    // whatever the file says beside it.
    context.cluster = CHOSEN.to_owned();
    kubeconfig.clusters = vec![NamedCluster {
        name: CHOSEN.to_owned(),
        cluster: Some(cluster),
        ..Default::default()
    }];
    kubeconfig.contexts = vec![NamedContext {
        name: CHOSEN.to_owned(),
        context: Some(context),
        ..Default::default()
    }];
    if options.token.is_some() {
        // The credentials are replaced as a whole: no exec plugin may run.
        kubeconfig.auth_infos = Vec::<NamedAuthInfo>::new();
    }
    let choice = KubeConfigOptions { context: Some(CHOSEN.to_owned()), ..Default::default() };
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &choice).await.map_err(|error| {
            ClusterError::Unusable {
                files: files.clone(),
                name: name.clone(),
                cause: chain(&error),
            }
        })?;
    config.proxy_url =
        proxy::choose(&config.cluster_url, proxy_url.as_deref()).map_err(|cause| {
            ClusterError::Unusable { files: files.clone(), name: name.clone(), cause }
        })?;
    Ok(Chosen { config, name, files })
}

/// `--server` alone, or the service account of the pod we run in.
fn without_kubeconfig(options: &Options) -> Result<Chosen, ClusterError> {
    let wanted =
        [("context", &options.context), ("cluster", &options.cluster), ("user", &options.user)];
    if let Some((what, name)) =
        wanted.into_iter().find_map(|(what, name)| Some((what, name.clone()?)))
    {
        let files = "the kubeconfig (there is none)".to_owned();
        return Err(ClusterError::Unknown { files, what, name, known: Vec::new() });
    }
    let files = "the command line".to_owned();
    if let Some(server) = &options.server {
        let unusable =
            |cause| ClusterError::Unusable { files: files.clone(), name: server.clone(), cause };
        let url: http::Uri =
            server.parse().map_err(|error: http::uri::InvalidUri| unusable(error.to_string()))?;
        let mut config = Config::new(url);
        config.proxy_url = proxy::choose(&config.cluster_url, None).map_err(unusable)?;
        return Ok(Chosen { config, name: server.clone(), files });
    }
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        let files = "the pod's service account".to_owned();
        let config = Config::incluster().map_err(|error| ClusterError::Unusable {
            files: files.clone(),
            name: "in-cluster".to_owned(),
            cause: chain(&error),
        })?;
        return Ok(Chosen { config, name: "in-cluster".to_owned(), files });
    }
    Err(ClusterError::NoKubeconfig {
        default: default_path().unwrap_or_else(|| PathBuf::from("~/.kube/config")),
    })
}

/// The kubeconfig and the files it was read from; `None` where there is none.
/// Rules of client-go: `--kubeconfig` must exist, files of `KUBECONFIG` may be
/// missing, the first file to name something wins.
fn load(options: &Options) -> Result<(Option<Kubeconfig>, Vec<PathBuf>), ClusterError> {
    if let Some(path) = &options.kubeconfig {
        return Ok((Some(read(path)?), vec![path.clone()]));
    }
    let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .map(|value| {
            std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect()
        })
        .unwrap_or_default();
    let candidates = if listed.is_empty() { default_path().into_iter().collect() } else { listed };
    let files: Vec<PathBuf> = candidates.into_iter().filter(|path| path.exists()).collect();
    let mut merged: Option<Kubeconfig> = None;
    for path in &files {
        let next = read(path)?;
        merged = Some(match merged {
            None => next,
            Some(merged) => merged.merge(next).map_err(|error| unreadable(path, &error))?,
        });
    }
    Ok((merged, files))
}

fn read(path: &Path) -> Result<Kubeconfig, ClusterError> {
    Kubeconfig::read_from(path).map_err(|error| unreadable(path, &error))
}

/// A parser's word may quote the file, and the file holds tokens: only the
/// place is passed on.
fn unreadable(path: &Path, error: &KubeconfigError) -> ClusterError {
    let cause = match error {
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        KubeconfigError::Parse(error) => match error.location() {
            Some(place) => {
                format!("no kubeconfig at line {}, column {}", place.line(), place.column())
            }
            None => "no kubeconfig".to_owned(),
        },
        other => other.to_string(),
    };
    ClusterError::Kubeconfig { path: path.to_path_buf(), cause }
}

fn default_path() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".kube/config"))
}
