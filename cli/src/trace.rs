//! `--trace`: the frames of each layer, on standard error.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use dlms_tokio::{Direction, Layer, Trace};

use crate::parse::hex;

/// A trace that writes to standard error. Ciphered APDUs are shown as they are on the line.
pub(crate) fn to_standard_error() -> impl Trace + 'static {
    let start = Instant::now();
    let is_coloured = std::io::stderr().is_terminal() && console::colors_enabled_stderr();
    move |layer: Layer, direction: Direction, octets: &[u8]| {
        let text = line(layer, direction, octets, start.elapsed().as_secs_f64());
        let style = console::Style::new().for_stderr();
        let style = match direction {
            Direction::Sent => style.cyan(),
            Direction::Received => style.green(),
        };
        // A trace that nobody reads must not end the command.
        let _ = match is_coloured {
            true => writeln!(std::io::stderr(), "{}", style.apply_to(text)),
            false => writeln!(std::io::stderr(), "{text}"),
        };
    }
}

/// `  0.012 > hdlc     7ea0…7e`: `>` is what this side sends, `<` what it receives, as `dlms decode` takes them.
fn line(layer: Layer, direction: Direction, octets: &[u8], seconds: f64) -> String {
    let layer = match layer {
        Layer::Hdlc => "hdlc",
        Layer::Wrapper => "wrapper",
        Layer::Apdu => "apdu",
    };
    let arrow = if direction == Direction::Sent { '>' } else { '<' };
    let mut text = String::new();
    let _ = write!(text, "{seconds:9.3} {arrow} {layer:8} {}", hex::text(octets));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_frame() {
        let text = line(Layer::Apdu, Direction::Sent, &[0xC0, 1], 0.0125);
        assert_eq!(text, "    0.013 > apdu     c001");
    }
}
