//! HTTP.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::ErrorCode;
use wasip2::http::types::Fields;
use wasip2::http::types::IncomingResponse;
use wasip2::http::types::Method;
use wasip2::http::types::OutgoingBody;
use wasip2::http::types::OutgoingRequest;
use wasip2::http::types::Scheme;
use wasip2::io::streams::StreamError;

use crate::Answer;
use crate::told;

pub(crate) fn try_to(word: &str, words: &[&str]) -> Option<Answer> {
    Some(match (word, words) {
        ("get", [url]) => get(url),
        // How many bytes there are at that place, held one piece at a time.
        ("weigh", [url]) => {
            let mut size = 0;
            ask(url, None).map_err(told).and_then(|answer| {
                receive(&answer, |piece| size += piece.len())?;
                Ok(size.to_string())
            })
        }
        // Sends so many bytes.
        ("post", [url, size]) => {
            ask(url, Some(size.parse().unwrap())).map_err(told).and_then(|answer| text(&answer))
        }
        _ => return None,
    })
}

/// What is at that place, and whereto it redirects.
fn get(url: &str) -> Answer {
    let mut url = url.to_owned();
    for _ in 0..5 {
        let answer = ask(&url, None).map_err(told)?;
        let status = answer.status();
        if !(300..400).contains(&status) {
            return Ok(format!("{status} {}", text(&answer)?));
        }
        let place = answer.headers().get("location").into_iter().next().ok_or("no location")?;
        url = String::from_utf8(place).map_err(told)?;
    }
    Err("redirected too often".to_owned())
}

fn ask(url: &str, sends: Option<usize>) -> Result<IncomingResponse, ErrorCode> {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme)).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).unwrap();
    let body = request.body().unwrap();
    if sends.is_some() {
        request.set_method(&Method::Post).unwrap();
    }
    let answer = handle(request, None)?;
    if let Some(size) = sends {
        send(&body, size);
    }
    OutgoingBody::finish(body, None)?;
    loop {
        match answer.get() {
            Some(answer) => return answer.unwrap(),
            None => answer.subscribe().block(),
        }
    }
}

fn send(body: &OutgoingBody, mut size: usize) {
    let stream = body.write().unwrap();
    while size > 0 {
        let piece = size.min(4096);
        if stream.blocking_write_and_flush(&vec![b'x'; piece]).is_err() {
            // The answer says why.
            return;
        }
        size -= piece;
    }
}

fn text(answer: &IncomingResponse) -> Answer {
    let mut all = Vec::new();
    receive(answer, |piece| all.extend(piece))?;
    Ok(String::from_utf8_lossy(&all).into_owned())
}

fn receive(answer: &IncomingResponse, mut take: impl FnMut(Vec<u8>)) -> Result<(), String> {
    let body = answer.consume().unwrap();
    let stream = body.stream().unwrap();
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(piece) => take(piece),
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}
