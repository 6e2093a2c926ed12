//! Cells in columns: the first one flush left, the others flush right.

pub(super) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        text.push_str("  ");
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let cell = match column {
                0 => format!("{cell:<width$}"),
                _ => format!("   {cell:>width$}"),
            };
            text.push_str(&cell);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let lines =
            [["a", "requests"], ["longer", "1"]].map(|line| line.map(String::from).to_vec());
        assert_eq!(aligned(&lines), "  a        requests\n  longer          1\n");
    }
}
