//! Reads which paths the code of a file names; knows nothing of rooms and walls.

use std::{fs, io, path::Path};

/// The room of the files at the root of `src/`.
pub(crate) const NOUNS: &str = "the nouns";

pub(crate) struct Source {
    /// Relative to `src/`, with `/` on every system.
    pub(crate) file: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned() }
    }

    /// The name of the room, or of a folder that is none.
    pub(crate) fn room(&self) -> &str {
        self.file.split_once('/').map_or(NOUNS, |(folder, _)| folder)
    }

    /// The folders and the file as module names: `call/hops.rs` is `call`, `hops`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let path = self.file.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').collect()
    }
}

pub(crate) type Segments = Vec<String>;

/// A path that code names, and the line.
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) path: Segments,
}

/// Where a path leads, counted from the root of the crate; `None` when it leads out of it.
///
/// A name that `lib.rs` re-exports is followed to its room: `crate::Client` is in `client`.
pub(crate) fn from_root(
    path: &[String],
    module: &[&str],
    exports: &[Segments],
) -> Option<Segments> {
    let supers = path.iter().take_while(|segment| *segment == "super").count();
    let mut absolute: Segments = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "super" => {
            let kept = module.len().saturating_sub(supers);
            module[..kept].iter().map(ToString::to_string).collect()
        }
        _ => return None,
    };
    absolute.extend_from_slice(&path[supers.max(1)..]);
    let exported = |origin: &&Segments| origin.last() == absolute.first();
    Some(exports.iter().find(exported).cloned().unwrap_or(absolute))
}

/// Every path that the code names, with its line.
pub(crate) fn named_paths(text: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut lines = code_lines(text).into_iter();
    while let Some((line, code)) = lines.next() {
        let Some((_, tree)) = code.split_once("use ").filter(|(before, _)| is_visibility(before))
        else {
            found.extend(joined_words(code).map(|path| Named { line, path }));
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.contains(';') {
            let Some((_, more)) = lines.next() else { break };
            tree.push_str(more);
        }
        let mut paths = Vec::new();
        spell_out("", tree.trim_end_matches(';'), &mut paths);
        found.extend(paths.into_iter().map(|path| Named { line, path }));
    }
    found
}

fn is_visibility(before: &str) -> bool {
    let before = before.trim();
    before.is_empty() || (before.starts_with("pub") && !before.contains(['{', '"', ';']))
}

/// The numbered lines without comments and unit tests.
fn code_lines(text: &str) -> Vec<(usize, &str)> {
    let mut code = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim();
        if line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test") {
            // `mod tests;` hides itself, `mod tests {` hides what is left of the file.
            match lines.by_ref().find(|(_, line)| !line.trim_start().starts_with("#[")) {
                Some((_, item)) if item.trim_end().ends_with(';') => continue,
                _ => break,
            }
        }
        let end = if line.starts_with("//") { Some(0) } else { line.find(" //") };
        code.push((index + 1, &line[..end.unwrap_or(line.len())]));
    }
    code
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn spell_out(prefix: &str, tree: &str, paths: &mut Vec<Segments>) {
    let Some((head, branches)) = tree.split_once('{') else {
        let path = format!("{prefix}{tree}");
        let path = path.split(" as ").next().unwrap_or_default();
        paths.push(segments(path).filter(|segment| segment != "self").collect());
        return;
    };
    let prefix = format!("{prefix}{head}");
    let mut depth = 0;
    let branches = branches.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    for branch in branches {
        let branch = branch.trim().trim_end_matches('}');
        if !branch.is_empty() {
            spell_out(&prefix, branch, paths);
        }
    }
}

/// The paths and method calls of a line; a word alone is none.
fn joined_words(code: &str) -> impl Iterator<Item = Segments> {
    code.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '.')))
        .filter(|words| words.contains("::") || words.contains('.'))
        .map(|words| segments(words).collect())
        .filter(|path: &Segments| !path.is_empty())
}

fn segments(path: &str) -> impl Iterator<Item = String> {
    path.split([':', '.']).map(str::trim).filter(|segment| !segment.is_empty()).map(str::to_owned)
}

/// Every Rust file of `src/`, unit tests in files of their own left out.
pub(crate) fn sources() -> io::Result<Vec<Source>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    walk(&root, &root, &mut sources)?;
    Ok(sources)
}

fn walk(folder: &Path, root: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, root, sources)?;
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
            let file = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
            sources.push(Source::new(&file.replace('\\', "/"), &fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
