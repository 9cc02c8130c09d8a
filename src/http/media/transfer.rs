//! Limits of transfers: how many at once, and how fast for one link; and the flow from the homeserver to a reader.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep_until, timeout},
};
use tracing::debug;

use super::{copy::Copying, decrypt::Decryption};
use crate::ids::MediaId;

/// Transfers at once, in all and of one link.
const TRANSFERS: usize = 64;
const TRANSFERS_OF_LINK: usize = 16;

/// Those who wait for a place. With the transfers they are half of the listener's connections.
const WAITING: usize = 192;

/// Bytes a second that all readers of one link share, and how many are free of that.
const LINK_RATE: u32 = 16 * 1024 * 1024;
const LINK_BURST: Duration = Duration::from_secs(4);

/// The longest wait for a place among the transfers.
const PLACE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that a reader may take for one chunk.
const READER_TIMEOUT: Duration = Duration::from_mins(1);

/// Why a transfer breaks off whose reader has gone.
const GONE: &str = "the reader went away";

/// All transfers under way.
#[derive(Debug, Clone)]
pub(super) struct Transfers {
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    links: Arc<Mutex<HashMap<MediaId, Arc<LinkLimit>>>>,
}

/// What the readers of one link share.
#[derive(Debug)]
struct LinkLimit {
    places: Arc<Semaphore>,
    /// When what has been sent would be through at the link's rate.
    through: Mutex<Instant>,
}

/// A place among the transfers.
#[derive(Debug)]
pub(super) struct Place {
    link: Arc<LinkLimit>,
    _of_link: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// What is sent of a file.
pub(super) struct Plan {
    /// Bytes left out at the beginning.
    pub(super) skip: u64,
    /// Bytes sent after them.
    pub(super) take: u64,
    /// Whether there may be more behind what is sent; else that is an error.
    pub(super) is_part: bool,
    /// How it is decrypted.
    pub(super) decryption: Option<Decryption>,
    /// Where what comes is kept, as it comes, if all of it does.
    pub(super) copying: Option<Copying>,
}

impl Transfers {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(TRANSFERS)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            links: Arc::default(),
        }
    }

    /// A place for a reader of a link; `None` if there are too many.
    pub(super) async fn place(&self, id: &MediaId) -> Option<Place> {
        let link = {
            let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            links.retain(|_, link| Arc::strong_count(link) > 1 || link.is_busy(now));
            let new = || {
                Arc::new(LinkLimit {
                    places: Arc::new(Semaphore::new(TRANSFERS_OF_LINK)),
                    through: Mutex::new(now),
                })
            };
            Arc::clone(links.entry(id.clone()).or_insert_with(new))
        };
        let of_link = Arc::clone(&link.places).try_acquire_owned().ok()?;
        let of_all = if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            place
        } else {
            let _waits = self.waiting.try_acquire().ok()?;
            let place = Arc::clone(&self.places).acquire_owned();
            timeout(PLACE_TIMEOUT, place).await.ok()?.ok()?
        };
        Some(Place {
            link,
            _of_link: of_link,
            _of_all: of_all,
        })
    }
}

impl LinkLimit {
    fn is_busy(&self, now: Instant) -> bool {
        *self.through.lock().unwrap_or_else(PoisonError::into_inner) > now
    }

    /// Waits until so many more bytes are within the link's rate.
    async fn pace(&self, bytes: usize) {
        let cost = Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / LINK_RATE;
        let free = {
            let mut through = self.through.lock().unwrap_or_else(PoisonError::into_inner);
            *through = (*through).max(Instant::now()) + cost;
            *through - LINK_BURST.min(*through - Instant::now())
        };
        sleep_until(free).await;
    }
}

/// Who reads a file.
struct Reader {
    sender: mpsc::Sender<io::Result<Bytes>>,
    /// Open while nothing is on its way.
    gate: Arc<Semaphore>,
}

/// Bytes on their way. They let the next ones in when the last of them is with the kernel: buffers of connections
/// would take several chunks otherwise, each of up to 400 KiB.
struct OnTheirWay {
    bytes: Bytes,
    _gate: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for OnTheirWay {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Reader {
    /// Waits until everything sent is with the kernel.
    async fn ready(&self) -> Result<OwnedSemaphorePermit, &'static str> {
        match timeout(READER_TIMEOUT, Arc::clone(&self.gate).acquire_owned()).await {
            Ok(Ok(gate)) if !self.sender.is_closed() => Ok(gate),
            Ok(_) => Err(GONE),
            Err(_) => Err("the reader does not read"),
        }
    }

    async fn send(&self, bytes: Bytes, gate: OwnedSemaphorePermit) -> Result<(), &'static str> {
        let bytes = Bytes::from_owner(OnTheirWay { bytes, _gate: gate });
        // There is room, since nothing else is on its way.
        self.sender.send(Ok(bytes)).await.map_err(|_| GONE)
    }
}

/// A body that is filled as its reader reads, in a task that gives up a reader who does not.
pub(super) fn body<S, E>(place: Place, plan: Plan, file: S) -> Body
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Send,
{
    let (sender, receiver) = mpsc::channel(1);
    let reader = Reader {
        sender,
        gate: Arc::new(Semaphore::new(1)),
    };
    tokio::spawn(async move {
        if let Err(error) = flow(&place, plan, file, &reader).await {
            debug!(error, "A transfer of media broke off");
            // The reader's connection is broken too, so that it does not take the part for the whole.
            let broken = Err(io::Error::other(error));
            timeout(READER_TIMEOUT, reader.sender.send(broken)).await.ok();
        }
    });
    let chunks = stream::unfold(
        receiver,
        |mut receiver: mpsc::Receiver<io::Result<Bytes>>| async {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        },
    );
    Body::from_stream(chunks)
}

