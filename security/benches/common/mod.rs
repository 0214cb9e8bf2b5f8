//! Two contenders, measured in turns within one run.

use std::time::Duration;

/// Measures both in turns and prints one line with their least times and the ratio. `rounds` is how often, `batch` how
/// many calls a measurement makes, `target` the ratio that is aimed at.
pub(crate) fn ratio(
    row: &str,
    rounds: usize,
    batch: u32,
    target: Option<f64>,
    mut floor: impl FnMut() -> Duration,
    mut ours: impl FnMut() -> Duration,
) {
    let mut floors = Vec::with_capacity(rounds);
    let mut own = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        floors.push(floor() / batch);
        own.push(ours() / batch);
    }
    floors.sort();
    own.sort();
    let of = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    let (least, middle) = (0, rounds / 2);
    let target = target.map_or_else(|| "none".to_owned(), |target| target.to_string());
    println!(
        "{row:<40} floor {:>9.1?} ours {:>9.1?} ratio {:.3} (median {:.3}), target {target}",
        floors[least],
        own[least],
        of(own[least], floors[least]),
        of(own[middle], floors[middle]),
    );
}
