//! A plot in the terminal, in braille: two by four dots in each character.

use super::{dim, value};

const ROWS: usize = 8;
/// The bits of a braille character by column and row of its dots.
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
const BRAILLE: u32 = 0x2800;

/// A curve over its points in order, filled down to the axis. Points that are not there leave a gap. `labels` are the
/// first and the last point's. `None` if there is nothing to see.
pub(crate) fn plot(
    title: &str,
    points: &[Option<f64>],
    labels: (&str, &str),
    width: usize,
) -> Option<String> {
    let seen = || points.iter().flatten().copied().filter(|point| point.is_finite());
    let highest = seen().reduce(f64::max)?;
    let lowest = seen().reduce(f64::min)?;
    // Values far from 0 would all look the same on an axis that begins there.
    let base = if lowest > 0.0 && lowest < highest * 0.5 { 0.0 } else { lowest };
    let span = if highest > base { highest - base } else { 1.0 };

    let scale: Vec<_> = [highest, base + span / 2.0, base].map(|level| number(level, span)).into();
    let margin = scale.iter().map(String::len).max().unwrap_or(0);
    let columns = width.saturating_sub(margin + 3).clamp(8, points.len().max(48));
    let mut canvas = vec![[0u32; ROWS]; columns];
    let dots = columns * 2;
    for dot in 0..dots {
        let Some(point) = sample(points, dot, dots) else { continue };
        let height =
            ((point - base) / span * (ROWS * 4 - 1) as f64).round().clamp(0.0, (ROWS * 4 - 1) as f64);
        for level in 0..=(height as usize) {
            let from_top = ROWS * 4 - 1 - level;
            canvas[dot / 2][from_top / 4] |= DOTS[dot % 2][from_top % 4];
        }
    }

    let mut text = format!("{title}\n");
    for row in 0..ROWS {
        let label = match row {
            0 => scale.first(),
            row if row == ROWS / 2 => scale.get(1),
            row if row == ROWS - 1 => scale.get(2),
            _ => None,
        };
        let line: String =
            canvas.iter().map(|column| char::from_u32(BRAILLE + column[row]).unwrap_or(' ')).collect();
        let label = dim().apply_to(format!("{:>margin$} │", label.map_or("", String::as_str))).to_string();
        text.push_str(&format!("{label}{}\n", value().apply_to(line.trim_end_matches('\u{2800}'))));
    }
    let axis = format!("{:>margin$} └{}", "", "─".repeat(columns));
    let gap = columns.saturating_sub(labels.0.chars().count() + labels.1.chars().count());
    let ends = format!("{:>margin$}  {}{}{}", "", labels.0, " ".repeat(gap.max(1)), labels.1);
    text.push_str(&format!("{}\n{}\n", dim().apply_to(axis), dim().apply_to(ends)));
    Some(text)
}

/// The mean of the points that fall on a dot; with fewer points than dots, the nearest one.
fn sample(points: &[Option<f64>], dot: usize, dots: usize) -> Option<f64> {
    let first = dot * points.len() / dots;
    let end = ((dot + 1) * points.len() / dots).max(first + 1);
    let seen: Vec<_> =
        points.get(first..end)?.iter().flatten().copied().filter(|point| point.is_finite()).collect();
    (!seen.is_empty()).then(|| seen.iter().sum::<f64>() / seen.len() as f64)
}

/// A number with as many decimals as tell the levels of a scale of this span apart.
fn number(value: f64, span: f64) -> String {
    if value.abs() >= 1e15 || span < 1e-6 {
        return format!("{value:.3e}");
    }
    let decimals = (2.0 - span.log10().floor()).clamp(0.0, 8.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ramp() {
        console::set_colors_enabled(false);
        let points: Vec<_> = (0..48).map(|point| Some(f64::from(point))).collect();
        let text = plot("ramp", &points, ("00:00", "23:30"), 31).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 1 + ROWS + 2);
        assert!(lines[1].starts_with("47.0 │") && lines[ROWS].starts_with(" 0.0 │"));
        assert!(lines[1].ends_with('⣾'), "{text}");
        assert!(lines[ROWS].matches('⣿').count() > 15, "{text}");
        assert!(lines[10].contains("00:00") && lines[10].ends_with("23:30"));
    }

    #[test]
    fn nothing_to_see() {
        assert_eq!(plot("", &[], ("", ""), 80), None);
        assert_eq!(plot("", &[None, Some(f64::NAN)], ("", ""), 80), None);
        assert!(plot("", &[Some(5.0)], ("", ""), 80).is_some());
    }

    proptest! {
        #[test]
        fn any_points_are_safe(
            points in prop::collection::vec(prop::option::of(prop::num::f64::ANY), 0..200),
            width in 0usize..200,
        ) {
            let _ = plot("", &points, ("a", "b"), width);
        }
    }
}
