//! The recorded figures: a report beside the document that explains it, and their place in it.

use std::fs;
use std::path::Path;

use super::chart;
use super::report::Report;

/// The report, the picture and the document.
const REPORT: &str = "performance.json";
const PICTURE: &str = "performance.svg";
const DOCUMENT: &str = "performance.md";

/// Between these lines of the document are the tables.
const BEGIN: &str = "<!-- tables of the recorded run -->";
const END: &str = "<!-- end of the tables -->";

/// What is recorded in a folder, if anything is.
///
/// # Errors
/// If it cannot be read.
pub fn read(folder: &Path) -> Result<Option<Report>, String> {
    let path = folder.join(REPORT);
    if !path.exists() {
        return Ok(None);
    }
    let failed = |e: String| format!("{}: {e}", path.display());
    let text = fs::read_to_string(&path).map_err(|e| failed(e.to_string()))?;
    Report::read(&text).map_err(failed).map(Some)
}

/// Records a report in a folder, in the place of that which is there.
///
/// # Errors
/// If something cannot be written, or the document has no place for tables.
pub fn write(folder: &Path, report: &Report) -> Result<(), String> {
    let document = folder.join(DOCUMENT);
    let text = fs::read_to_string(&document);
    let text = text.map_err(|e| format!("{}: {e}", document.display()))?;
    let text = with_tables(&text, &report.markdown())
        .ok_or_else(|| format!("{} has no lines `{BEGIN}` and `{END}`", document.display()))?;
    for (name, text) in [
        (REPORT, report.json()),
        (PICTURE, chart::svg(report)),
        (DOCUMENT, text),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

/// The document with other tables between its marks.
fn with_tables(document: &str, tables: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_replaced_and_all_else_stays() {
        let document = format!("# Performance\n\n{BEGIN}\nold\n{END}\n\nSaid.\n");
        let text = with_tables(&document, "new").unwrap();
        assert!(text.contains("new") && !text.contains("old"));
        assert!(text.starts_with("# Performance\n") && text.ends_with("\n\nSaid.\n"));
        assert_eq!(with_tables(&text, "new"), Some(text.clone()));
        assert_eq!(with_tables("no marks", "new"), None);
    }
}
