//! A keeper: a shell script that runs a server of one's own and waits on a pipe from here. When that pipe ends, because
//! the server was dropped or because this process ended in whatever way, the keeper stops the server and tidies up.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The keeper. Dropping it ends it, and waits until it has tidied up.
#[derive(Debug)]
pub(crate) struct Keeper(Mutex<Pipes>);

#[derive(Debug)]
struct Pipes {
    child: Child,
    /// Closed to end the keeper.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Keeper {
    /// Has `shell` run a script. It says a line when its server is up, which is given back, and one for each order.
    ///
    /// # Errors
    /// What the system says, or that the server did not start; then the keeper has said why on this process's stderr.
    pub(crate) fn start(
        mut shell: Command,
        script: &str,
        arguments: &[&str],
    ) -> io::Result<(Keeper, String)> {
        let mut child = shell
            .args(["-c", script, "keeper"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A signal to the group of this process is not to stop the keeper before it has tidied up.
            .process_group(0)
            .current_dir("/")
            .spawn()?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the keeper has no pipes"));
        };
        let mut pipes = Pipes {
            child,
            orders: Some(orders),
            answers: BufReader::new(answers),
        };
        let said = pipes.answer()?;
        Ok((Keeper(Mutex::new(pipes)), said))
    }

    /// Gives an order, and waits until it is done.
    ///
    /// # Errors
    /// What the system says, or that the server did not come back.
    pub(crate) fn order(&self, order: &str) -> io::Result<()> {
        let mut pipes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(orders) = &mut pipes.orders {
            writeln!(orders, "{order}")?;
        }
        pipes.answer().map(drop)
    }
}

impl Pipes {
    fn answer(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err(io::Error::other(
                "it did not start; what it said stands above",
            )),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.orders = None;
        // Nothing is left to be done about a keeper that cannot be waited for.
        let _ = self.child.wait();
    }
}

/// A port of the loopback address that nobody listens on.
pub(crate) fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
