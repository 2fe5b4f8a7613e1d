//! A network far away: a TCP proxy that delivers every byte later than it
//! came, without slowing the stream or holding back what is in flight.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A running proxy; it takes no more connections once dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Proxy {
    /// Passes connections on to `target`, with `round_trip` between a question
    /// and its answer, and once more for setting up a connection.
    pub(crate) fn start(target: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopped);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if flag.load(Ordering::Relaxed) {
                    return;
                }
                // A connection that breaks is the caller's to notice: both
                // of its ends are closed by then.
                thread::spawn(move || serve(client, target, round_trip));
            }
        });
        Ok(Self { address, stopped })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener; when that fails it is gone already.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(client: TcpStream, target: SocketAddr, round_trip: Duration) -> io::Result<()> {
    // The handshake of a real connection takes one round trip.
    thread::sleep(round_trip);
    let server = TcpStream::connect(target)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let one_way = round_trip / 2;
    let back = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || carry(back.0, back.1, one_way));
    carry(client, server, one_way);
    Ok(())
}

/// One direction: a reader stamps what comes with the time it is due, a writer
/// waits for that time.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        // An error ends the direction as the end of the stream does.
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + delay, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    });
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    // The other side may have closed first.
    let _ = to.shutdown(Shutdown::Write);
}

/// The median time of 30 questions of one byte through a proxy of that round
/// trip, over one connection: sleeping takes longer than asked, so this is the
/// figure to report.
pub(crate) fn measured_round_trip(round_trip: Duration) -> io::Result<Duration> {
    let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let proxy = Proxy::start(echo.local_addr()?, round_trip)?;
    thread::spawn(move || {
        if let Ok((mut stream, _)) = echo.accept() {
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
        }
    });
    let mut stream = TcpStream::connect(proxy.address())?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    // The first one also waits for the connection to be set up.
    for _ in 0..31 {
        let begin = Instant::now();
        stream.write_all(&[1])?;
        stream.read_exact(&mut [0])?;
        times.push(begin.elapsed());
    }
    let mut sample = crate::stats::Sample::default();
    for time in &times[1..] {
        sample.add(*time, 0);
    }
    Ok(sample.median())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_takes_a_round_trip() {
        let asked = Duration::from_millis(20);
        let measured = measured_round_trip(asked).unwrap();
        assert!(measured >= asked, "{measured:?}");
        assert!(measured < asked * 10, "{measured:?}");
    }

    #[test]
    fn bytes_arrive_whole_and_the_end_is_passed_on() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap(), Duration::from_millis(2)).unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
        let expected = sent.clone();
        let echo = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            stream.write_all(&got).unwrap();
        });
        let mut client = TcpStream::connect(proxy.address()).unwrap();
        client.write_all(&sent).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        echo.join().unwrap();
        assert!(got == expected, "{} of {} bytes", got.len(), expected.len());
    }

    #[test]
    fn what_is_in_flight_overlaps() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap(), Duration::from_millis(100)).unwrap();
        let count = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            stream.read_exact(&mut [0; 50]).unwrap();
            Instant::now()
        });
        let mut client = TcpStream::connect(proxy.address()).unwrap();
        let begin = Instant::now();
        for _ in 0..50 {
            client.write_all(&[0]).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        // One after the other they would take 50 times 50 ms.
        let took = count.join().unwrap().duration_since(begin);
        assert!(took < Duration::from_millis(1500), "{took:?}");
    }
}
