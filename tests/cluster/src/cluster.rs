//! A cluster: etcd and kube-apiserver, nothing that acts on objects.

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::assets::Assets;
use crate::audit::{self, AuditEntry};
use crate::supervisor::Supervised;

/// How long a start may take; a busy machine with two cores needed 9 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a cluster is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether requests are logged, for [`Cluster::audit`].
    pub audit: bool,
    /// More arguments for kube-apiserver.
    pub apiserver_arguments: Vec<String>,
}

/// Why a cluster does not start, or a step on it fails.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file, a port or a process cannot be had.
    #[error("cannot {attempt}: {cause}")]
    Io {
        /// What was attempted.
        attempt: String,
        /// What went wrong.
        cause: io::Error,
    },
    /// The service-account key cannot be made.
    #[error("cannot make a service-account key")]
    Key,
    /// A program ended while the cluster came up.
    #[error("{program} ended ({status}):\n{log}")]
    Ended {
        /// `etcd` or `kube-apiserver`.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// The server did not get ready in time.
    #[error("kube-apiserver is not ready after {} s: {last}\n{log}", PATIENCE.as_secs())]
    NotReady {
        /// The last answer.
        last: String,
        /// The end of its log.
        log: String,
    },
    /// kubectl failed.
    #[error("`kubectl {arguments}` failed: {output}")]
    Kubectl {
        /// Its arguments.
        arguments: String,
        /// What it said.
        output: String,
    },
    /// The audit log cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Audit(serde_json::Error),
}

/// A running cluster; stopped and removed when dropped, and also when the
/// process that holds it ends in any other way.
#[derive(Debug)]
pub struct Cluster {
    // Fields drop in this order: the server goes before its store.
    apiserver: Supervised,
    etcd: Supervised,
    folder: tempfile::TempDir,
    kubectl: PathBuf,
    server: String,
}

/// The users of a cluster and their groups; a user's token is its name.
const USERS: [(&str, &str); 3] =
    [("setup", "system:masters"), ("tool", "system:masters"), ("restricted", "guests")];

