//! A web server on loopback that hands requests to `git http-backend`, and that
//! can be told to fail as real ones do.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a request said.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// The user and password of basic authentication, still in base64.
    pub authorization: Option<String>,
    pub proxy_authorization: Option<String>,
}

/// How the server answers from now on.
#[derive(Clone, Debug)]
pub enum Mood {
    /// As it should.
    Serve,
    /// With a status and nothing else.
    Status(u16),
    /// `Location:` this origin, with the same path.
    Redirect(String),
    /// Not at all: the connection stays open.
    Hang,
    /// Half of what it should, then it closes the connection.
    Truncate,
    /// Everything, this much later.
    Late(Duration),
    /// Pushes happen, and the connection is closed before they are answered.
    SwallowPush,
}

/// A certificate authority that no machine trusts.
pub struct Authority {
    /// Its certificate, for `http.sslCAInfo`.
    pub file: PathBuf,
    server: Arc<ServerConfig>,
}

impl Authority {
    /// One with a certificate for `localhost` and `127.0.0.1`.
    pub fn new(folder: &Path) -> Authority {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        let key = KeyPair::generate().unwrap();
        let file = folder.join("authority.pem");
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Authority { file, server: Arc::new(server) }
    }
}

/// See the module.
pub struct Web {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    tls: Option<Arc<ServerConfig>>,
    /// `user:password` in base64 for each who may enter; without any, all may.
    users: Vec<String>,
    mood: Mutex<Mood>,
    log: Mutex<Vec<Request>>,
    /// Connections that somebody still holds open.
    open: Mutex<usize>,
}

