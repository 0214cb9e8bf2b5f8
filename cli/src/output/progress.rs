//! Progress on long work: on a terminal, on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar towards `total` of something (`rows`, `octets`); a counter if the total is not known. Nothing is drawn unless
/// standard error is a terminal.
pub(crate) fn bar(what: &str, total: Option<u64>) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let bar = match total {
        Some(total) => ProgressBar::with_draw_target(Some(total), target),
        None => ProgressBar::with_draw_target(None, target),
    };
    let template = match total {
        Some(_) => format!("{{bar:32.cyan/dim}} {{pos}}/{{len}} {what}  {{per_sec}}  {{eta}} left"),
        None => format!("{{spinner}} {{pos}} {what}  {{per_sec}}"),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
