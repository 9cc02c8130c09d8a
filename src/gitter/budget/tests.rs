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
    let permit = budget.acquire(Class::Live).await;
    let waited = asked.elapsed();
    drop(permit);
    waited
}

#[tokio::test(start_paused = true)]
async fn a_spent_window_is_waited_out_and_a_second_more() {
    let budget = Budget::new();
    budget.acquire(Class::Live).await.answered(Some(report(1, 40)));
    assert_eq!(wait(&budget).await, Duration::ZERO);
    budget.acquire(Class::Live).await.answered(Some(report(0, 40)));
    assert_eq!(wait(&budget).await, Duration::from_secs(41));
    assert_eq!(wait(&budget).await, Duration::ZERO, "the next window is whole");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_spends_the_window() {
    let budget = Budget::new();
    budget.acquire(Class::Live).await.answered(Some(report(50, 40)));
    let until = budget
        .acquire(Class::Live)
        .await
        .refused(Some(Duration::from_secs(30)));
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
    budget.acquire(Class::Live).await.refused(None);
    assert_eq!(wait(&budget).await, Duration::from_secs(61));
}

#[tokio::test(start_paused = true)]
async fn an_absurd_end_is_not_believed() {
    let budget = Budget::new();
    budget
        .acquire(Class::Live)
        .await
        .answered(Some(report(0, 864_000)));
    assert_eq!(wait(&budget).await, Duration::from_secs(601));
}

#[tokio::test(start_paused = true)]
async fn many_callers_never_send_more_than_a_window_allows_and_go_in_order() {
    let budget = Budget::new();
    budget.acquire(Class::Live).await.answered(Some(report(7, 60)));
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let on_their_way = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..30)
        .map(|number| {
            let (budget, order, on_their_way) = (budget.clone(), order.clone(), on_their_way.clone());
            tokio::spawn(async move {
                let permit = budget.acquire(Class::Live).await;
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
    budget.acquire(Class::Live).await.answered(Some(report(10, 60)));
    let (one, other) = (
        budget.acquire(Class::Live).await,
        budget.acquire(Class::Live).await,
    );
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
    budget.acquire(Class::Live).await.answered(Some(report(5, 10)));
    let late = budget.acquire(Class::Live).await;
    advance(Duration::from_secs(12)).await;
    budget.acquire(Class::Live).await.answered(Some(report(99, 60)));
    late.answered(Some(report(4, 0)));
    assert_eq!(budget.state().unwrap().remaining, 99);
}

#[tokio::test(start_paused = true)]
async fn before_the_first_reply_requests_go_one_at_a_time() {
    let budget = Budget::new();
    let first = budget.acquire(Class::Live).await;
    assert!(
        timeout(Duration::from_secs(1), budget.acquire(Class::Live))
            .await
            .is_err()
    );
    drop(first);
    let second = budget.acquire(Class::Live).await;
    second.answered(None);
    let _many = (
        budget.acquire(Class::Live).await,
        budget.acquire(Class::Live).await,
        budget.acquire(Class::Live).await,
    );
    assert_eq!(budget.state(), None, "Gitter counts nothing");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_does_not_hold_up_the_others() {
    let budget = Budget::new();
    budget.acquire(Class::Live).await.answered(Some(report(0, 60)));
    assert!(
        timeout(Duration::from_secs(5), budget.acquire(Class::Live))
            .await
            .is_err()
    );
    assert_eq!(wait(&budget).await, Duration::from_secs(56));
}

#[tokio::test(start_paused = true)]
async fn the_state_tells_what_is_left() {
    let budget = Budget::new();
    budget.acquire(Class::Live).await.answered(Some(report(42, 60)));
    let _permit = budget.acquire(Class::Live).await;
    let state = budget.state().unwrap();
    assert_eq!((state.limit, state.remaining), (100, 41));
    let ahead = state.resets_at.unwrap().duration_since(Timestamp::now());
    assert!(
        (SignedDuration::from_secs(59)..=SignedDuration::from_secs(61)).contains(&ahead),
        "{ahead}"
    );
}

/// A budget with so many requests left, and those that wait for more, by name.
async fn spent(
    left: u32,
    waiting: &[(&'static str, Class)],
) -> (Budget, Arc<std::sync::Mutex<Vec<&'static str>>>) {
    let budget = Budget::new();
    budget.acquire(Class::Live).await.answered(Some(report(left, 60)));
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    for (name, class) in waiting.iter().copied() {
        let (budget, order) = (budget.clone(), Arc::clone(&order));
        tokio::spawn(async move {
            let permit = budget.acquire(class).await;
            order.lock().unwrap().push(name);
            // So that they leave one after another.
            tokio::time::sleep(Duration::from_millis(1)).await;
            drop(permit);
        });
        tokio::task::yield_now().await;
    }
    (budget, order)
}

#[tokio::test(start_paused = true)]
async fn what_people_wait_for_goes_first() {
    let waiting = [
        ("history", Class::History),
        ("read", Class::Read),
        ("edit", Class::Edit),
        ("one", Class::Live),
        ("other", Class::Live),
    ];
    let (budget, order) = spent(0, &waiting).await;
    budget.acquire(Class::Live).await.answered(Some(report(99, 3)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    // All have risen to the first class after a minute, and go as they came.
    assert_eq!(
        *order.lock().unwrap(),
        ["history", "read", "edit", "one", "other"]
    );

    let (budget, order) = spent(0, &[]).await;
    tokio::time::sleep(Duration::from_secs(57)).await;
    for (name, class) in waiting {
        let (budget, order) = (budget.clone(), Arc::clone(&order));
        tokio::spawn(async move {
            let permit = budget.acquire(class).await;
            order.lock().unwrap().push(name);
            drop(permit);
        });
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        *order.lock().unwrap(),
        ["one", "other", "edit", "read", "history"]
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_frees_the_place() {
    let (budget, _) = spent(0, &[]).await;
    let first = tokio::spawn({
        let budget = budget.clone();
        async move { budget.acquire(Class::Live).await }
    });
    tokio::task::yield_now().await;
    let behind = tokio::spawn({
        let budget = budget.clone();
        async move { wait(&budget).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(budget.state().unwrap().waiting[0], (Class::Live, 2));
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(budget.state().unwrap().waiting[0], (Class::Live, 1));
    assert_eq!(behind.await.unwrap(), Duration::from_secs(61));
    assert_eq!(budget.state().unwrap().waiting[0], (Class::Live, 0));
}

#[tokio::test(start_paused = true)]
async fn it_is_known_how_long_the_wait_is() {
    let budget = Budget::new();
    assert_eq!(budget.wait_behind(1_000), Duration::ZERO, "nothing is known yet");
    budget.acquire(Class::Live).await.answered(Some(report(10, 40)));
    let seconds = |ahead| budget.wait_behind(ahead).as_secs();
    assert_eq!([9, 10, 109, 110, 209, 210].map(seconds), [0, 41, 41, 82, 82, 123]);
    let under_way = budget.acquire(Class::Live).await;
    assert_eq!([8, 9].map(seconds), [0, 41]);
    drop(under_way);
    advance(Duration::from_secs(21)).await;
    assert_eq!(
        [9, 10, 110].map(seconds),
        [0, 20, 61],
        "a window is as long as the longest that was told"
    );
    advance(Duration::from_secs(20)).await;
    assert_eq!([99, 100].map(seconds), [0, 41], "the next window is whole");

    let (budget, _) = spent(0, &[("edit", Class::Edit), ("live", Class::Live)]).await;
    let state = budget.state().unwrap();
    assert_eq!(state.live_wait, Duration::from_secs(61));
    let waiting = [1, 1, 0, 0];
    assert_eq!(state.waiting.map(|(_, count)| count), waiting);
}

#[tokio::test(start_paused = true)]
async fn a_spent_window_is_told_once() {
    let (budget, _) = spent(0, &[]).await;
    let tell = |budget: &Budget| {
        let mut told = None;
        budget.state.send_modify(|state| {
            let now = Instant::now();
            let ticket = state.queue.join(Class::Live, now);
            let taken = state.take(ticket, now);
            told = state
                .news(taken, now)
                .map(|spent| (spent.waiting, spent.last.as_secs()));
        });
        told
    };
    assert_eq!(tell(&budget), Some((1, 61)));
    assert_eq!(tell(&budget), None);
}
