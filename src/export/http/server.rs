//! Listening, accepting, and one turn of the clock for all that is due.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::aside::Aside;
use super::connection::{Connections, Slot, Watched};
use super::events::Events;
use super::web::{Web, Webs};
use super::{Board, Config, routes};

/// How often to look whether to stop, and who is too slow.
const TURN: Duration = Duration::from_millis(100);

/// How often to look whether the web configuration changed, in turns.
const TURNS_BETWEEN_LOOKS: u32 = 10;

/// How long answers on their way have when told to stop.
const FAREWELL: Duration = Duration::from_secs(1);

/// All of a request's head.
const MAX_HEADER_OCTETS: usize = 16 * 1024;

/// A server that listens and does not serve yet: so that the process can give up its rights in between.
pub struct Server {
    config: Config,
    listeners: Vec<TcpListener>,
    webs: Webs,
}

/// What all connections share.
pub(super) struct Site {
    pub(super) config: Config,
    pub(super) board: Arc<dyn Board>,
    webs: Mutex<Webs>,
    pub(super) permits: Arc<Semaphore>,
    /// Checks passwords.
    pub(super) judge: Aside,
    /// Reloads, and looks for sources.
    pub(super) clerk: Aside,
    /// The page as it changes.
    pub(super) events: Events,
    connections: Arc<Connections>,
}

impl Server {
    /// Listens, and reads the web configuration.
    ///
    /// # Errors
    /// One sentence when an address cannot be had, or the configuration is wrong.
    pub fn bind(config: Config) -> Result<Self, String> {
        routes::check_telemetry_path(&config.telemetry_path)?;
        let webs = Webs::load(config.web_config.as_deref())?;
        let mut listeners = vec![];
        for address in &config.listen {
            let refuse = |why: io::Error| format!("cannot listen on {}: {why}; see --web.listen-address", address.escape_debug());
            listeners.append(&mut listen(address).map_err(refuse)?);
        }
        Ok(Self { config, listeners, webs })
    }

    /// Where it listens: the ports are known here where 0 was asked for.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `stop` is raised. Takes the calling thread, and two more that it makes at once.
    ///
    /// # Errors
    /// One sentence when it cannot begin.
    pub fn run(self, board: Arc<dyn Board>, stop: &AtomicBool) -> Result<(), String> {
        let refuse = |why: io::Error| format!("the HTTP server cannot start: {why}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(refuse)?;
        let site = Arc::new(Site {
            permits: Arc::new(Semaphore::new(self.config.max_requests.clamp(1, Semaphore::MAX_PERMITS))),
            connections: Arc::new(Connections::new(self.config.max_connections)),
            events: Events::new(self.config.max_connections),
            judge: Aside::start("http-judge").map_err(refuse)?,
            clerk: Aside::start("http-clerk").map_err(refuse)?,
            webs: Mutex::new(self.webs),
            config: self.config,
            board,
        });
        runtime.block_on(async {
            for listener in self.listeners {
                let listener = tokio::net::TcpListener::from_std(listener).map_err(refuse)?;
                tokio::spawn(accept(listener, Arc::clone(&site)));
            }
            tokio::spawn(Events::broadcast(Arc::clone(&site)));
            site.watch(stop).await;
            Ok(())
        })
    }
}

/// Listens on all addresses that `address` stands for.
fn listen(address: &str) -> io::Result<Vec<TcpListener>> {
    let listener = |address| {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true).map(|()| listener)
    };
    if address.starts_with(':') {
        let any = |host: &str| -> io::Result<Vec<TcpListener>> {
            format!("{host}{address}").to_socket_addrs()?.map(listener).collect()
        };
        // Takes IPv4 as well; not every system has it.
        return any("[::]").or_else(|_| any("0.0.0.0"));
    }
    address.to_socket_addrs()?.map(listener).collect()
}

impl Site {
    /// The web configuration of now.
    pub(super) fn web(&self) -> Arc<Web> {
        self.webs.lock().unwrap_or_else(PoisonError::into_inner).current()
    }

    async fn watch(&self, stop: &AtomicBool) {
        let mut turn = 0_u32;
        while !stop.load(Ordering::Relaxed) {
            sleep(TURN).await;
            self.connections.sweep(&self.config.timeouts);
            turn = turn.wrapping_add(1);
            if turn.is_multiple_of(TURNS_BETWEEN_LOOKS)
                && let Some(sentence) = self.webs.lock().unwrap_or_else(PoisonError::into_inner).look_again()
            {
                self.board.say(&sentence);
            }
        }
        let until = Instant::now() + FAREWELL;
        while self.connections.busy() && Instant::now() < until {
            sleep(TURN / 10).await;
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, site: Arc<Site>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the client is gone already: to try again at once would only burn the processor.
            sleep(TURN / 2).await;
            continue;
        };
        if site.connections.make_room() {
            site.connections.add(|slot| serve(stream, Arc::clone(&site), slot));
        }
    }
}

async fn serve(stream: TcpStream, site: Arc<Site>, slot: Arc<Slot>) {
    // Answers are written whole: to wait for more would only delay them.
    let _ = stream.set_nodelay(true);
    match site.web().tls() {
        None => speak(stream, site, slot).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(site.config.timeouts.header, acceptor.accept(stream)).await {
                speak(stream, site, slot).await;
            }
        }
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send>(stream: S, site: Arc<Site>, slot: Arc<Slot>) {
    let idle = site.config.timeouts.idle;
    let stream = TokioIo::new(Watched::new(stream, Arc::clone(&slot)));
    let service = service_fn(|request| routes::respond(Arc::clone(&site), Arc::clone(&slot), request));
    // hyper's own time-out runs while a connection is idle as well; the sweep tells the two apart, and this is the net below.
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(idle).max_buf_size(MAX_HEADER_OCTETS);
    // A client that breaks the rules or off has nobody to tell.
    let _ = connection.serve_connection(stream, service).await;
}
