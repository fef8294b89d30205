//! Sockets.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::ToSocketAddrs;

use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::ErrorCode;
use wasip2::sockets::network::IpAddressFamily;
use wasip2::sockets::network::IpSocketAddress;
use wasip2::sockets::network::Ipv4SocketAddress;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

use crate::Answer;

pub(crate) fn try_to(word: &str, words: &[&str]) -> Option<Answer> {
    Some(match (word, words) {
        ("connect", [place, text]) => connect(place, text).map_err(|error| error.to_string()),
        ("lookup", [name]) => match (*name, 0).to_socket_addrs() {
            Ok(found) => {
                Ok(format!("{:?}", found.map(|at: SocketAddr| at.ip()).collect::<Vec<_>>()))
            }
            Err(error) => Err(error.to_string()),
        },
        ("raw-lookup", [name]) => {
            resolve_addresses(&instance_network(), name).map(|_| "begun".to_owned()).map_err(named)
        }
        ("bind", [port]) => bind(port.parse().unwrap()),
        ("listen", _) => listen(),
        ("udp", _) => {
            create_udp_socket(IpAddressFamily::Ipv4).map(|_| "made".to_owned()).map_err(named)
        }
        _ => return None,
    })
}

/// Sends a text, and gives what comes back.
fn connect(place: &str, text: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(place)?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn named(error: ErrorCode) -> String {
    error.name().to_owned()
}

/// Takes a port of this machine.
fn bind(port: u16) -> Answer {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(named)?;
    let place = Ipv4SocketAddress { port, address: (127, 0, 0, 1) };
    socket.start_bind(&instance_network(), IpSocketAddress::Ipv4(place)).map_err(named)?;
    socket.finish_bind().map_err(named)?;
    Ok("bound".to_owned())
}

/// Waits for others to connect, at whichever port.
fn listen() -> Answer {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(named)?;
    let anywhere = Ipv4SocketAddress { port: 0, address: (0, 0, 0, 0) };
    socket.start_bind(&instance_network(), IpSocketAddress::Ipv4(anywhere)).map_err(named)?;
    socket.finish_bind().map_err(named)?;
    socket.start_listen().map_err(named)?;
    socket.finish_listen().map_err(named)?;
    Ok("listening".to_owned())
}
