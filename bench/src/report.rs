//! `BENCHMARKS.md`: what stands between two markers is measured, the rest is written by hand.

#![expect(clippy::print_stdout, reason = "the tables are what this program is for")]

use std::array;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

/// The file, as it is so far.
pub(crate) struct Report {
    path: PathBuf,
    text: String,
}

impl Report {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!("reading {}, in the root of the repository", path.display())
        })?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// Replaces what stands between the markers of that name, and writes the file.
    pub(crate) fn put(&mut self, name: &str, measured: &impl fmt::Display) -> Result<()> {
        let measured = measured.to_string();
        println!("{measured}");
        let place = place(&self.text, name).with_context(|| {
            format!("{} has no <!-- {name} --> with an <!-- end --> after it", self.path.display())
        })?;
        self.text.replace_range(place, &format!("\n{measured}"));
        fs::write(&self.path, &self.text)
            .with_context(|| format!("writing {}", self.path.display()))
    }
}

/// What stands between the markers of that name.
fn place(text: &str, name: &str) -> Option<Range<usize>> {
    let marker = format!("<!-- {name} -->");
    let start = text.find(&marker)? + marker.len();
    let end = start + text[start..].find("<!-- end -->")?;
    Some(start..end)
}

/// A table in Markdown, whose columns are as wide as what is in them.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned)] }
    }

    pub(crate) fn row(&mut self, row: [String; N]) {
        self.rows.push(row);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let widths = self.rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or_default()
        };
        let widths: [usize; N] = array::from_fn(width);
        // The first column names the row; numbers stand to the right.
        let rule = widths.iter().enumerate().map(|(column, width)| match column {
            0 => format!("|{}|", "-".repeat(width + 2)),
            _ => format!("{}:|", "-".repeat(width + 1)),
        });
        let rule: String = rule.collect();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "| {cell:<width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            writeln!(f)?;
            if number == 0 {
                writeln!(f, "{rule}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = "a <!-- x -->\nold\n<!-- end --> b <!-- y --><!-- end -->";
        assert_eq!(&text[place(text, "x").unwrap()], "\nold\n");
        assert_eq!(&text[place(text, "y").unwrap()], "");
        assert_eq!(place(text, "z"), None);
        assert_eq!(place("<!-- x -->", "x"), None);
    }

    #[test]
    fn tables_are_aligned() {
        let mut table = Table::new(["tasks", "ratio"]);
        table.row(["10⁶".to_owned(), "1.70".to_owned()]);
        let expected = "| tasks | ratio |\n|-------|------:|\n| 10⁶   |  1.70 |\n";
        assert_eq!(table.to_string(), expected);
    }
}
