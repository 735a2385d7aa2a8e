//! QEMU's control channel: a JSON document a line, each way (QEMU's `docs/interop/qmp-spec`).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A channel that is open.
#[derive(Debug)]
pub struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Opens it; `None` as long as QEMU does not listen.
    #[must_use]
    pub fn connect(path: &Path) -> Option<Self> {
        let stream = UnixStream::connect(path).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let stream = BufReader::new(stream);
        let mut qmp = Self { stream };
        qmp.read();
        qmp.run("qmp_capabilities", &json!({}));
        Some(qmp)
    }

    /// Runs a command; what it returns.
    ///
    /// # Panics
    /// With QEMU's words if it refuses.
    pub fn run(&mut self, command: &str, arguments: &Value) -> Value {
        let order = json!({ "execute": command, "arguments": arguments });
        writeln!(self.stream.get_ref(), "{order}")
            .unwrap_or_else(|e| panic!("QEMU does not take `{command}`: {e}"));
        loop {
            // Events come in between.
            let mut answer = self.read();
            assert!(answer["error"].is_null(), "QEMU refuses {order}: {answer}");
            if answer.get("return").is_some() {
                return answer["return"].take();
            }
        }
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line);
        read.unwrap_or_else(|e| panic!("QEMU does not answer: {e}"));
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("QEMU answers no JSON ({e}): {line}"))
    }
}
