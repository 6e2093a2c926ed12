//! Rows of text, and progress bars that stay on their row.

use std::{
    error::Error,
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use abide::Progress;

/// A label and a text; lines that are too long go on below.
pub(crate) fn row(label: &str, text: &str) -> io::Result<()> {
    let mut label = label;
    let mut screen = io::stdout().lock();
    if screen.is_terminal() {
        write!(screen, "{ERASE_LINE}")?;
    }
    for line in text.lines().flat_map(wrapped) {
        writeln!(screen, "  {label:<LABEL_COLUMNS$}  {line}")?;
        label = "";
    }
    Ok(())
}

/// A text that stands a little to the right of what it is about.
pub(crate) fn indented(text: &str) -> io::Result<()> {
    let mut screen = io::stdout().lock();
    wrapped(text).iter().try_for_each(|line| writeln!(screen, "    {line}"))
}

/// Text from the left edge on.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Shows on a terminal what is being worked on, until the row is there.
pub(crate) fn begin_row(label: &str) -> io::Result<()> {
    let mut screen = io::stdout().lock();
    if screen.is_terminal() {
        write!(screen, "  {label}")?;
        screen.flush()?;
    }
    Ok(())
}

/// A listener that draws a bar again and again, after the label of the begun row.
pub(crate) fn bar_in_row() -> impl Fn(Progress) + Send + Sync + 'static {
    |progress| {
        let mut screen = io::stdout().lock();
        if screen.is_terminal() {
            let bar = bar(progress.bytes(), progress.total());
            let columns = 2 + LABEL_COLUMNS + 2;
            // A bar that cannot be drawn is no reason to end the transfer.
            let _ = write!(screen, "\r\x1b[{columns}C{bar}");
            let _ = screen.flush();
        }
    }
}

/// `[########--------] 8.0 of 16.0 MiB`
pub(crate) fn bar(bytes: u64, total: Option<u64>) -> String {
    let Some(total) = total.filter(|&total| total > 0) else {
        return size(bytes);
    };
    let done = (BAR_COLUMNS as u64).saturating_mul(bytes.min(total)) / total;
    let filled: String =
        (0..BAR_COLUMNS as u64).map(|at| if at < done { '#' } else { '-' }).collect();
    format!("[{filled}] {} of {}", size(bytes), size(total))
}

pub(crate) fn size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..MIB => format!("{:.1} KiB", bytes as f64 / KIB as f64),
        _ => format!("{:.1} MiB", bytes as f64 / MIB as f64),
    }
}

/// The error and everything that caused it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.len() - 1;
        if lines[line].is_empty() {
            lines[line].push_str(word);
        } else if lines[line].chars().count() + 1 + word.chars().count() > TEXT_COLUMNS {
            lines.push(word.to_owned());
        } else {
            lines[line].push(' ');
            lines[line].push_str(word);
        }
    }
    lines
}

const LABEL_COLUMNS: usize = 20;
const TEXT_COLUMNS: usize = 74;
const BAR_COLUMNS: usize = 22;
const ERASE_LINE: &str = "\r\x1b[2K";
