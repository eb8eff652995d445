//! A way over the network that goes bad on demand: a TCP proxy that delays, holds back, drips, breaks or forgets what
//! it is given.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Error;

/// How much is passed on at once.
const CHUNK: usize = 16 * 1024;
/// The pause between two bytes that drip.
const DRIP: Duration = Duration::from_millis(10);

/// What is wrong with the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Nothing.
    Fair,
    /// All comes later.
    Delay {
        /// By how much.
        ms: u64,
    },
    /// Nothing comes until it is fair again, as where packets are lost.
    Stalled,
    /// Single bytes come, slowly.
    Dripping,
    /// Connections break, and new ones too.
    Reset,
    /// Connections are forgotten: nothing comes any more, and nobody says so, even when it is fair again.
    HalfOpen,
}

/// The way. Dropping it breaks all connections.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    target: watch::Sender<Option<SocketAddr>>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    /// A way on a free port of this machine, which leads nowhere yet.
    ///
    /// # Errors
    /// [`Error`] where no port can be had.
    pub async fn start() -> Result<Proxy, Error> {
        let failed = Error::system("no socket can be had on loopback");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(failed)?;
        let address = listener.local_addr();
        let address = address.map_err(Error::system("a socket has no address"))?;
        let (weather, forecast) = watch::channel(Weather::Fair);
        let (target, goal) = watch::channel(None);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, forecast, goal));
        Ok(Proxy {
            address,
            weather,
            target,
            _accepting: accepting,
        })
    }

    /// Where it begins.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it leads from now on.
    pub fn lead_to(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }

    /// Changes the weather.
    pub fn turn(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn accept(
    listener: TcpListener,
    weather: watch::Receiver<Weather>,
    target: watch::Receiver<Option<SocketAddr>>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let target = *target.borrow();
                    connections.spawn(connect(client, target, weather.clone()));
                }
                // Out of file handles, say: no reason to spin.
                Err(_) => sleep(DRIP).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(client: TcpStream, target: Option<SocketAddr>, weather: watch::Receiver<Weather>) {
    let Some(target) = target else { return };
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    for socket in [&client, &server] {
        // Both only spare time; a socket that is gone already fails at the first read.
        let _ = socket.set_nodelay(true);
        // A connection that is dropped breaks instead of ending in order.
        let _ = socket.set_zero_linger();
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let forth = pass(from_client, to_server, weather.clone());
    let back = pass(from_server, to_client, weather);
    tokio::pin!(forth, back);
    // Whichever direction ends first takes the other with it. Of a connection that is forgotten each end has to give up
    // for itself: what is kept of the first keeps the other from hearing of it.
    tokio::select! {
        kept = &mut forth => if kept.is_some() { back.await; },
        kept = &mut back => if kept.is_some() { forth.await; },
    }
}

/// One direction of a connection.
type Direction = (OwnedReadHalf, OwnedWriteHalf);

/// Passes bytes on as the weather allows, until the connection is over. Gives the direction back where it was
/// forgotten, after the end that sends has given up.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) -> Option<Direction> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let is_over = |now: &Weather| matches!(now, Weather::Reset | Weather::HalfOpen);
        let read = tokio::select! {
            read = from.read(&mut chunk) => read.ok(),
            _ = weather.wait_for(is_over) => None,
        };
        let bytes = read.unwrap_or_default();
        if *weather.borrow() == Weather::Stalled {
            // An error says that the proxy has ended, and this connection with it.
            weather
                .wait_for(|now| *now != Weather::Stalled)
                .await
                .ok()?;
        }
        let now = *weather.borrow();
        let data = chunk.get(..bytes).filter(|data| !data.is_empty());
        match now {
            Weather::HalfOpen => return Some(forget(from, to).await),
            Weather::Fair | Weather::Stalled => to.write_all(data?).await.ok()?,
            Weather::Delay { ms } => {
                sleep(Duration::from_millis(ms)).await;
                to.write_all(data?).await.ok()?;
            }
            Weather::Dripping => drip(&mut to, data?, &weather).await.ok()?,
            Weather::Reset => return None,
        }
    }
}

/// Passes single bytes on, as long as the weather is so.
async fn drip(
    to: &mut OwnedWriteHalf,
    data: &[u8],
    weather: &watch::Receiver<Weather>,
) -> std::io::Result<()> {
    let mut rest = data;
    while let Some((byte, after)) = rest.split_first() {
        if *weather.borrow() != Weather::Dripping {
            return to.write_all(rest).await;
        }
        to.write_all(&[*byte]).await?;
        sleep(DRIP).await;
        rest = after;
    }
    Ok(())
}

/// Takes what comes and passes nothing on, until this end gives up.
async fn forget(mut from: OwnedReadHalf, to: OwnedWriteHalf) -> Direction {
    let mut chunk = vec![0; CHUNK];
    while let Ok(1..) = from.read(&mut chunk).await {}
    (from, to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use tokio::time::timeout;

    const SHORT: Duration = Duration::from_millis(150);
    const LONG: Duration = Duration::from_secs(10);

    /// A proxy to a server that sends back what it gets, and a connection through it that works.
    async fn echo() -> (Proxy, TcpStream, JoinSet<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::start().await.unwrap();
        proxy.lead_to(listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (mut from, mut to) = socket.split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
        let mut client = TcpStream::connect(proxy.address).await.unwrap();
        assert_eq!(ask(&mut client, LONG).await, Some(3));
        (proxy, client, server)
    }

    /// Says three bytes; gives how many come back within a time, `Some(0)` where the connection breaks.
    async fn ask(client: &mut TcpStream, patience: Duration) -> Option<usize> {
        if client.write_all(b"abc").await.is_err() {
            return Some(0);
        }
        let mut back = [0; 3];
        let read = timeout(patience, client.read_exact(&mut back)).await;
        read.ok().map(|read| read.unwrap_or(0))
    }

    #[tokio::test]
    async fn what_is_held_back_comes_when_it_is_fair_again() {
        let (proxy, mut client, _server) = echo().await;
        proxy.turn(Weather::Stalled);
        assert_eq!(ask(&mut client, SHORT).await, None);
        proxy.turn(Weather::Fair);
        let mut back = [0; 3];
        let read = timeout(LONG, client.read_exact(&mut back)).await.unwrap();
        assert_eq!((read.unwrap(), &back), (3, b"abc"));
    }

    #[tokio::test]
    async fn what_is_forgotten_never_comes_and_what_breaks_says_so() {
        let (proxy, mut client, _server) = echo().await;
        proxy.turn(Weather::HalfOpen);
        assert_eq!(ask(&mut client, SHORT).await, None);
        proxy.turn(Weather::Fair);
        assert_eq!(ask(&mut client, SHORT).await, None);

        let (proxy, mut client, _server) = echo().await;
        proxy.turn(Weather::Reset);
        assert_eq!(ask(&mut client, LONG).await, Some(0));
    }

    #[tokio::test]
    async fn what_drips_or_is_delayed_comes_whole() {
        let (proxy, mut client, _server) = echo().await;
        for weather in [Weather::Dripping, Weather::Delay { ms: 20 }] {
            proxy.turn(weather);
            assert_eq!(ask(&mut client, LONG).await, Some(3));
        }
    }
}