impl Cluster {
    /// Starts a cluster and waits until it serves.
    pub fn start(assets: &Assets, options: &Options) -> Result<Self, StartError> {
        // Another process may take a port between our choice and its use.
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::try_start(assets, options) {
                Err(StartError::Ended { log, .. })
                    if attempts < 4 && log.contains("address already in use") => {}
                result => return result,
            }
        }
    }

    fn try_start(assets: &Assets, options: &Options) -> Result<Self, StartError> {
        let folder = did("make a temporary folder", tempfile::tempdir())?;
        let path = |name: &str| folder.path().join(name);
        let shown = |name: &str| path(name).display().to_string();
        let [client, peer, secure] = free_ports()?;

        let (private, public) = service_account_key()?;
        write(&path("sa.key"), &private)?;
        write(&path("sa.pub"), &public)?;
        let tokens: String =
            USERS.iter().map(|(user, group)| format!("{user},{user},{user},{group}\n")).collect();
        write(&path("tokens.csv"), &tokens)?;
        write(&path("audit-policy.yaml"), audit::POLICY)?;

        let etcd_url = format!("http://127.0.0.1:{client}");
        let peer_url = format!("http://127.0.0.1:{peer}");
        let mut etcd = did(
            "start etcd",
            Supervised::start(
                &assets.etcd,
                &[
                    format!("--data-dir={}", shown("etcd")),
                    format!("--listen-client-urls={etcd_url}"),
                    format!("--advertise-client-urls={etcd_url}"),
                    format!("--listen-peer-urls={peer_url}"),
                    format!("--initial-advertise-peer-urls={peer_url}"),
                    format!("--initial-cluster=default={peer_url}"),
                    "--unsafe-no-fsync".to_owned(),
                ],
                &path("etcd.log"),
                folder.path(),
            ),
        )?;

        let mut arguments = vec![
            format!("--etcd-servers={etcd_url}"),
            format!("--cert-dir={}", shown("certs")),
            format!("--secure-port={secure}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", shown("sa.pub")),
            format!("--service-account-signing-key-file={}", shown("sa.key")),
            format!("--token-auth-file={}", shown("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            // Nothing makes service accounts here, and pods may be asked about.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ];
        if options.audit {
            arguments.push(format!("--audit-policy-file={}", shown("audit-policy.yaml")));
            arguments.push(format!("--audit-log-path={}", shown("audit.log")));
            arguments.push("--audit-log-mode=blocking-strict".to_owned());
        }
        arguments.extend_from_slice(&options.apiserver_arguments);
        let apiserver = did(
            "start kube-apiserver",
            Supervised::start(
                &assets.kube_apiserver,
                &arguments,
                &path("kube-apiserver.log"),
                folder.path(),
            ),
        );
        let apiserver = match apiserver {
            Ok(apiserver) => apiserver,
            Err(error) => {
                let _ = etcd.ended();
                return Err(error);
            }
        };

        let mut cluster = Self {
            apiserver,
            etcd,
            folder,
            kubectl: assets.kubectl.clone(),
            server: format!("https://127.0.0.1:{secure}"),
        };
        cluster.wait_until_ready(secure)?;
        Ok(cluster)
    }

    fn wait_until_ready(&mut self, port: u16) -> Result<(), StartError> {
        let begin = Instant::now();
        let mut last = "no connection yet".to_owned();
        let mut certificate_known = false;
        while begin.elapsed() < PATIENCE {
            for (program, supervised) in
                [("etcd", &mut self.etcd), ("kube-apiserver", &mut self.apiserver)]
            {
                if let Some(status) = did("watch a program", supervised.ended())? {
                    let log = tail(&self.folder.path().join(format!("{program}.log")));
                    return Err(StartError::Ended { program, status: status.to_string(), log });
                }
            }
            // kubectl costs a tenth of a second of processor time, a
            // connection nothing.
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                if !certificate_known {
                    for (user, _) in USERS {
                        self.write_kubeconfig(user)?;
                    }
                    certificate_known = true;
                }
                match self.kubectl(&["get", "--raw=/readyz"], "") {
                    // The namespaces are made just after the server is ready.
                    Ok(_) => match self.kubectl(&["get", "namespace", "default"], "") {
                        Ok(_) => return Ok(()),
                        Err(error) => last = error.to_string(),
                    },
                    Err(error) => last = error.to_string(),
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = tail(&self.folder.path().join("kube-apiserver.log"));
        Err(StartError::NotReady { last, log })
    }

    fn write_kubeconfig(&self, user: &str) -> Result<(), StartError> {
        let certificate = self.folder.path().join("certs/apiserver.crt");
        let certificate = did("read the server's certificate", fs::read(&certificate))?;
        let text = format!(
            "apiVersion: v1
kind: Config
current-context: test
contexts:
- name: test
  context: {{cluster: test, user: {user}}}
clusters:
- name: test
  cluster:
    server: {server}
    certificate-authority-data: {certificate}
users:
- name: {user}
  user: {{token: {user}}}
",
            server = self.server,
            certificate = BASE64.encode(certificate),
        );
        write(&self.path_of(user), &text)
    }

    fn path_of(&self, user: &str) -> PathBuf {
        self.folder.path().join(format!("{user}.kubeconfig"))
    }

    /// The kubeconfig of `tool`, who may do everything, and whom the audit log
    /// tells from the user of [`Cluster::kubectl`].
    pub fn kubeconfig(&self) -> PathBuf {
        self.path_of("tool")
    }

    /// The kubeconfig of `restricted` (group `guests`), who may do nothing but
    /// discover, unless a test grants more.
    pub fn restricted_kubeconfig(&self) -> PathBuf {
        self.path_of("restricted")
    }

    /// The address of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The folder that holds everything of this cluster.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs kubectl as `setup`, who may do everything, and returns its stdout.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String, StartError> {
        let output = self.kubectl_output(arguments, input)?;
        if !output.status.success() {
            return Err(StartError::Kubectl {
                arguments: arguments.join(" "),
                output: String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Like [`Cluster::kubectl`], for commands whose status is an answer
    /// (`kubectl diff`): what it printed, and how it ended.
    pub fn kubectl_output(&self, arguments: &[&str], input: &str) -> Result<Output, StartError> {
        let mut child = did(
            "run kubectl",
            Command::new(&self.kubectl)
                .arg("--kubeconfig")
                .arg(self.path_of("setup"))
                .arg("--cache-dir")
                .arg(self.folder.path().join("kubectl-cache"))
                .args(arguments)
                .env_remove("HTTPS_PROXY")
                .env_remove("https_proxy")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn(),
        )?;
        let mut stdin = child.stdin.take().expect("stdin was asked for as a pipe");
        // A thread, since kubectl may answer before it has read everything.
        let output = std::thread::scope(|scope| {
            scope.spawn(move || {
                // kubectl that does not want its input says so by its status.
                let _ = stdin.write_all(input.as_bytes());
            });
            child.wait_with_output()
        });
        did("run kubectl", output)
    }

    /// Every request so far, in the order the server got them; nothing without
    /// [`Options::audit`]. A request whose answer was seen is there.
    pub fn audit(&self) -> Result<Vec<AuditEntry>, StartError> {
        let path = self.folder.path().join("audit.log");
        let log = did("read the audit log", fs::read_to_string(path))?;
        // A last line that is still being written is of a request without an answer.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        audit::parse(whole).map_err(StartError::Audit)
    }
}

fn free_ports() -> Result<[u16; 3], StartError> {
    // All are bound before one is let go, so that they differ.
    let bind = || did("find a free port", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listeners = [bind()?, bind()?, bind()?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = did("find a free port", listener.local_addr())?.port();
    }
    Ok(ports)
}

/// A fresh P-256 key, private and public: kube-apiserver signs and verifies
/// service-account tokens with it.
fn service_account_key() -> Result<(String, String), StartError> {
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
    /// What stands before the point in the SubjectPublicKeyInfo of a P-256
    /// key (RFC 5480).
    const P256: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let private = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| StartError::Key)?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref(), &random)
        .map_err(|_| StartError::Key)?;
    let public = [&P256[..], pair.public_key().as_ref()].concat();
    Ok((pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", &public)))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| error.to_string());
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn write(path: &Path, text: &str) -> Result<(), StartError> {
    did(&format!("write {}", path.display()), fs::write(path, text))
}

fn did<T>(attempt: &str, result: io::Result<T>) -> Result<T, StartError> {
    result.map_err(|cause| StartError::Io { attempt: attempt.to_owned(), cause })
}
