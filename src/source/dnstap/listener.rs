//! Listens for servers that send dnstap, and takes what they say in turns.
//!
//! One thread serves all connections of a socket and waits for none of them. Their number and what each may hold are
//! bounded; where there are too many, one makes room that never sent a frame, or else the quietest.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};

use super::super::{Intake, Record, TapCounts};
use super::address::DnstapAddress;
use super::connection::{Connection, End};
use super::record;
use crate::day::Timestamp;

/// Connections at a time. A server opens one for each of its threads at most.
const MAX_CONNECTIONS: usize = 64;

/// Octets read at a time.
const ROOM: usize = 64 << 10;

/// How far a frame's time may be from this machine's. Others get the time at which they came: lists are built for the days
/// of packets, and a sender that names any day it likes could keep a sensor busy with that.
const MAX_SKEW: Duration = Duration::from_secs(3_600);

/// How long not to ask for connections after the system refused one.
const PAUSE: Duration = Duration::from_secs(1);

/// What connections come by.
#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Socket {
    fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| Stream::Tcp(stream)),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(listener) => listener.as_fd(),
            Self::Tcp(listener) => listener.as_fd(),
        }
    }
}

/// A connection as a stream that never waits. It is told so with each call: to set it would take a call more that the
/// sandbox need not allow.
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.as_fd().as_raw_fd(), room, MsgFlags::MSG_DONTWAIT)?)
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(send(self.as_fd().as_raw_fd(), octets, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket for dnstap and who is connected to it.
pub struct DnstapListener {
    socket: Socket,
    connections: Vec<Connection<Stream>>,
    /// Whose turn is first.
    first: usize,
    room: Box<[u8]>,
    counts: TapCounts,
    notice: Option<String>,
    /// Until when not to ask for connections.
    deaf: Option<Instant>,
}

impl DnstapListener {
    /// Listens at an address.
    ///
    /// # Errors
    /// One clause that says what failed and what to do.
    pub fn open(address: &DnstapAddress) -> Result<Self, String> {
        let socket = address.listen()?;
        let (connections, counts) = (vec![], TapCounts::default());
        Ok(Self { socket, connections, first: 0, room: vec![0; ROOM].into(), counts, notice: None, deaf: None })
    }

    /// Takes in who waits to be.
    fn accept(&mut self, now: Instant) {
        if self.deaf.is_some_and(|until| now < until) {
            return;
        }
        self.deaf = None;
        // As many as there may be, and no more in one go.
        for _ in 0..MAX_CONNECTIONS {
            match self.socket.accept() {
                Ok(stream) => {
                    if self.connections.len() >= MAX_CONNECTIONS {
                        self.make_room();
                    }
                    self.counts.connections += 1;
                    self.connections.push(Connection::new(stream, now));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Who went away before being taken in.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    self.deaf = Some(now + PAUSE);
                    self.notice = Some(format!("cannot take in a connection: {error}"));
                    return;
                }
            }
        }
    }

    fn make_room(&mut self) {
        let quiet = self.connections.iter().enumerate().min_by_key(|(_, connection)| (connection.told, connection.heard));
        if let Some((place, _)) = quiet {
            self.connections.swap_remove(place);
            self.counts.connections_broken += 1;
            self.notice = Some(format!("has {MAX_CONNECTIONS} connections: the one of least use made room"));
        }
    }
}

impl Intake for DnstapListener {
    fn take(&mut self, most: usize, mut each: impl FnMut(Record<'_>)) -> Result<usize, String> {
        let now = Instant::now();
        self.accept(now);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let arrived = Timestamp::from_parts(since.as_secs(), since.subsec_nanos().into());
        let Self { connections, first, room, counts, notice, .. } = self;
        let (mut taken, count, mut ended) = (0, connections.len(), vec![]);
        for turn in 0..count {
            let place = (*first + turn) % count;
            let (of_this, end) = connections[place].take(most - taken, now, room, &mut |frame| {
                let record = record(frame);
                let far = record.time.as_nanos().abs_diff(arrived.as_nanos()) > MAX_SKEW.as_nanos() as u64;
                each(if far { Record { time: arrived, ..record } } else { record });
            });
            taken += of_this;
            if let Some(end) = end {
                ended.push(place);
                if let End::Broken(why) = end {
                    counts.connections_broken += 1;
                    *notice = Some(format!("had a connection that was broken off: {why}"));
                }
            }
            if taken >= most {
                break;
            }
        }
        // From the last on, so that places stay what they are.
        ended.sort_unstable();
        ended.iter().rev().for_each(|place| drop(connections.swap_remove(*place)));
        *first = (*first + 1) % connections.len().max(1);
        counts.received += taken as u64;
        Ok(taken)
    }

    fn wait(&mut self, most: Duration) {
        let asked = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut waited: Vec<PollFd<'_>> = self.connections.iter().map(|connection| asked(connection.stream.as_fd())).collect();
        if self.deaf.is_none() {
            waited.push(asked(self.socket.as_fd()));
        }
        // Rounded up: a wait of nothing would be none.
        let most = most + Duration::from_micros(999);
        if poll(&mut waited, PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX)).is_err() {
            thread::sleep(most.min(Duration::from_millis(10)));
        }
    }

    fn counts(&mut self) -> TapCounts {
        self.counts
    }

    fn notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    fn accepts(&self) -> bool {
        true
    }
}
