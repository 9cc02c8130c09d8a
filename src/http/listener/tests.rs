//! Clients that keep a listener waiting, over real sockets.

use axum::routing::{get, post};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
    time::timeout,
};

use super::*;

/// How long anything may take that has to happen.
const LIMIT: Duration = Duration::from_secs(30);

/// For what is not to run out in a test.
const LONG: Duration = Duration::from_mins(5);

/// The bytes of a text that no socket holds.
const LARGE: usize = 32 * 1024 * 1024;

fn patient() -> Limits {
    Limits {
        connections: 4,
        head: LONG,
        idle: LONG,
        crowded: LONG,
        request: LONG,
        stall: LONG,
        answer: LONG,
        finish: LONG,
    }
}

struct Listening {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

async fn listen(limits: Limits) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let held = Arc::new(Notify::new());
    let released = Arc::clone(&held);
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/say", post(|body: String| async { body }))
        .route("/large", get(|| async { vec![b'x'; LARGE] }))
        .route("/held", get(|| async move { held.notified().await }))
        .route("/release", post(|| async move { released.notify_one() }));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, router, limits, stop.clone()));
    Listening {
        address,
        stop,
        serving,
    }
}

impl Listening {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection on which a request was sent and answered.
    async fn answered(&self) -> TcpStream {
        let mut stream = self.connect().await;
        ask(&mut stream).await.unwrap();
        stream
    }
}

/// Asks for the page, and reads until its text has come; the connection stays open.
async fn ask(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: it\r\n\r\n").await?;
    let mut answer = Vec::new();
    timeout(LIMIT, async {
        while !answer.ends_with(b"here") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    })
    .await
    .expect("it answers in time")
}

/// Reads until the other end closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // Closed with something unread, it is reset.
    let read = timeout(LIMIT, stream.read_to_end(&mut answer));
    _ = read.await.expect("it is closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_client_that_says_nothing_or_half_of_a_head_is_cut_off() {
    let listening = listen(Limits {
        head: Duration::from_millis(300),
        ..patient()
    })
    .await;
    let mut silent = listening.connect().await;
    let mut slow = listening.connect().await;
    let mut good = listening.answered().await;
    let drip = async {
        loop {
            if slow.write_all(b"G").await.is_err() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, drip)
        .await
        .expect("a byte now and then buys no time");
    assert_eq!(until_closed(&mut silent).await, "");
    ask(&mut good)
        .await
        .expect("an idle connection has the time of idle ones");
}

#[tokio::test]
async fn an_idle_connection_is_kept_and_then_closed() {
    let listening = listen(Limits {
        idle: Duration::from_millis(300),
        ..patient()
    })
    .await;
    let mut stream = listening.answered().await;
    ask(&mut stream).await.expect("it is kept");
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_full_listener_closes_who_says_nothing_and_goes_on() {
    let listening = listen(Limits {
        crowded: Duration::from_millis(300),
        ..patient()
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(listening.answered().await);
        idle.push(listening.connect().await);
    }
    ask(&mut listening.connect().await)
        .await
        .expect("a place is made");
    for stream in &mut idle {
        assert_eq!(until_closed(stream).await, "");
    }
}

#[tokio::test]
async fn requests_under_way_keep_their_places() {
    let listening = listen(Limits {
        connections: 2,
        crowded: Duration::ZERO,
        ..patient()
    })
    .await;
    let mut held = listening.connect().await;
    held.write_all(b"GET /held HTTP/1.1\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..4 {
        ask(&mut listening.connect().await).await.unwrap();
    }
    let mut release = listening.connect().await;
    release
        .write_all(b"POST /release HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    assert!(until_closed(&mut held).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_does_not_come_ends_the_request() {
    let listening = listen(Limits {
        request: Duration::from_millis(300),
        ..patient()
    })
    .await;
    let mut stream = listening.connect().await;
    stream
        .write_all(b"POST /say HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf")
        .await
        .unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains(r#""errcode":"M_UNKNOWN""#), "{answer}");
    let mut stream = listening.connect().await;
    stream
        .write_all(b"GET /held HTTP/1.1\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_off() {
    let listening = listen(Limits {
        connections: 1,
        stall: Duration::from_millis(300),
        ..patient()
    })
    .await;
    let mut stalled = listening.connect().await;
    stalled
        .write_all(b"GET /large HTTP/1.1\r\nhost: it\r\n\r\n")
        .await
        .unwrap();
    ask(&mut listening.connect().await)
        .await
        .expect("its place is free again");
}

#[tokio::test]
async fn stopped_it_finishes_what_is_under_way_and_lets_the_rest_go() {
    let listening = listen(patient()).await;
    let mut idle = listening.answered().await;
    let mut silent = listening.connect().await;
    let mut saying = listening.connect().await;
    saying
        .write_all(b"POST /say HTTP/1.1\r\ncontent-length: 4\r\n\r\nhe")
        .await
        .unwrap();
    // Its head has been read once the one behind it was answered.
    ask(&mut listening.connect().await).await.unwrap();
    listening.stop.cancel();
    assert_eq!(until_closed(&mut idle).await, "");
    assert_eq!(until_closed(&mut silent).await, "");
    saying.write_all(b"re").await.unwrap();
    let answer = until_closed(&mut saying).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"),
        "{answer}"
    );
    timeout(LIMIT, listening.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off() {
    let listening = listen(Limits {
        finish: Duration::from_millis(300),
        ..patient()
    })
    .await;
    let mut held = listening.connect().await;
    held.write_all(b"GET /held HTTP/1.1\r\n\r\n").await.unwrap();
    ask(&mut listening.connect().await).await.unwrap();
    listening.stop.cancel();
    timeout(LIMIT, listening.serving).await.unwrap().unwrap();
    assert_eq!(until_closed(&mut held).await, "");
}

/// Begins to read a large answer, and leaves the rest of it.
async fn begin_large(listening: &Listening) -> TcpStream {
    let mut slow = listening.connect().await;
    slow.write_all(b"GET /large HTTP/1.1\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    slow.read_u8().await.unwrap();
    slow
}

#[tokio::test]
async fn an_answer_is_under_way_until_the_last_of_it_is_taken() {
    let listening = listen(Limits {
        connections: 1,
        crowded: Duration::ZERO,
        idle: Duration::from_millis(300),
        ..patient()
    })
    .await;
    let mut slow = begin_large(&listening).await;
    let mut next = listening.connect().await;
    let asked = timeout(CROWDED * 4, ask(&mut next)).await;
    assert!(asked.is_err(), "the place of the slow reader was taken");
    assert!(until_closed(&mut slow).await.len() > LARGE);
}

#[tokio::test]
async fn stopped_it_finishes_what_is_slowly_read() {
    let listening = listen(patient()).await;
    let mut slow = begin_large(&listening).await;
    listening.stop.cancel();
    assert!(until_closed(&mut slow).await.len() > LARGE);
    timeout(LIMIT, listening.serving).await.unwrap().unwrap();
}
