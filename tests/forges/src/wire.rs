//! HTTP/1.1 as far as tests need it: one message a connection, read whole.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A request or an answer.
#[derive(Clone, Debug)]
pub struct Message {
    /// The first line, without its end.
    pub start: String,
    /// The headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body, chunks put together.
    pub body: Vec<u8>,
}

impl Message {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The words of the first line: method and path of a request, protocol and
    /// status of an answer.
    pub fn words(&self) -> (&str, &str) {
        let mut words = self.start.splitn(3, ' ');
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    /// The status of an answer.
    pub fn status(&self) -> u16 {
        self.words().1.parse().unwrap_or_default()
    }

    /// Reads one. `None` at the end of the connection.
    pub fn read(stream: &TcpStream) -> io::Result<Option<Message>> {
        let mut reader = BufReader::new(stream);
        let mut start = String::new();
        if reader.read_line(&mut start)? == 0 {
            return Ok(None);
        }
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim_end();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut message = Message { start: start.trim_end().to_owned(), headers, body: Vec::new() };
        let answer = message.start.starts_with("HTTP/");
        let without = answer && matches!(message.status(), 100..=199 | 204 | 304);
        if message.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size)?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                let at = message.body.len();
                message.body.resize(at + size, 0);
                reader.read_exact(&mut message.body[at..])?;
                reader.read_line(&mut String::new())?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = message.header("content-length") {
            let length = length.parse().map_err(io::Error::other)?;
            message.body.resize(length, 0);
            reader.read_exact(&mut message.body)?;
        } else if answer && !without {
            reader.read_to_end(&mut message.body)?;
        }
        Ok(Some(message))
    }

    /// Writes it, as the last one of the connection.
    pub fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(self.head(self.body.len()).as_bytes())?;
        stream.write_all(&self.body)?;
        stream.flush()
    }

    /// What comes before a body of this length.
    pub fn head(&self, length: usize) -> String {
        let own = ["content-length", "transfer-encoding", "connection", "expect"];
        let mut head = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            if !own.contains(&name.as_str()) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        format!("{head}content-length: {length}\r\nconnection: close\r\n\r\n")
    }
}