async fn flow<S, E>(place: &Place, plan: Plan, file: S, reader: &Reader) -> Result<(), &'static str>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Send,
{
    let Plan {
        mut skip,
        mut take,
        is_part,
        mut decryption,
        mut copying,
    } = plan;
    let mut file = Box::pin(file);
    let mut send = async |chunk: Bytes, gate: OwnedSemaphorePermit| {
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
        skip -= u64::try_from(skipped).unwrap_or(skip);
        let rest = chunk.slice(skipped..);
        let taken = usize::try_from(take).unwrap_or(usize::MAX).min(rest.len());
        let is_all = taken == rest.len();
        take -= u64::try_from(taken).unwrap_or(take);
        if taken > 0 {
            place.link.pace(taken).await;
            reader.send(rest.slice(..taken), gate).await?;
        }
        Ok::<_, &str>((take == 0, is_all))
    };
    loop {
        // Nothing is read before the reader has taken what was read before.
        let gate = reader.ready().await?;
        let Some(chunk) = file.next().await else { break };
        let chunk = chunk.map_err(|_| "the file broke off where it came from")?;
        if let Some(kept) = copying.take() {
            copying = kept.write(&chunk).await;
        }
        let chunk = match &mut decryption {
            Some(decryption) => decryption.take(&chunk),
            None => chunk,
        };
        match send(chunk, gate).await? {
            (_, false) if !is_part => return Err("the file is longer than it may be"),
            (true, _) if is_part => return Ok(()),
            _ => {}
        }
    }
    if let Some(decryption) = decryption {
        let last = decryption
            .finish()
            .ok_or("the encrypted file is not what was sent")?;
        let (_, is_all) = send(last, reader.ready().await?).await?;
        return is_all.then_some(()).ok_or("the file is longer than it may be");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::TryStreamExt as _;

    use super::*;

    fn id(number: u8) -> MediaId {
        MediaId::from_bytes([number; 12])
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_has_16_readers_and_all_have_64() {
        let transfers = Transfers::new();
        let mut places = Vec::new();
        for link in 0..4 {
            for _ in 0..TRANSFERS_OF_LINK {
                places.push(transfers.place(&id(link)).await.unwrap());
            }
            assert!(transfers.place(&id(link)).await.is_none(), "the 17th of a link");
        }
        let start = Instant::now();
        assert!(transfers.place(&id(9)).await.is_none(), "the 65th of all");
        assert_eq!(start.elapsed(), PLACE_TIMEOUT);
        places.pop();
        assert!(transfers.place(&id(9)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_wait_and_no_more() {
        let transfers = Transfers::new();
        let mut places = Vec::new();
        for reader in 0..TRANSFERS {
            let link = u8::try_from(reader / TRANSFERS_OF_LINK).unwrap();
            places.push(transfers.place(&id(link)).await.unwrap());
        }
        let start = Instant::now();
        let crowd = (0..WAITING + 10).map(|reader| {
            let (transfers, link) = (transfers.clone(), u8::try_from(10 + reader / 4).unwrap());
            tokio::spawn(async move {
                let place = transfers.place(&id(link)).await;
                assert!(place.is_none());
                start.elapsed()
            })
        });
        let waited = futures_util::future::join_all(crowd).await;
        let at_once = waited
            .into_iter()
            .filter(|waited| waited.as_ref().unwrap().is_zero());
        assert_eq!(at_once.count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_readers_of_a_link_share_its_rate() {
        const MEBIBYTES: u64 = 96;
        let transfers = Transfers::new();
        let start = Instant::now();
        let mut readers = Vec::new();
        for _ in 0..2 {
            let place = transfers.place(&id(1)).await.unwrap();
            let chunk = Ok::<_, Infallible>(Bytes::from(vec![0; 1024 * 1024]));
            let file = stream::iter(vec![chunk; usize::try_from(MEBIBYTES).unwrap()]);
            let plan = Plan {
                skip: 0,
                take: MEBIBYTES * 1024 * 1024,
                is_part: false,
                decryption: None,
                copying: None,
            };
            let chunks = body(place, plan, file).into_data_stream();
            readers.push(chunks.try_fold(0, async |length, chunk| Ok(length + chunk.len())));
        }
        for length in futures_util::future::join_all(readers).await {
            assert_eq!(length.unwrap(), 96 * 1024 * 1024);
        }
        // 192 MiB at 16 MiB/s take 12 s, of which the first 4 s are free.
        let seconds = start.elapsed().as_secs_f64();
        assert!((7.5..8.5).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_chunk_is_on_its_way() {
        let place = Transfers::new().place(&id(1)).await.unwrap();
        let read = Arc::new(Semaphore::new(0));
        let counter = Arc::clone(&read);
        let file = stream::iter(vec![Bytes::from_static(b"oars"); 3]).map(move |chunk| {
            counter.add_permits(1);
            Ok::<_, Infallible>(chunk)
        });
        let plan = Plan {
            skip: 0,
            take: 12,
            is_part: false,
            decryption: None,
            copying: None,
        };
        let mut chunks = body(place, plan, file).into_data_stream();
        for number in 1..=3 {
            let chunk = chunks.next().await.unwrap().unwrap();
            // Time stands still while anything can go on.
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(read.available_permits(), number);
            drop(chunk);
        }
        assert!(chunks.next().await.is_none());
    }
}
