//! Tables for people.

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::{dim, heading};

/// A table whose columns are as wide as they must be.
pub(crate) struct Sheet {
    table: Table,
    /// Which columns are numbers, to be set to the right.
    numeric: Vec<bool>,
}

impl Sheet {
    pub(crate) fn new<S: AsRef<str>>(head: impl IntoIterator<Item = S>, numeric: Vec<bool>) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let head = head.into_iter().map(|text| heading().apply_to(text.as_ref()).to_string());
        table.set_header(aligned(head, &numeric));
        Self { table, numeric }
    }

    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let cells = aligned(cells, &self.numeric);
        self.table.add_row(cells);
    }

    /// The lines, without trailing blanks.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines: Vec<_> = self.table.lines().collect();
        lines.iter().map(|line| line.trim_end().to_owned()).collect()
    }

    pub(crate) fn text(&self) -> String {
        let mut text = self.lines().join("\n");
        text.push('\n');
        text
    }
}

fn aligned<S: AsRef<str>>(cells: impl IntoIterator<Item = S>, numeric: &[bool]) -> Vec<Cell> {
    let aligned = |(column, text): (usize, S)| {
        let cell = Cell::new(text.as_ref());
        match numeric.get(column) {
            Some(true) => cell.set_alignment(CellAlignment::Right),
            _ => cell,
        }
    };
    cells.into_iter().enumerate().map(aligned).collect()
}

/// A remark below a table.
pub(crate) fn remark(text: &str) -> String {
    format!("{}\n", dim().apply_to(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        console::set_colors_enabled(false);
        let mut sheet = Sheet::new(["time", "kWh"], vec![false, true]);
        sheet.row(["00:00", "1.5"]);
        sheet.row(["00:15", "12.25"]);
        assert_eq!(sheet.text(), " time     kWh\n 00:00    1.5\n 00:15  12.25\n");
    }
}
