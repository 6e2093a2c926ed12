//! Which figures a scenario shows, and how.

use super::Row;
use crate::spec::{ClientKind, Scenario};
use crate::statistics::Quartiles;

pub(super) struct Column {
    pub(super) title: &'static str,
    content: Content,
}

enum Content {
    Client,
    /// The median, divided by the scale.
    Median {
        figure: &'static str,
        scale: f64,
    },
    Quartiles {
        figure: &'static str,
        scale: f64,
    },
    /// abide's figure to the row's, within each round.
    Ratio {
        figure: &'static str,
    },
}

/// The figure whose ratio decides.
pub(super) fn compared(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Get1g => "bytes_per_second",
        Scenario::Cancel | Scenario::ColdHerdH1 | Scenario::ColdHerdH2 => "all_us",
        Scenario::IdleMemory => "bytes_per_connection",
        _ => "requests_per_second",
    }
}

pub(super) fn of(scenario: Scenario) -> Vec<Column> {
    let mut columns = vec![Column { title: "client", content: Content::Client }];
    match scenario {
        Scenario::Get1g => columns.extend(download()),
        Scenario::Cancel => columns.extend(cancel()),
        Scenario::NewClient => {
            columns.extend(requests());
            columns.push(median("create µs", "create_p50_us", 1.0));
        }
        Scenario::Bounded => {
            columns.extend(requests());
            columns.push(quartiles("of unbounded", "of_unbounded", 1.0));
        }
        Scenario::ColdHerdH1 | Scenario::ColdHerdH2 => columns.extend(cold_herd()),
        Scenario::IdleMemory => columns.extend(idle_memory()),
        _ => columns.extend(requests()),
    }
    columns
}

fn requests() -> Vec<Column> {
    vec![
        quartiles("requests/s", "requests_per_second", 1.0),
        median("p50 µs", "p50_us", 1.0),
        median("p99 µs", "p99_us", 1.0),
        median("CPU µs/req", "cpu_us_per_request", 1.0),
        median("switches/req", "context_switches_per_request", 1.0),
        ratio("abide/this", "requests_per_second"),
        median("connections", "connections", 1.0),
        median("server CPU µs/req", "server_cpu_us_per_request", 1.0),
    ]
}

fn download() -> Vec<Column> {
    vec![
        quartiles("GB/s", "bytes_per_second", 1e9),
        median("p50 ms", "p50_us", 1e3),
        median("p99 ms", "p99_us", 1e3),
        median("CPU ms/req", "cpu_us_per_request", 1e3),
        median("switches/req", "context_switches_per_request", 1.0),
        median("peak over idle MiB", "peak_rss_over_idle_bytes", 1024.0 * 1024.0),
        ratio("abide/this", "bytes_per_second"),
    ]
}

fn cancel() -> Vec<Column> {
    vec![
        quartiles("one: p50 µs", "p50_us", 1.0),
        quartiles("p99 µs", "p99_us", 1.0),
        median("max µs", "max_us", 1.0),
        ratio("abide/this p99", "p99_us"),
        quartiles("all: last µs", "all_us", 1.0),
        ratio("abide/this all", "all_us"),
    ]
}

fn cold_herd() -> Vec<Column> {
    vec![
        quartiles("last reply ms", "all_us", 1e3),
        median("p50 ms", "p50_us", 1e3),
        median("handshakes", "handshakes", 1.0),
        median("connections", "connections", 1.0),
        median("unused", "unused_connections", 1.0),
        median("CPU µs/req", "cpu_us_per_request", 1.0),
        ratio("abide/this", "all_us"),
    ]
}

fn idle_memory() -> Vec<Column> {
    vec![
        quartiles("KiB/connection", "bytes_per_connection", 1024.0),
        median("connections", "connections", 1.0),
        ratio("abide/this", "bytes_per_connection"),
    ]
}

fn median(title: &'static str, figure: &'static str, scale: f64) -> Column {
    Column { title, content: Content::Median { figure, scale } }
}

fn quartiles(title: &'static str, figure: &'static str, scale: f64) -> Column {
    Column { title, content: Content::Quartiles { figure, scale } }
}

fn ratio(title: &'static str, figure: &'static str) -> Column {
    Column { title, content: Content::Ratio { figure } }
}

impl Column {
    pub(super) fn text(&self, row: &Row, abide: Option<&Row>) -> String {
        let text = match self.content {
            Content::Client => Some(row.client.to_owned()),
            Content::Median { figure, scale } => {
                row.quartiles(figure).map(|quartiles| number(quartiles.median / scale))
            }
            Content::Quartiles { figure, scale } => row
                .quartiles(figure)
                .map(|quartiles| range(quartiles, |value| number(value / scale))),
            Content::Ratio { figure } => abide
                .filter(|_| row.kind != ClientKind::Abide)
                .and_then(|abide| row.ratios(abide, figure))
                .map(|quartiles| range(quartiles, |value| format!("{value:.2}"))),
        };
        text.unwrap_or_else(|| "-".to_owned())
    }
}

fn range(quartiles: Quartiles, show: impl Fn(f64) -> String) -> String {
    let Quartiles { first, median, third } = quartiles;
    format!("{} [{}, {}]", show(median), show(first), show(third))
}

/// Three digits or more.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
