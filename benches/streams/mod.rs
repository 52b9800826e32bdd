//! Bodies without end through a proxy, and the memory that it needs for them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and ends at what it did not expect"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::proxy;

const CHUNK: usize = 64 << 10;
/// MiB for a transfer.
const MOST: u64 = 30;

/// Sends chunks through a proxy in each direction.
pub(crate) fn transfer(home: &Path, megabytes: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || exchange(stream.unwrap(), megabytes));
        }
    });
    let (process, address, token) = proxy(home, &format!("http://{server}"), "ntro_bench_key");
    let head = format!("Host: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n");
    let mut buffer = vec![0; 1 << 20];
    let mut drain = |stream: &mut TcpStream| {
        let mut size = 0;
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => return size,
                read => size += read,
            }
        }
    };
    let rate = |start: Instant| megabytes as f64 / start.elapsed().as_secs_f64();

    println!("### {megabytes} MiB in chunks\n");
    println!("| direction | MiB/s | peak memory so far, MiB |");
    println!("| --- | ---: | ---: |");
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /down HTTP/1.1\r\n{head}\r\n").unwrap();
    assert!(drain(&mut stream) > megabytes << 20);
    println!("| down | {:.0} | {} |", rate(start), process.peak());

    let start = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "PUT /up HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n"
    )
    .unwrap();
    send_chunks(&mut stream, megabytes);
    drain(&mut stream);
    let peak = process.peak();
    println!("| up | {:.0} | {peak} |\n", rate(start));
    assert!(peak < MOST, "a transfer takes {MOST} MiB or more");
}

/// Opens streams of events, each of which gets one at its beginning and one once all are open.
pub(crate) fn keep_open(home: &Path, count: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let served = thread::spawn(move || {
        let accepted = listener.incoming().take(count);
        let mut open: Vec<_> = accepted.map(|stream| begin(stream.unwrap())).collect();
        for stream in &mut open {
            stream.write_all(b"data: last\n\n").unwrap();
        }
        open
    });
    let (process, address, token) = proxy(home, &format!("http://{server}"), "ntro_bench_key");
    let before = process.peak();
    let start = Instant::now();
    let request =
        format!("GET /events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut streams: Vec<_> = (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            let longest = Some(Duration::from_secs(60));
            stream.set_read_timeout(longest).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let open = served.join().unwrap();
    for stream in &mut streams {
        let mut lines = BufReader::new(stream).lines();
        assert!(lines.any(|line| line.unwrap() == "data: last"));
    }
    println!("### {count} open streams of events\n");
    println!("| | |");
    println!("| --- | ---: |");
    println!(
        "| until the last event arrived on all, s | {:.2} |",
        start.elapsed().as_secs_f64()
    );
    println!("| memory before, MiB | {before} |");
    println!("| peak memory, MiB | {} |", process.peak());
    drop(open);
}

/// Reads a request and begins a stream of events.
fn begin(mut stream: TcpStream) -> TcpStream {
    let mut lines = BufReader::new(&mut stream).lines();
    while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: first\n\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn send_chunks(stream: &mut TcpStream, megabytes: usize) {
    let mut chunk = format!("{CHUNK:x}\r\n").into_bytes();
    chunk.extend(
        b"a stream of text such as an answer has "
            .iter()
            .cycle()
            .take(CHUNK),
    );
    chunk.extend(b"\r\n");
    for _ in 0..(megabytes << 20) / CHUNK {
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
}

/// Reads a request and answers a download with chunks.
fn exchange(mut stream: TcpStream, megabytes: usize) {
    let mut seen = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    let mut has_head = false;
    loop {
        let read = stream.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..read]);
        has_head |= seen.windows(4).any(|four| four == b"\r\n\r\n");
        if has_head && (seen.starts_with(b"GET") || seen.ends_with(b"0\r\n\r\n")) {
            break;
        }
        if has_head {
            let kept = seen.len().saturating_sub(8);
            seen.drain(..kept);
        }
    }
    let is_download = seen.starts_with(b"GET");
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .unwrap();
    send_chunks(&mut stream, if is_download { megabytes } else { 0 });
}
