//! `cargo xtask tidy`: house rules that no compiler holds, as a table.

mod imports;
mod rules;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;
use imports::ORDERS;
use rules::{LONGEST, RULES, Rule};

/// Checks every source file of the workspace.
///
/// # Errors
/// Names file, line and rule of each breach.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut breaches = Vec::new();
    let mut files = Vec::new();
    for file in sources(&workspace.root)? {
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let short = workspace.short(&file);
        breaches.extend(breaches_of(short, &text));
        files.push((short.display().to_string(), text));
    }
    for file in with_ending(&workspace.root, &["md", "py", "sh", "toml"])? {
        // What is no text is not for people to read.
        let text = fs::read_to_string(&file).unwrap_or_default();
        breaches.extend(unmerged(workspace.short(&file), &text));
    }
    for order in ORDERS {
        let within = files.iter().filter_map(|(path, text)| {
            let path = path.strip_prefix(order.sources)?.strip_prefix('/')?;
            Some((path, text.as_str()))
        });
        breaches.extend(imports::breaches(order, within));
    }
    ensure!(
        breaches.is_empty(),
        "house rules broken:\n{}",
        breaches.join("\n")
    );
    Ok(())
}

/// Rust files.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    with_ending(folder, &["rs"])
}

/// Files whose names end so, in order, without cargo's output and hidden folders.
fn with_ending(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(with_ending(&entry.path(), endings)?);
            }
        } else if endings
            .iter()
            .any(|ending| name.ends_with(&format!(".{ending}")))
        {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn breaches_of(file: &Path, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let mut breaches = Vec::new();
    if lines > LONGEST {
        breaches.push(format!(
            "{}: {lines} lines; more than {LONGEST}: one concept a file",
            file.display()
        ));
    }
    for rule in RULES.iter().filter(|rule| rule.applies_to(file)) {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = rule.broken_by(line) {
                breaches.push(format!(
                    "{}:{}: `{word}`: {}",
                    file.display(),
                    number + 1,
                    rule.why
                ));
            }
        }
    }
    breaches
}

/// What git leaves where two changes meet.
fn unmerged(file: &Path, text: &str) -> Vec<String> {
    let is_mark = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
    let marks = text.lines().zip(1..).filter(|(line, _)| is_mark(line));
    let tell = |(line, number)| {
        format!(
            "{}:{number}: `{line}`: two changes that nobody has joined",
            file.display()
        )
    };
    marks.map(tell).collect()
}

impl Rule {
    fn applies_to(&self, file: &Path) -> bool {
        let within = |folders: &[&str]| folders.iter().any(|folder| file.starts_with(folder));
        within(self.holds_in) && !within(self.except)
    }

    fn broken_by(&self, line: &str) -> Option<&'static str> {
        let code = if self.comments_too {
            line
        } else {
            line.split("//").next().unwrap_or(line)
        };
        self.forbids.iter().copied().find(|word| names(code, word))
    }
}

/// Whether a line has a word that is not a part of a longer one.
fn names(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let starts = !word.starts_with(part) || !before.ends_with(part);
        let ends = !word.ends_with(part) || !after.starts_with(part);
        starts && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_keeps_its_house_rules() {
        if let Err(breaches) = run(&Workspace::here().unwrap()) {
            panic!("{breaches}");
        }
    }

    #[test]
    fn what_is_not_merged_is_a_breach() {
        let text = "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n";
        let file = Path::new("README.md");
        assert_eq!(unmerged(file, text).len(), 2);
        assert!(unmerged(file, "Title\n=======\n").is_empty());
    }

    #[test]
    fn a_long_file_is_a_breach() {
        let text = "\n".repeat(LONGEST + 1);
        assert_eq!(breaches_of(Path::new("tests/src/x.rs"), &text).len(), 1);
        assert!(breaches_of(Path::new("tests/src/x.rs"), &"\n".repeat(LONGEST)).is_empty());
    }

    #[test]
    fn only_the_datapath_names_aya() {
        let line = "use aya::maps::HashMap;";
        assert_eq!(
            breaches_of(Path::new("sg-userspace/src/agent/mod.rs"), line).len(),
            1
        );
        assert!(breaches_of(Path::new("sg-userspace/src/datapath/maps.rs"), line).is_empty());
        assert!(
            breaches_of(Path::new("sg-userspace/src/agent/mod.rs"), "// as aya does").is_empty()
        );
    }

    #[test]
    fn pure_modules_do_no_io_as_file_or_folder() {
        let line = "    let text = std::fs::read_to_string(path)?;";
        for file in [
            "sg-userspace/src/compile.rs",
            "sg-userspace/src/model/port.rs",
        ] {
            assert_eq!(breaches_of(Path::new(file), line).len(), 1, "{file}");
        }
        assert!(breaches_of(Path::new("sg-userspace/src/store.rs"), line).is_empty());
    }

    #[test]
    fn a_word_inside_another_is_not_that_word() {
        assert!(names("unsafe { x }", "unsafe"));
        assert!(!names("#![deny(unsafe_op_in_unsafe_fn)]", "unsafe"));
        assert!(names("tokio::spawn(x)", "tokio"));
    }
}
