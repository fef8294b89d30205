//! `wasi:http`: requests to the hosts that are granted. Redirects are not followed here: a guest
//! that follows one sends another request, which is looked at like the first.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::LazyLock;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use http::Response;
use http::Uri;
use http::uri::PathAndQuery;
use http::uri::Scheme;
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use hyper::client::conn::http1;
use hyper::rt::Read;
use hyper::rt::Write;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi::runtime;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::RequestOptions;
use wasmtime_wasi_http::Result;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::WasiHttpHooks;

use crate::Access;
use crate::access::Denied;

/// How long a guest waits that does not say how long: to connect, for the first byte, and between
/// two pieces of the answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the host keeps for a guest that uses HTTP.
pub(crate) struct Http {
    pub(super) context: WasiHttpCtx,
    pub(super) hooks: Hooks,
}

impl Http {
    pub(super) fn new(access: &Access, denied: &Denied) -> Self {
        let hooks = Hooks { access: access.clone(), denied: denied.clone() };
        Self { context: WasiHttpCtx::new(), hooks }
    }
}

/// Sends the requests of a guest.
pub(super) struct Hooks {
    access: Access,
    denied: Denied,
}

type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>)>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        // What became of the body of the answer is of no interest to anybody here.
        _: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (access, denied) = (self.access.clone(), self.denied.clone());
        let options = options.unwrap_or_default();
        Box::new(async move { send(&access, &denied, request, options).await })
    }
}

async fn send(
    access: &Access,
    denied: &Denied,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Sent {
    let uri = request.uri();
    let secure = uri.scheme() == Some(&Scheme::HTTPS);
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
    if !access.may_request(&host, port) {
        denied.note_http(&host, port);
        return Err(Error::HttpRequestDenied);
    }
    let connect = async {
        // The address that is connected to is the one that was looked at: no second lookup.
        let addresses = access.addresses(&host).await.map_err(Error::Connect)?;
        if addresses.is_empty() {
            denied.note_private(&host);
            return Err(Error::DestinationIpProhibited);
        }
        let places: Vec<SocketAddr> =
            addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        let stream = TcpStream::connect(&*places).await.map_err(Error::Connect)?;
        if secure {
            let name =
                ServerName::try_from(host.clone()).map_err(|_| Error::HttpRequestUriInvalid)?;
            let stream = TlsConnector::from(Arc::clone(&TLS)).connect(name, stream).await;
            exchange(TokioIo::new(stream.map_err(no_trust)?)).await
        } else {
            exchange(TokioIo::new(stream)).await
        }
    };
    let limit = options.connect_timeout.unwrap_or(PATIENCE);
    let mut sender = timeout(limit, connect).await.map_err(|_| Error::ConnectionTimeout)??;
    let answer = sender.requests.send_request(to_server(request));
    let limit = options.first_byte_timeout.unwrap_or(PATIENCE);
    let answer = timeout(limit, answer).await.map_err(|_| Error::ConnectionReadTimeout)??;
    let limit = options.between_bytes_timeout.unwrap_or(PATIENCE);
    let answer = answer.map(|body| Patient { body, limit, wait: None }.boxed_unsync());
    let Connection { driver, .. } = sender;
    Ok((answer, Box::new(async move { driver.await.map_err(Error::from) })))
}

/// Why there is no TLS with the server: a certificate that nobody vouches for is told apart.
fn no_trust(error: io::Error) -> Error {
    match error.get_ref().and_then(|cause| cause.downcast_ref()) {
        Some(tokio_rustls::rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        _ => Error::Tls(error),
    }
}

/// A connection on which requests can be sent, and what moves its bytes.
struct Connection {
    requests: http1::SendRequest<WasiBody>,
    driver: runtime::AbortOnDropJoinHandle<std::result::Result<(), hyper::Error>>,
}

async fn exchange(stream: impl Read + Write + Send + Unpin + 'static) -> Result<Connection> {
    let (requests, connection) = http1::handshake(stream).await?;
    Ok(Connection { requests, driver: runtime::spawn(connection) })
}

/// The request as it is written to the server itself, which is not told its own name in it: that
/// is in the header `host`.
fn to_server(mut request: Request<WasiBody>) -> Request<WasiBody> {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    request
}

/// Trusts the authorities that browsers trust.
static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
});

/// The body of an answer whose next piece is not waited for longer than the limit.
struct Patient {
    body: Incoming,
    limit: Duration,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Body for Patient {
    type Data = hyper::body::Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.wait = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let limit = self.limit;
        let wait = self.wait.get_or_insert_with(|| Box::pin(sleep(limit)));
        wait.as_mut().poll(context).map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
