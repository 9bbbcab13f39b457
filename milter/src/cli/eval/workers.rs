//! Work on many messages by several threads.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Does the work for each item, one thread for each worker. The results stand in the order of the items, whoever was first.
pub(super) fn each<W: Send, I: Sync, T: Send>(
    workers: &mut [W],
    items: &[I],
    bar: &ProgressBar,
    work: impl Fn(&mut W, &I) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<T>>> = Mutex::new(items.iter().map(|_| None).collect());
    thread::scope(|scope| {
        for worker in workers {
            scope.spawn(|| {
                while let Some((number, item)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    items.get(number).map(|item| (number, item))
                } {
                    let result = work(worker, item);
                    done.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(result);
                    bar.inc(1);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}

/// A bar for so many messages, on a terminal.
pub(super) fn bar(what: &'static str, messages: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:<24} {bar:30} {pos}/{len}, {eta} left");
    let style = style.unwrap_or(ProgressStyle::default_bar());
    ProgressBar::new(messages as u64).with_style(style).with_message(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..500).collect();
        let doubled = each(&mut [(), (), ()], &items, &ProgressBar::hidden(), |(), item| item * 2);
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
    }
}
