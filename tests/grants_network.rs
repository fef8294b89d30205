//! Connections that are granted: to one place by TCP, and nowhere else.

use std::net::TcpListener;

use crate::outside::Outside;
use crate::outside::answering;
use crate::outside::private_name;
use crate::outside::skipped;

fn echo() -> u16 {
    answering(|text| format!("you said {text}"))
}

/// A port of this machine at which nobody listens, for as long as the listener lives.
fn closed_to_guests() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn one_place_is_reached_and_no_other() {
    let port = echo();
    let (other, other_port) = closed_to_guests();
    let outside = Outside::new().allow(format!("net=127.0.0.1:{port}"));
    let denied = "error: Permission denied (os error 2)";
    outside.sees(&[
        (&format!("connect 127.0.0.1:{port} hello"), "you said hello"),
        (&format!("connect 127.0.0.1:{other_port} hello"), denied),
        (&format!("connect 127.0.0.2:{port} hello"), denied),
        (&format!("connect [::1]:{port} hello"), denied),
        (&format!("connect 192.0.2.1:{port} hello"), denied),
        ("raw-lookup localhost", "error: permanent-resolver-failure"),
        ("raw-lookup example.org", "error: permanent-resolver-failure"),
        ("udp", "error: access-denied"),
        ("bind 0", "error: access-denied"),
        (&format!("bind {other_port}"), "error: access-denied"),
        ("listen", "error: access-denied"),
    ]);
    assert_eq!(other.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(outside.imports()["act"], ["wasi:sockets/tcp"]);
}

#[test]
fn a_place_is_reached_by_its_name() {
    let port = echo();
    let outside = Outside::new().allow(format!("net=localhost:{port}"));
    outside.sees(&[
        (&format!("connect localhost:{port} hello"), "you said hello"),
        (&format!("connect LOCALHOST:{port} hello"), "you said hello"),
        (&format!("connect 127.0.0.1:{port} hello"), "you said hello"),
        (&format!("connect localhost:{} hello", port ^ 1), "error: Permission denied (os error 2)"),
        ("raw-lookup example.org", "error: permanent-resolver-failure"),
    ]);
    let imports = &outside.imports()["act"];
    assert_eq!(*imports, ["wasi:sockets/ip-name-lookup", "wasi:sockets/tcp"]);
}

#[test]
fn a_name_does_not_lead_into_a_private_network() {
    let Some(name) = private_name() else {
        skipped("the name of this machine leads to no private address");
        return;
    };
    let (listener, port) = closed_to_guests();
    let outside = Outside::new().allow(format!("net={name}:{port}"));
    outside.sees(&[(
        &format!("connect {name}:{port} hello"),
        "error: Permission denied (os error 2)",
    )]);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn without_a_grant_there_is_no_network() {
    let (listener, port) = closed_to_guests();
    let outside = Outside::new();
    outside.sees(&[
        (&format!("connect 127.0.0.1:{port} hello"), "error: Permission denied (os error 2)"),
        ("raw-lookup localhost", "error: permanent-resolver-failure"),
        ("bind 0", "error: access-denied"),
        ("listen", "error: access-denied"),
        ("udp", "error: access-denied"),
    ]);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert!(outside.imports().is_empty(), "nothing came in");
}

#[test]
fn a_failed_task_is_told_what_to_grant() {
    let (_listener, port) = closed_to_guests();
    let connect = format!("must connect 127.0.0.1:{port} hello");
    let failed = Outside::new().run(&[&connect], &[]).fails(1);
    assert!(failed.stderr.contains("help: it was denied the network: `--allow net=HOST:PORT`"));
    let failed = Outside::new().run(&["must lookup example.org"], &[]).fails(1);
    let help = "help: it was denied to look up example.org: `--allow net=example.org:PORT`";
    assert!(failed.stderr.contains(help), "{failed}");
    let failed = Outside::new().allow("net=127.0.0.1:1").run(&[&connect], &[]).fails(1);
    let help = format!("a connection to 127.0.0.1: `--allow net=127.0.0.1:{port}` grants it");
    assert!(failed.stderr.contains(&help), "{failed}");
    // Of what it could do without, nothing is said.
    let failed = Outside::new().run(&["must fail this way"], &[]).fails(1);
    assert!(!failed.stderr.contains("help:"), "{failed}");
}
