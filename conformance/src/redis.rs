//! A Redis server of one's own: started on a free port, gone with the process that started it. It keeps nothing on
//! disk, as the one of a real hub need not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::keeper::{Keeper, free_port};

/// The program.
const PROGRAM: &str = "redis-server";

/// Arguments: the port.
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
    keeper: Keeper,
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
        let port = free_port().map_err(failed)?;
        let shell = Command::new("sh");
        let (keeper, _) = Keeper::start(shell, KEEPER, &[&port.to_string()]).map_err(failed)?;
        Ok(Redis { port, keeper })
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
        self.keeper.order("kill").map_err(failed)
    }

    /// Starts it again, on the same port.
    ///
    /// # Errors
    /// [`Error::Redis`] if it does not start.
    pub fn revive(&self) -> Result<(), Error> {
        self.keeper.order("revive").map_err(failed)
    }

    /// Makes it stand still: it takes connections and answers nothing.
    ///
    /// # Errors
    /// [`Error::Redis`] if its keeper is gone.
    pub fn halt(&self) -> Result<(), Error> {
        self.keeper.order("halt").map_err(failed)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// [`Error::Redis`] if its keeper is gone.
    pub fn go(&self) -> Result<(), Error> {
        self.keeper.order("go").map_err(failed)
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::Redis(error.to_string())
}
