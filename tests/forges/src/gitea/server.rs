//! A Gitea of the tests' own.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use gitops_test_cluster::supervisor::Supervised;
use serde_json::Value;

use crate::wire::Message;

/// How long a start may take; a busy machine with two cores needed 12 s.
const PATIENCE: Duration = Duration::from_secs(120);

/// The password of everybody.
pub(super) const PASSWORD: &str = "password";

/// A running server; killed and removed when the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Server {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    pub(super) ssh_port: u16,
    _running: Supervised,
}

impl Server {
    /// Starts one and waits until it serves.
    pub(super) fn start(program: &Path) -> Result<Server, String> {
        // Another process may take a port between our choice and its use.
        for _ in 0..3 {
            match Server::try_start(program) {
                Err(error) if error.contains("address already in use") => {}
                result => return result,
            }
        }
        Server::try_start(program)
    }

    fn try_start(program: &Path) -> Result<Server, String> {
        let temporary = tempfile::tempdir().map_err(|error| error.to_string())?;
        // The supervisor takes it away, since a static is never dropped.
        let folder = temporary.keep();
        let [port, ssh_port] = free_ports().map_err(|error| error.to_string())?;
        let written = write_settings(program, &folder, port, ssh_port);
        written.map_err(|error| format!("{}: {error}", folder.display()))?;
        let shown = |name: &str| folder.join(name).display().to_string();
        let arguments = [
            format!("HOME={}", shown("home")),
            format!("GITEA_WORK_DIR={}", folder.display()),
            program.display().to_string(),
            "web".into(),
            "-c".into(),
            shown("app.ini"),
        ];
        let log = folder.join("log");
        let running = Supervised::start(Path::new("/usr/bin/env"), &arguments, &log, &folder)
            .map_err(|error| error.to_string())?;
        let program = program.to_owned();
        let mut server = Server { program, folder, port, ssh_port, _running: running };
        let since = Instant::now();
        loop {
            if server.ask("GET", "/healthz", None, None).is_ok_and(|(status, _)| status == 200) {
                return Ok(server);
            }
            let end = || fs::read_to_string(&log).unwrap_or_default();
            if let Ok(Some(status)) = server._running.ended() {
                return Err(format!("gitea ended ({status}):\n{}", end()));
            }
            if since.elapsed() > PATIENCE {
                return Err(format!("gitea does not serve:\n{}", end()));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    pub(super) fn web(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `gitea …` on the running server.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.program)
            .args(["-c", &self.folder.join("app.ini").display().to_string()])
            .args(arguments)
            .env("HOME", self.folder.join("home"))
            .env("GITEA_WORK_DIR", &self.folder)
            .output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// A call: status and body. `who` is a token, or a user's name for a password.
    pub(super) fn call(&self, who: &Auth, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { None } else { Some(body) };
        self.ask(method, &format!("/v1{path}"), Some(who), body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        who: Option<&Auth>,
        body: Option<Value>,
    ) -> io::Result<(u16, Value)> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut headers = vec![("host".to_owned(), format!("127.0.0.1:{}", self.port))];
        headers.extend(who.map(|who| ("authorization".to_owned(), who.header())));
        headers.push(("content-type".into(), "application/json".into()));
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let start = format!("{method} /api{path} HTTP/1.1");
        Message { start, headers, body }.write(&mut stream)?;
        let Some(answer) = Message::read(&stream)? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        Ok((answer.status(), serde_json::from_slice(&answer.body).unwrap_or(Value::Null)))
    }
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) enum Auth {
    /// By a token.
    Token(String),
    /// By the password that everybody has.
    Login(&'static str),
}

impl Auth {
    fn header(&self) -> String {
        match self {
            Auth::Token(token) => format!("token {token}"),
            Auth::Login(login) => {
                format!("Basic {}", BASE64.encode(format!("{login}:{PASSWORD}")))
            }
        }
    }
}

fn free_ports() -> io::Result<[u16; 2]> {
    // Both are held until both are known, so that they differ.
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, two) = (bind()?, bind()?);
    Ok([one.local_addr()?.port(), two.local_addr()?.port()])
}

fn write_settings(program: &Path, folder: &Path, port: u16, ssh_port: u16) -> io::Result<()> {
    let secret = |kind: &str| -> io::Result<String> {
        let output = Command::new(program).args(["generate", "secret", kind]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let id = |flag: &str| -> io::Result<String> {
        let output = Command::new("id").arg(flag).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let user = id("-un")?;
    let root = if id("-u")? == "0" { "I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true\n" } else { "" };
    let (at, shared) = (folder.display(), program.with_file_name("static"));
    let (key, token) = (secret("SECRET_KEY")?, secret("INTERNAL_TOKEN")?);
    fs::create_dir_all(folder.join("home"))?;
    let settings = format!(
        "{root}RUN_MODE = prod\nRUN_USER = {user}\nWORK_PATH = {at}\n\
         [server]\nHTTP_ADDR = 127.0.0.1\nHTTP_PORT = {port}\nROOT_URL = http://127.0.0.1:{port}/\n\
         DOMAIN = 127.0.0.1\nAPP_DATA_PATH = {at}/data\nSTATIC_ROOT_PATH = {shared}\n\
         OFFLINE_MODE = true\nSTART_SSH_SERVER = true\nBUILTIN_SSH_SERVER_USER = git\n\
         SSH_LISTEN_HOST = 127.0.0.1\nSSH_LISTEN_PORT = {ssh_port}\nSSH_PORT = {ssh_port}\n\
         SSH_DOMAIN = 127.0.0.1\n\
         [database]\nDB_TYPE = sqlite3\nPATH = {at}/data/gitea.db\nSQLITE_JOURNAL_MODE = WAL\n\
         [repository]\nROOT = {at}/repos\nDEFAULT_BRANCH = main\n\
         [security]\nINSTALL_LOCK = true\nSECRET_KEY = {key}\nINTERNAL_TOKEN = {token}\n\
         PASSWORD_HASH_ALGO = pbkdf2$1000$10\nMIN_PASSWORD_LENGTH = 4\nPASSWORD_COMPLEXITY = off\n\
         [webhook]\nALLOWED_HOST_LIST = loopback\n[queue]\nTYPE = channel\n\
         [session]\nPROVIDER = memory\n[indexer]\nISSUE_INDEXER_TYPE = db\n\
         [oauth2]\nENABLED = false\n[cron]\nENABLED = false\n[actions]\nENABLED = false\n\
         [packages]\nENABLED = false\n[mailer]\nENABLED = false\n\
         [service]\nDISABLE_REGISTRATION = true\n[log]\nMODE = console\nLEVEL = warn\n",
        shared = shared.display(),
    );
    fs::write(folder.join("app.ini"), settings)
}
