use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{advance, timeout};

use super::*;

fn report(remaining: u32, resets_in_seconds: u64) -> Report {
    Report {
        limit: 100,
        remaining,
        resets_in: Duration::from_secs(resets_in_seconds),
    }
}

/// How long one request has to wait now.
async fn wait(budget: &Budget) -> Duration {
    let asked = Instant::now();
    let permit = budget.acquire().await;
    let waited = asked.elapsed();
    drop(permit);
    waited
}

#[tokio::test(start_paused = true)]
async fn a_spent_window_is_waited_out_and_a_second_more() {
    let budget = Budget::new();
    budget.acquire().await.answered(Some(report(1, 40)));
    assert_eq!(wait(&budget).await, Duration::ZERO);
    budget.acquire().await.answered(Some(report(0, 40)));
    assert_eq!(wait(&budget).await, Duration::from_secs(41));
    assert_eq!(wait(&budget).await, Duration::ZERO, "the next window is whole");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_spends_the_window() {
    let budget = Budget::new();
    budget.acquire().await.answered(Some(report(50, 40)));
    let until = budget.acquire().await.refused(Some(Duration::from_secs(30)));
    let ahead = until.duration_since(Timestamp::now());
    assert!(
        (SignedDuration::from_secs(29)..=SignedDuration::from_secs(31)).contains(&ahead),
        "{ahead}"
    );
    assert_eq!(wait(&budget).await, Duration::from_secs(31));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_names_no_end_lasts_a_minute() {
    let budget = Budget::new();
    budget.acquire().await.refused(None);
    assert_eq!(wait(&budget).await, Duration::from_secs(61));
}

#[tokio::test(start_paused = true)]
async fn an_absurd_end_is_not_believed() {
    let budget = Budget::new();
    budget.acquire().await.answered(Some(report(0, 864_000)));
    assert_eq!(wait(&budget).await, Duration::from_secs(601));
}

#[tokio::test(start_paused = true)]
async fn many_callers_never_send_more_than_a_window_allows_and_go_in_order() {
    let budget = Budget::new();
    budget.acquire().await.answered(Some(report(7, 60)));
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let on_their_way = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..30)
        .map(|number| {
            let (budget, order, on_their_way) = (budget.clone(), order.clone(), on_their_way.clone());
            tokio::spawn(async move {
                let permit = budget.acquire().await;
                order.lock().unwrap().push(number);
                on_their_way.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_hours(1)).await;
                drop(permit);
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(
        on_their_way.load(Ordering::SeqCst),
        7,
        "none is answered, so none is known to be left"
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        on_their_way.load(Ordering::SeqCst),
        30,
        "a new window has room for all"
    );
    assert_eq!(*order.lock().unwrap(), (0..30).collect::<Vec<_>>());
    for task in tasks {
        task.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn replies_in_another_order_do_not_raise_what_is_left() {
    let budget = Budget::new();
    budget.acquire().await.answered(Some(report(10, 60)));
    let (one, other) = (budget.acquire().await, budget.acquire().await);
    other.answered(Some(report(0, 60)));
    one.answered(Some(report(1, 59)));
    assert_eq!(budget.state().unwrap().remaining, 0);
    assert_eq!(
        wait(&budget).await,
        Duration::from_secs(61),
        "the later of two jittering ends counts"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_a_past_window_is_not_taken_for_the_next() {
    let budget = Budget::new();
    budget.acquire().await.answered(Some(report(5, 10)));
    let late = budget.acquire().await;
    advance(Duration::from_secs(12)).await;
    budget.acquire().await.answered(Some(report(99, 60)));
    late.answered(Some(report(4, 0)));
    assert_eq!(budget.state().unwrap().remaining, 99);
}

#[tokio::test(start_paused = true)]
async fn before_the_first_reply_requests_go_one_at_a_time() {
    let budget = Budget::new();
    let first = budget.acquire().await;
    assert!(timeout(Duration::from_secs(1), budget.acquire()).await.is_err());
    drop(first);
    let second = budget.acquire().await;
    second.answered(None);
    let _many = (
        budget.acquire().await,
        budget.acquire().await,
        budget.acquire().await,
    );
    assert_eq!(budget.state(), None, "Gitter counts nothing");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_does_not_hold_up_the_others() {
    let budget = Budget::new();
    budget.acquire().await.answered(Some(report(0, 60)));
    assert!(timeout(Duration::from_secs(5), budget.acquire()).await.is_err());
    assert_eq!(wait(&budget).await, Duration::from_secs(56));
}

#[tokio::test(start_paused = true)]
async fn the_state_tells_what_is_left() {
    let budget = Budget::new();
    budget.acquire().await.answered(Some(report(42, 60)));
    let _permit = budget.acquire().await;
    let state = budget.state().unwrap();
    assert_eq!((state.limit, state.remaining), (100, 41));
    let ahead = state.resets_at.unwrap().duration_since(Timestamp::now());
    assert!(
        (SignedDuration::from_secs(59)..=SignedDuration::from_secs(61)).contains(&ahead),
        "{ahead}"
    );
}
