//! `sgapi passwd`.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use super::PasswdArgs;
use crate::exit::{Exit, Failure};
use crate::serve::line;

/// Puts the line of a user in the place of the one that was there.
pub fn run(args: &PasswdArgs) -> Result<(), Failure> {
    let line = line(&args.user, &password()?)?;
    let failed = |error: io::Error| {
        let message = format!("{}: {error}", args.file.display());
        Failure::new(Exit::Failure, message)
    };
    let old = match fs::read_to_string(&args.file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.map_err(failed)?,
    };
    replace(&args.file, &with(&old, &args.user, &line)).map_err(failed)
}

fn with(old: &str, user: &str, line: &str) -> String {
    let is_other = |old: &&str| old.split_once(':').is_none_or(|(name, _)| name != user);
    let mut lines: Vec<&str> = old.lines().filter(is_other).collect();
    lines.push(line);
    lines.join("\n") + "\n"
}

/// The file is whole at any moment, and read by those who could read it before; a new one by nobody else.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside)?;
    if let Ok(old) = fs::metadata(path) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

fn password() -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::new(Exit::Failure, format!("the password: {error}"));
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(failed)?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
    }
    let first = rpassword::prompt_password("Password: ").map_err(failed)?;
    let second = rpassword::prompt_password("Once more: ").map_err(failed)?;
    match first == second {
        true => Ok(first),
        false => Err(Failure::new(Exit::Usage, "they are not the same")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_user_has_one_line_and_others_keep_theirs() {
        let old = "# people\nada:old\neve:hers\n";
        assert_eq!(with(old, "ada", "ada:new"), "# people\neve:hers\nada:new\n");
        assert_eq!(with("", "ada", "ada:new"), "ada:new\n");
    }

    #[test]
    fn a_file_that_a_service_reads_stays_readable_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        let mode = || fs::metadata(&path).unwrap().mode() & 0o777;
        replace(&path, "ada:1\n").unwrap();
        assert_eq!(mode(), 0o600, "nobody else's");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&path, "ada:2\n").unwrap();
        assert_eq!(mode(), 0o640);
        assert_eq!(fs::read_to_string(&path).unwrap(), "ada:2\n");
    }
}
