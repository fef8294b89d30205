//! What the tests of grants share: a flow that reaches for the outside, and servers for it to find.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::thread;

use serde_json::Value as Json;

use crate::support::Outcome;
use crate::support::Place;
use crate::support::outcome;
use crate::support::own;

/// The flow `tests/flows/outside`, with what it is granted.
pub(crate) struct Outside {
    pub(crate) place: Place,
    allow: Vec<String>,
}

impl Outside {
    pub(crate) fn new() -> Self {
        Self { place: Place::new(), allow: Vec::new() }
    }

    pub(crate) fn allow(mut self, grant: impl Into<String>) -> Self {
        self.allow.extend(["--allow".to_owned(), grant.into()]);
        self
    }

    /// The command that does what the lines say, with further words.
    pub(crate) fn command(&self, lines: &[&str], words: &[&str]) -> Command {
        let mut command = self.place.command(["run"]);
        command.arg(own("outside")).args(["--act", &lines.join("\n")]);
        command.args(&self.allow).args(words);
        command
    }

    pub(crate) fn run(&self, lines: &[&str], words: &[&str]) -> Outcome {
        outcome(&mut self.command(lines, words))
    }

    /// Does what the lines say, and gives what came of each.
    #[track_caller]
    pub(crate) fn act(&self, lines: &[&str]) -> Vec<String> {
        self.run(lines, &["--quiet"]).done();
        self.seen()
    }

    /// What came of each line in the latest run.
    pub(crate) fn seen(&self) -> Vec<String> {
        let seen = self.place.value("latest/act/1/seen");
        seen.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    /// Does what each line says, and compares what came of it.
    #[track_caller]
    pub(crate) fn sees(&self, expected: &[(&str, &str)]) {
        let lines: Vec<&str> = expected.iter().map(|(line, _)| *line).collect();
        let seen = self.act(&lines);
        let seen: Vec<(&str, &str)> =
            lines.into_iter().zip(seen.iter().map(String::as_str)).collect();
        assert_eq!(seen, expected);
    }

    /// By step, the imports through which the outside came into the latest run.
    pub(crate) fn imports(&self) -> BTreeMap<String, Vec<String>> {
        let mut command = self.place.command(["verify", "latest", "--json"]);
        let report = outcome(command.args(&self.allow)).json();
        let finding = |finding: &Json| {
            let imports = finding["imports"].as_array().unwrap().iter();
            let imports = imports.map(|import| import.as_str().unwrap().to_owned()).collect();
            (finding["step"].as_str().unwrap().to_owned(), imports)
        };
        report["findings"].as_array().unwrap().iter().map(finding).collect()
    }
}

/// A server on this machine that takes connections as long as the process is there; gives its port.
pub(crate) fn serve(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    port
}

/// A server that answers what it is told.
pub(crate) fn answering(answer: impl Fn(&str) -> String + Send + Sync + Clone + 'static) -> u16 {
    serve(move |mut stream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        stream.write_all(answer(&text).as_bytes()).unwrap();
    })
}

/// A server for HTTP; `answer` is given the path, and what is left to be read.
pub(crate) fn serve_http(
    answer: impl Fn(&str, &mut BufReader<TcpStream>) + Send + Sync + Clone + 'static,
) -> u16 {
    serve(move |stream| {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        // The headers end with an empty line.
        while line.trim() != "" {
            line.clear();
            stream.read_line(&mut line).unwrap();
        }
        answer(&path, &mut stream);
    })
}

/// Sends an answer whose body is as long as it says.
pub(crate) fn reply(stream: &mut BufReader<TcpStream>, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.get_mut().write_all(text.as_bytes()).unwrap();
}

/// The name of this machine, if it leads to a private address.
pub(crate) fn private_name() -> Option<String> {
    use std::net::IpAddr;
    use std::net::ToSocketAddrs;

    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().to_ascii_lowercase();
    let private = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(_) => false,
    };
    let found: Vec<IpAddr> = (&*name, 0).to_socket_addrs().ok()?.map(|at| at.ip()).collect();
    (name != "localhost" && found.iter().all(|address| private(*address))).then_some(name)
}

/// Says that a test cannot be made on this machine.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is to know")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
