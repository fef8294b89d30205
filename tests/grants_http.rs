//! Requests that are granted: to one host, wherever an answer redirects to.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::outside::Outside;
use crate::outside::answering;
use crate::outside::private_name;
use crate::outside::reply;
use crate::outside::serve_http;
use crate::outside::skipped;
use crate::support::PATIENCE;
use crate::support::finished;

const BIG: usize = 100 << 20;

/// A server of many pages: `/`, `/to?URL` which redirects, `/big`, and `/size` which answers how
/// many bytes it was sent.
fn pages() -> (u16, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let port = serve_http(move |path, stream| {
        count.fetch_add(1, Ordering::Relaxed);
        match path.split_once('?').unwrap_or((path, "")) {
            ("/to", url) => reply(stream, "302 Found", &format!("location: {url}\r\n"), ""),
            ("/big", _) => big(stream),
            ("/size", _) => {
                let size = chunks(stream);
                reply(stream, "200 OK", "", &size.to_string());
            }
            _ => reply(stream, "200 OK", "", "hello"),
        }
    });
    (port, asked)
}

fn big(stream: &mut BufReader<TcpStream>) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BIG}\r\nconnection: close\r\n\r\n");
    let stream = stream.get_mut();
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..BIG >> 20 {
        stream.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
}

/// How many bytes are in the chunks of a request.
fn chunks(stream: &mut BufReader<TcpStream>) -> usize {
    let mut total = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        stream.read_exact(&mut vec![0; size + 2]).unwrap();
        total += size;
        if size == 0 {
            return total;
        }
    }
}

#[test]
fn a_host_is_asked_and_no_other() {
    let ((port, asked), (other, strange)) = (pages(), pages());
    let outside = Outside::new().allow(format!("http=127.0.0.1:{port}"));
    let denied = "error: ErrorCode::HttpRequestDenied";
    outside.sees(&[
        (&format!("get http://127.0.0.1:{port}/"), "200 hello"),
        (&format!("get http://127.0.0.1:{port}/to?http://127.0.0.1:{port}/"), "200 hello"),
        (&format!("get http://127.0.0.1:{other}/"), denied),
        (&format!("get http://localhost:{port}/"), denied),
        (&format!("get http://127.0.0.2:{port}/"), denied),
        (&format!("get http://127.1:{port}/"), denied),
        (&format!("get http://[::1]:{port}/"), denied),
        (&format!("get http://[::ffff:127.0.0.1]:{port}/"), denied),
        (&format!("get http://127.0.0.1:{port}@example.org/"), denied),
        ("get http://127.0.0.1/", denied),
        ("get https://127.0.0.1/", denied),
        // An answer may say where to go; the grant stays what it was.
        (&format!("get http://127.0.0.1:{port}/to?http://127.0.0.1:{other}/"), denied),
        (&format!("get http://127.0.0.1:{port}/to?http://localhost:{port}/"), denied),
        (&format!("get http://127.0.0.1:{port}/to?http://169.254.169.254/latest/"), denied),
        // What is granted for HTTP is no grant for sockets.
        (&format!("connect 127.0.0.1:{port} hello"), "error: Permission denied (os error 2)"),
    ]);
    assert_eq!(strange.load(Ordering::Relaxed), 0, "the other server was never asked");
    assert_eq!(asked.load(Ordering::Relaxed), 6);
    assert_eq!(outside.imports()["act"], ["wasi:http/outgoing-handler"]);
}

#[test]
fn a_host_without_a_port_is_asked_at_any() {
    let ((port, _), (other, _)) = (pages(), pages());
    let outside = Outside::new().allow("http=localhost");
    outside.sees(&[
        (&format!("get http://localhost:{port}/"), "200 hello"),
        (&format!("get http://LocalHost.:{port}/to?http://localhost:{other}/"), "200 hello"),
        (&format!("get http://127.0.0.1:{port}/"), "error: ErrorCode::HttpRequestDenied"),
    ]);
}

