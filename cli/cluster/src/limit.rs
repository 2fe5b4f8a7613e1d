//! How many requests are in flight: starts at 16, grows to 64 while the server
//! keeps up, halves when it says it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const START: usize = 16;
const MOST: usize = 64;
const LEAST: usize = 2;

/// The limit of one cluster, shared by all its requests.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    permits: Arc<Semaphore>,
    /// How many may be in flight now.
    size: AtomicUsize,
    /// Permits in flight that are not to come back.
    debt: AtomicUsize,
    /// Answers since the last growth.
    answers: AtomicUsize,
}

impl Limit {
    pub(crate) fn new() -> Self {
        Self {
            inner: Arc::new(Inner {
                permits: Arc::new(Semaphore::new(START)),
                size: AtomicUsize::new(START),
                debt: AtomicUsize::new(0),
                answers: AtomicUsize::new(0),
            }),
        }
    }

    /// Waits for a place.
    pub(crate) async fn enter(&self) -> Place {
        let permit = Arc::clone(&self.inner.permits)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        Place { limit: self.clone(), permit: Some(permit) }
    }

    /// The server answered: one more place after as many answers as places.
    pub(crate) fn answered(&self) {
        let size = self.inner.size.load(Ordering::Relaxed);
        if self.inner.answers.fetch_add(1, Ordering::Relaxed) + 1 >= size.min(MOST)
            && size < MOST
            && self
                .inner
                .size
                .compare_exchange(size, size + 1, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.inner.answers.store(0, Ordering::Relaxed);
            // A place that was to go may stay instead.
            if !self.pay() {
                self.inner.permits.add_permits(1);
            }
        }
    }

    /// The server is overloaded: half the places.
    pub(crate) fn overloaded(&self) {
        let mut gone = 0;
        let _ = self.inner.size.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |size| {
            let half = (size / 2).max(LEAST);
            gone = size.saturating_sub(half);
            Some(half)
        });
        let forgotten = self.inner.permits.forget_permits(gone);
        self.inner.debt.fetch_add(gone - forgotten, Ordering::Relaxed);
    }

    fn pay(&self) -> bool {
        self.inner
            .debt
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |debt| debt.checked_sub(1))
            .is_ok()
    }
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct Place {
    limit: Limit,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take()
            && self.limit.pay()
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn free(limit: &Limit) -> usize {
        limit.inner.permits.available_permits()
    }

    #[tokio::test]
    async fn it_grows_to_its_most_and_halves() {
        let limit = Limit::new();
        assert_eq!(free(&limit), START);
        for _ in 0..10_000 {
            limit.answered();
        }
        assert_eq!(free(&limit), MOST);
        limit.overloaded();
        assert_eq!(free(&limit), MOST / 2);
        for _ in 0..20 {
            limit.overloaded();
        }
        assert_eq!(free(&limit), LEAST);
    }

    #[tokio::test]
    async fn places_in_flight_go_when_they_are_left() {
        let limit = Limit::new();
        let mut places = Vec::new();
        for _ in 0..START {
            places.push(limit.enter().await);
        }
        limit.overloaded();
        assert_eq!(free(&limit), 0);
        drop(places);
        assert_eq!(free(&limit), START / 2);
    }
}