impl Web {
    /// Serves the bare repositories below `root`.
    pub fn start(root: &Path, authority: Option<&Authority>, users: &[(&str, &str)]) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let users = users.iter().map(|(user, word)| base64(&format!("{user}:{word}"))).collect();
        let inner = Arc::new(Inner {
            root: root.to_owned(),
            tls: authority.map(|authority| Arc::clone(&authority.server)),
            users,
            mood: Mutex::new(Mood::Serve),
            log: Mutex::default(),
            open: Mutex::default(),
        });
        let serving = Arc::clone(&inner);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let inner = Arc::clone(&serving);
                thread::spawn(move || {
                    *inner.open.lock().unwrap() += 1;
                    // A client may go away at any time.
                    let _ = inner.connection(connection);
                    *inner.open.lock().unwrap() -= 1;
                });
            }
        });
        Web { address, inner }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `https://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        let scheme = if self.inner.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub fn set(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    /// What was asked since the last time.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.inner.log.lock().unwrap())
    }

    /// How many connections are open now.
    pub fn open(&self) -> usize {
        *self.inner.open.lock().unwrap()
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Inner {
    fn connection(&self, connection: TcpStream) -> io::Result<()> {
        connection.set_read_timeout(Some(Duration::from_secs(60)))?;
        match &self.tls {
            None => self.answer(&mut BufReader::new(connection)),
            Some(config) => {
                let session =
                    ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                let mut stream = BufReader::new(StreamOwned::new(session, connection));
                let done = self.answer(&mut stream);
                stream.get_mut().conn.send_close_notify();
                stream.get_mut().flush()?;
                done
            }
        }
    }

    fn answer<S: Stream>(&self, stream: &mut BufReader<S>) -> io::Result<()> {
        let head = head(stream)?;
        let request = head.request();
        self.log.lock().unwrap().push(request.clone());
        let body = head.body(stream)?;
        let mood = self.mood.lock().unwrap().clone();
        let nothing = |status: u16, header: &str| {
            format!("HTTP/1.1 {status} x\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n")
        };
        match &mood {
            Mood::Status(status) => {
                return stream.get_mut().write_all(nothing(*status, "").as_bytes());
            }
            Mood::Redirect(origin) => {
                let to = format!("Location: {origin}{}\r\n", request.target);
                return stream.get_mut().write_all(nothing(301, &to).as_bytes());
            }
            Mood::Hang => {
                // Until the client goes away.
                while stream.read(&mut [0; 64])? > 0 {}
                return Ok(());
            }
            Mood::Late(length) => thread::sleep(*length),
            Mood::Serve | Mood::Truncate | Mood::SwallowPush => {}
        }
        let user = request.authorization.as_ref();
        let known = user.is_some_and(|user| self.users.contains(user));
        if !self.users.is_empty() && !known {
            let ask = "WWW-Authenticate: Basic realm=\"x\"\r\n";
            return stream.get_mut().write_all(nothing(401, ask).as_bytes());
        }
        let answer = self.backend(&head, &request, &body)?;
        let pushes = request.method == "POST" && request.target.contains("git-receive-pack");
        let length = match mood {
            Mood::SwallowPush if pushes => return Ok(()),
            Mood::Truncate => answer.len() - answer.len() / 4 - 1,
            _ => answer.len(),
        };
        stream.get_mut().write_all(&answer[..length])?;
        stream.get_mut().flush()
    }

    /// What `git http-backend` answers, as a web server passes it on.
    fn backend(&self, head: &Head, request: &Request, body: &[u8]) -> io::Result<Vec<u8>> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let header = |name| head.header(name).unwrap_or_default();
        let mut child = Command::new("git")
            .arg("http-backend")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("REQUEST_METHOD", &request.method)
            .env("CONTENT_TYPE", header("content-type"))
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .env("REMOTE_ADDR", "127.0.0.1")
            .env("REMOTE_USER", "somebody")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdin = child.stdin.take().unwrap();
        let body = body.to_owned();
        let writer = thread::spawn(move || stdin.write_all(&body));
        let output = child.wait_with_output()?.stdout;
        let _ = writer.join();
        let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(output.len());
        let (headers, body) = (&output[..end], output.get(end + 4..).unwrap_or_default());
        let headers = String::from_utf8_lossy(headers);
        let status = headers.lines().find_map(|line| line.strip_prefix("Status: "));
        let mut answer = format!("HTTP/1.1 {}\r\n", status.unwrap_or("200 OK")).into_bytes();
        for line in headers.lines().filter(|line| !line.starts_with("Status: ")) {
            answer.extend(format!("{line}\r\n").bytes());
        }
        let end = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        answer.extend(end.bytes());
        answer.extend(body);
        Ok(answer)
    }
}

/// A request up to its body.
struct Head {
    line: String,
    headers: Vec<(String, String)>,
}

fn head<S: Stream>(stream: &mut BufReader<S>) -> io::Result<Head> {
    let line = line(stream)?;
    let mut headers = Vec::new();
    loop {
        let header = self::line(stream)?;
        if header.is_empty() {
            return Ok(Head { line, headers });
        }
        let (name, value) = header.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line<S: Stream>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

impl Head {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn request(&self) -> Request {
        let mut words = self.line.split(' ').map(str::to_owned);
        let basic = |name| self.header(name).map(|value| value.replace("Basic ", ""));
        Request {
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
            authorization: basic("authorization"),
            proxy_authorization: basic("proxy-authorization"),
        }
    }

    fn body<S: Stream>(&self, stream: &mut BufReader<S>) -> io::Result<Vec<u8>> {
        if self.header("expect").is_some() {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = Vec::new();
        if self.header("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(&line(stream)?, 16).unwrap_or(0);
                let mut chunk = vec![0; length];
                stream.read_exact(&mut chunk)?;
                line(stream)?;
                if length == 0 {
                    return Ok(body);
                }
                body.extend(chunk);
            }
        }
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        body.resize(length.unwrap_or(0), 0);
        stream.read_exact(&mut body)?;
        Ok(body)
    }
}

/// A proxy that makes tunnels, for who names one of `users` where there are any.
pub struct Proxy {
    pub address: SocketAddr,
    log: Arc<Mutex<VecDeque<Request>>>,
}

impl Proxy {
    pub fn start(users: &[(&str, &str)]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let users: Vec<String> =
            users.iter().map(|(user, word)| base64(&format!("{user}:{word}"))).collect();
        let log: Arc<Mutex<VecDeque<Request>>> = Arc::default();
        let writing = Arc::clone(&log);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (users, log) = (users.clone(), Arc::clone(&writing));
                thread::spawn(move || tunnel(connection, &users, &log));
            }
        });
        Proxy { address, log }
    }

    /// What was asked since the last time.
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().drain(..).collect()
    }
}

fn tunnel(
    connection: TcpStream,
    users: &[String],
    log: &Mutex<VecDeque<Request>>,
) -> io::Result<()> {
    let mut client = BufReader::new(connection);
    let request = head(&mut client)?.request();
    log.lock().unwrap().push_back(request.clone());
    let user = request.proxy_authorization;
    if !users.is_empty() && !user.is_some_and(|user| users.contains(&user)) {
        let no = "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\
                  Content-Length: 0\r\nConnection: close\r\n\r\n";
        return client.get_mut().write_all(no.as_bytes());
    }
    let mut server = TcpStream::connect(&request.target)?;
    client.get_mut().write_all(b"HTTP/1.1 200 x\r\n\r\n")?;
    let mut back = (server.try_clone()?, client.get_ref().try_clone()?);
    thread::spawn(move || io::copy(&mut back.0, &mut back.1));
    io::copy(&mut client, &mut server)?;
    server.shutdown(std::net::Shutdown::Write)
}

/// Without another crate: RFC 4648, section 4.
pub fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            out.push(if place > three.len() { '=' } else { char::from(letter) });
        }
    }
    out
}
