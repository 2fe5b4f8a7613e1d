//! Columns.

use super::{Paint, Terminal};

/// Rows as columns, two spaces apart; the first row is the head, and no row has
/// more cells.
pub(crate) fn table<R: AsRef<[String]>>(rows: &[R], terminal: Terminal) -> String {
    let mut widths = vec![0; rows.first().map_or(0, |head| head.as_ref().len())];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.as_ref().iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        let line = line.trim_end();
        text.push_str(&if index == 0 {
            terminal.paint(Paint::Bold, line)
        } else {
            line.to_owned()
        });
        text.push('\n');
    }
    text
}
