//! What stands between a program and a forge: a proxy that fails as told.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::wire::Message;

/// How an exchange fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 502 with a page of HTML; the forge never hears of it.
    Before,
    /// The same, after the forge has done it.
    After,
    /// 429 with `retry-after` of so many seconds; the forge never hears of it.
    TooMany(u32),
    /// 403 with `retry-after`; the forge never hears of it.
    Forbidden(u32),
    /// The forge does it, and its answer is cut in the middle.
    Cut,
    /// The forge does it, and nothing comes back.
    Lost,
    /// A page of HTML with 200; the forge never hears of it.
    Page,
    /// The forge says no with this status and message, and does nothing.
    Says(u16, &'static str),
    /// The answer comes after this long.
    Slow(Duration),
}

/// When somebody looks at an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the forge hears of it.
    Before,
    /// When the forge has done it, before anybody hears of that.
    After,
}

/// Who looks at each exchange, its method and path, and says whether it goes on.
type Watch = Arc<dyn Fn(&str, &str, Moment) -> bool + Send + Sync>;

/// Which exchanges fail, and how often.
#[derive(Clone, Debug)]
struct Rule {
    method: String,
    path: String,
    fault: Fault,
    left: u32,
}

#[derive(Default)]
struct State {
    watch: Option<Watch>,
    busy: usize,
    rules: Vec<Rule>,
    page_of_one: bool,
    done: Vec<(String, String, u16)>,
}

/// A proxy on loopback in front of one forge.
#[derive(Clone)]
pub struct Faults {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Faults {
    /// One in front of a forge: `http://127.0.0.1:3000`. It lives as long as the
    /// process.
    ///
    /// # Panics
    ///
    /// Where no port is to be had.
    pub fn before(web: &str) -> Faults {
        let upstream = web.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State::default()));
        let faults = Faults { address, state };
        let own = faults.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (own, upstream) = (own.clone(), upstream.clone());
                own.lock().busy += 1;
                // A client that goes away ends its own exchange.
                thread::spawn(move || {
                    drop(own.exchange(stream, &upstream));
                    own.lock().busy -= 1;
                });
            }
        });
        faults
    }

    /// Where it is asked.
    pub fn web(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `times` exchanges of this method whose path holds `path` fail.
    pub fn fail(&self, method: &str, path: &str, fault: Fault, times: u32) {
        let (method, path) = (method.to_owned(), path.to_owned());
        self.lock().rules.push(Rule { method, path, fault, left: times });
    }

    /// From now on somebody looks at each exchange; where it shall not go on, its
    /// connection ends.
    pub fn watch(&self, watch: impl Fn(&str, &str, Moment) -> bool + Send + Sync + 'static) {
        self.lock().watch = Some(Arc::new(watch));
    }

    /// How many exchanges are on their way; the forge goes on with one whose
    /// client is gone.
    pub fn busy(&self) -> usize {
        self.lock().busy
    }

    /// Every list comes one entry a page.
    pub fn page_of_one(&self) {
        self.lock().page_of_one = true;
    }

    /// What the forge heard of: method, path and its status.
    pub fn done(&self) -> Vec<(String, String, u16)> {
        self.lock().done.clone()
    }

    /// How often the forge did it: a write of this method whose path ends so, and
    /// was answered with success.
    pub fn effects(&self, method: &str, end: &str) -> usize {
        let is = |(known, path, status): &&(String, String, u16)| {
            known == method && path.ends_with(end) && (200..300).contains(status)
        };
        self.lock().done.iter().filter(is).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault of an exchange, counted down.
    fn take(&self, method: &str, path: &str) -> Option<Fault> {
        let mut state = self.lock();
        let rule = state
            .rules
            .iter_mut()
            .find(|rule| rule.left > 0 && rule.method == method && path.contains(&rule.path))?;
        rule.left -= 1;
        Some(rule.fault.clone())
    }

    fn exchange(&self, mut client: TcpStream, upstream: &str) -> std::io::Result<()> {
        let Some(mut request) = Message::read(&client)? else { return Ok(()) };
        let (method, path) = request.words();
        let (method, path) = (method.to_owned(), path.to_owned());
        let watch = self.lock().watch.clone();
        let goes_on = |moment| watch.as_ref().is_none_or(|watch| watch(&method, &path, moment));
        if !goes_on(Moment::Before) {
            return client.shutdown(Shutdown::Both);
        }
        let fault = self.take(&method, &path);
        let html = |status: &str, more: &[(&str, String)]| {
            let mut headers = vec![("content-type".to_owned(), "text/html".to_owned())];
            headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            let body = b"<html><body>not the forge</body></html>".to_vec();
            Message { start: format!("HTTP/1.1 {status}"), headers, body }
        };
        let wait = |seconds: &u32| [("retry-after", seconds.to_string())];
        match &fault {
            Some(Fault::Before) => return html("502 Bad Gateway", &[]).write(&mut client),
            Some(Fault::Page) => return html("200 OK", &[]).write(&mut client),
            Some(Fault::Says(status, words)) => {
                let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                let body = serde_json::json!({ "message": words }).to_string().into_bytes();
                let start = format!("HTTP/1.1 {status} No");
                return Message { start, headers, body }.write(&mut client);
            }
            Some(Fault::TooMany(seconds)) => {
                return html("429 Too Many Requests", &wait(seconds)).write(&mut client);
            }
            Some(Fault::Forbidden(seconds)) => {
                return html("403 Forbidden", &wait(seconds)).write(&mut client);
            }
            _ => {}
        }
        if self.lock().page_of_one {
            request.start = of_one(&request.start);
        }
        let mut server = TcpStream::connect(upstream)?;
        request.write(&mut server)?;
        let Some(answer) = Message::read(&server)? else { return Ok(()) };
        let heard = path.split('?').next().unwrap_or_default().to_owned();
        self.lock().done.push((method.clone(), heard, answer.status()));
        if !goes_on(Moment::After) {
            return client.shutdown(Shutdown::Both);
        }
        match fault {
            Some(Fault::After) => html("502 Bad Gateway", &[]).write(&mut client),
            Some(Fault::Lost) => client.shutdown(Shutdown::Both),
            Some(Fault::Cut) => {
                client.write_all(answer.head(answer.body.len().max(2)).as_bytes())?;
                client.write_all(&answer.body[..answer.body.len() / 2])?;
                client.shutdown(Shutdown::Both)
            }
            Some(Fault::Slow(time)) => {
                thread::sleep(time);
                answer.write(&mut client)
            }
            _ => answer.write(&mut client),
        }
    }
}

/// A request line that asks for one entry a page.
fn of_one(start: &str) -> String {
    let mut words: Vec<String> = start.split(' ').map(str::to_owned).collect();
    if let Some(path) = words.get_mut(1) {
        for name in ["?limit=", "&limit=", "?per_page=", "&per_page="] {
            if let Some((before, after)) = path.split_once(name) {
                let rest = after.find('&').map_or("", |at| &after[at..]);
                *path = format!("{before}{name}1{rest}");
                break;
            }
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_one() {
        for (line, expected) in [
            ("GET /a?limit=50&page=2 HTTP/1.1", "GET /a?limit=1&page=2 HTTP/1.1"),
            ("GET /a?x=limit&per_page=100 HTTP/1.1", "GET /a?x=limit&per_page=1 HTTP/1.1"),
            ("GET /a HTTP/1.1", "GET /a HTTP/1.1"),
        ] {
            assert_eq!(of_one(line), expected);
        }
    }
}
