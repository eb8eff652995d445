//! A Redis server of one's own: started on a free port, gone with the process that started it. It keeps nothing on
//! disk, as the one of a real hub need not.
//!
//! A keeper process runs it and waits on a pipe from here: when that pipe ends, because the server was dropped or
//! because this process ended in whatever way, the keeper stops the server at once and removes its folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::Error;

/// The program.
const PROGRAM: &str = "redis-server";

/// Arguments: the port. It answers every line that it is told with a line.
const KEEPER: &str = r#"
port=$1
umask 077
folder=$(mktemp -d /tmp/takmil-redis-XXXXXX) || exit 1
cd "$folder" || exit 1
start() {
    redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$folder" >>log 2>&1 &
    server=$!
    until redis-cli -h 127.0.0.1 -p "$port" ping 2>/dev/null | grep -q PONG; do
        kill -0 "$server" 2>/dev/null || { tail -n 20 log >&2; cd /; rm -rf "$folder"; exit 1; }
        sleep 0.02
    done
}
stop() {
    # A server that stands still hears of it, too.
    kill -KILL "$server" 2>/dev/null
    wait "$server" 2>/dev/null
}
start
echo up
while read -r order; do
    case $order in
        kill) stop ;;
        revive) start ;;
        halt) kill -STOP "$server" ;;
        go) kill -CONT "$server" ;;
    esac
    echo done
done
stop
cd /
rm -rf "$folder"
"#;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The server. Dropping it ends it.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    keeper: Mutex<Keeper>,
}

#[derive(Debug)]
struct Keeper {
    child: Child,
    /// Closed to end the keeper.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Redis {
    /// Starts a server, which takes a moment.
    ///
    /// # Errors
    /// [`Error::NoRedis`] if its program is not on this machine; [`Error::Redis`] if it does not start.
    pub fn start() -> Result<Redis, Error> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file()) {
            return Err(Error::NoRedis);
        }
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map_err(failed)?
            .port();
        let mut child = Command::new("sh")
            .args(["-c", KEEPER, "keeper", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A signal to the group of this process is not to stop the keeper before it has tidied up.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Redis("the keeper has no pipes".to_owned()));
        };
        let mut keeper = Keeper {
            child,
            orders: Some(orders),
            answers: BufReader::new(answers),
        };
        keeper.answer()?;
        Ok(Redis {
            port,
            keeper: Mutex::new(keeper),
        })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks it one thing, in words without spaces, and gives the answer as it comes over the wire.
    ///
    /// # Errors
    /// [`Error::Redis`] if it does not answer, or with what it says is wrong.
    pub fn ask(&self, words: &[&str]) -> Result<String, Error> {
        let mut way = TcpStream::connect(("127.0.0.1", self.port)).map_err(failed)?;
        way.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let question = format!("{}\r\nQUIT\r\n", words.join(" "));
        way.write_all(question.as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        way.read_to_string(&mut answer).map_err(failed)?;
        match answer.strip_prefix('-') {
            Some(wrong) => Err(Error::Redis(wrong.trim_end().to_owned())),
            None => Ok(answer.trim_end_matches("+OK\r\n").to_owned()),
        }
    }

    /// Makes it forget everything.
    ///
    /// # Errors
    /// [`Error::Redis`] if it does not answer.
    pub fn flush(&self) -> Result<(), Error> {
        self.ask(&["FLUSHALL"]).map(drop)
    }

    /// Ends it at once, as a crash would. It forgets everything.
    ///
    /// # Errors
    /// [`Error::Redis`] if its keeper is gone.
    pub fn kill(&self) -> Result<(), Error> {
        self.order("kill")
    }

    /// Starts it again, on the same port.
    ///
    /// # Errors
    /// [`Error::Redis`] if it does not start.
    pub fn revive(&self) -> Result<(), Error> {
        self.order("revive")
    }

    /// Makes it stand still: it takes connections and answers nothing.
    ///
    /// # Errors
    /// [`Error::Redis`] if its keeper is gone.
    pub fn halt(&self) -> Result<(), Error> {
        self.order("halt")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// [`Error::Redis`] if its keeper is gone.
    pub fn go(&self) -> Result<(), Error> {
        self.order("go")
    }

    fn order(&self, order: &str) -> Result<(), Error> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(orders) = &mut keeper.orders {
            writeln!(orders, "{order}").map_err(failed)?;
        }
        keeper.answer()
    }
}

impl Keeper {
    fn answer(&mut self) -> Result<(), Error> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err(Error::Redis(
                "it did not start; what it said stands above".to_owned(),
            )),
            Ok(_) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        // Nothing is left to be done about a keeper that cannot be waited for.
        let _ = self.child.wait();
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::Redis(error.to_string())
}