#[test]
fn without_a_grant_nobody_is_asked() {
    let (port, asked) = pages();
    let outside = Outside::new();
    let get = format!("get http://127.0.0.1:{port}/");
    // Nothing of HTTP is there: not even a request is made.
    let failed = outside.run(&[&get], &[]).fails(1);
    assert!(failed.stderr.contains("it uses wasi:http, and was granted no HTTP"), "{failed}");
    let help = "help: it was granted no HTTP: `--allow http=HOST` grants requests to a host";
    assert!(failed.stderr.contains(help), "{failed}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);

    // With another host granted it is told which one it was.
    let outside = Outside::new().allow("http=example.org");
    let failed = outside.run(&[&format!("must {get}")], &[]).fails(1);
    let help = format!(
        "help: it was denied a request to 127.0.0.1: `--allow http=127.0.0.1:{port}` grants it"
    );
    assert!(failed.stderr.contains(&help), "{failed}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn a_name_does_not_lead_into_a_private_network() {
    let Some(name) = private_name() else {
        skipped("the name of this machine leads to no private address");
        return;
    };
    let (port, asked) = pages();
    let outside = Outside::new().allow(format!("http={name}")).allow("http=127.0.0.1");
    let get = format!("get http://{name}:{port}/");
    outside.sees(&[
        (&get, "error: ErrorCode::DestinationIpProhibited"),
        (
            &format!("get http://127.0.0.1:{port}/to?http://{name}:{port}/"),
            "error: ErrorCode::DestinationIpProhibited",
        ),
    ]);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let failed = outside.run(&[&format!("must {get}")], &[]).fails(1);
    let help = format!("help: the name {name} stands for no public address");
    assert!(failed.stderr.contains(&help), "{failed}");
}

#[test]
fn large_bodies_flow_in_pieces() {
    let (port, _) = pages();
    let outside = Outside::new().allow(format!("http=127.0.0.1:{port}"));
    let lines = [
        &*format!("weigh http://127.0.0.1:{port}/big"),
        &*format!("post http://127.0.0.1:{port}/size {}", 20 << 20),
    ];
    // Neither would fit into the memory of the task.
    outside.run(&lines, &["--memory", "16M"]).done();
    assert_eq!(outside.seen(), [BIG.to_string(), format!("200 {}", 20 << 20).replace("200 ", "")]);
}

/// Somebody waits for something that happens on another thread.
#[derive(Clone, Default)]
struct Bell(Arc<(Mutex<usize>, Condvar)>);

impl Bell {
    fn ring(&self) {
        *self.0.0.lock().unwrap() += 1;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let rung = self.0.0.lock().unwrap();
        let waited = self.0.1.wait_timeout_while(rung, PATIENCE, |rung| *rung == 0).unwrap();
        assert!(!waited.1.timed_out());
    }
}

/// A server that never answers; the bell rings when it is asked.
fn silent() -> (u16, Bell) {
    let bell = Bell::default();
    let ringing = bell.clone();
    let port = serve_http(move |_, stream| {
        ringing.ring();
        let _ = stream.read(&mut [0]);
    });
    (port, bell)
}

#[test]
fn who_is_never_answered_does_not_wait_for_ever() {
    let (port, bell) = silent();
    let outside = Outside::new().allow(format!("http=127.0.0.1:{port}"));
    let get = format!("get http://127.0.0.1:{port}/");
    let begun = Instant::now();
    let failed = outside.run(&[&get], &["--timeout", "500ms"]).fails(1);
    assert!(failed.stderr.contains("its limit of 0.5 s"), "{failed}");
    bell.wait();

    let (port, bell) = silent();
    let outside = Outside::new().allow(format!("http=127.0.0.1:{port}"));
    let mut command = outside.command(&[&format!("get http://127.0.0.1:{port}/")], &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bell.wait();
    let process = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
    let stopped = finished(child.wait_with_output().unwrap()).fails(130);
    assert!(stopped.stderr.contains("was cancelled"), "{stopped}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn who_waits_is_stopped_when_another_task_fails() {
    let (port, bell) = silent();
    let asked = answering(move |_| {
        bell.wait();
        "now".to_owned()
    });
    let outside = Outside::new()
        .allow(format!("http=127.0.0.1:{port}"))
        .allow(format!("net=127.0.0.1:{asked}"));
    let beside = format!("connect 127.0.0.1:{asked} when\nmust fail of something else");
    let begun = Instant::now();
    let lines = [&*format!("get http://127.0.0.1:{port}/")];
    let failed = outside.run(&lines, &["--beside", &beside, "--max-workers", "2"]).fails(1);
    assert!(failed.stderr.contains("Step beside (task 1) failed"), "{failed}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let outside = Outside::new();
    let here = outside.place.path();
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        command.current_dir(here).args(args.split(' ')).stderr(Stdio::null());
        command
    };
    let made = openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 2 -subj /CN=localhost \
         -addext subjectAltName=DNS:localhost",
    );
    let mut made = made;
    if !made.stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        skipped("there is no openssl that makes certificates");
        return;
    }
    let mut server = openssl("s_server -accept 127.0.0.1:0 -cert certificate -key key -www")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(place) = line.strip_prefix("ACCEPT ") {
            break place.rsplit_once(':').unwrap().1.to_owned();
        }
    };
    assert!(fs::exists(here.join("certificate")).unwrap());
    let outside = outside.allow("http=localhost");
    let seen = outside.act(&[&format!("get https://localhost:{port}/")]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(seen, ["error: ErrorCode::TlsCertificateError"]);
}
