//! journald, by its native protocol (`https://systemd.io/JOURNAL_NATIVE_PROTOCOL`): a datagram for each entry.
//!
//! An entry has some two thousand bytes at most, a tenth of what a datagram takes, so that none has to be passed as a
//! file.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::{entry::Entry, sink::Sink};

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// How long one that is busy is waited for, by the thread of the log alone.
const PATIENCE: Duration = Duration::from_secs(1);

/// The journal of this host.
#[derive(Debug, Default)]
pub struct Journal {
    socket: Option<UnixDatagram>,
}

impl Journal {
    fn socket(&mut self) -> io::Result<&UnixDatagram> {
        match &mut self.socket {
            Some(socket) => Ok(socket),
            none => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Ok(none.insert(socket))
            }
        }
    }

    fn send(&mut self, entry: &Entry) -> io::Result<()> {
        let sent = self.socket()?.send_to(&datagram(&entry.fields), SOCKET);
        sent.map(drop).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::other("journald does not read"),
            kind => io::Error::new(kind, format!("{SOCKET}: {error}")),
        })
    }
}

impl Sink for Journal {
    fn write(&mut self, entries: &[Entry]) -> (usize, io::Result<()>) {
        for (number, entry) in entries.iter().enumerate() {
            if let Err(error) = self.send(entry) {
                return (number, Err(error));
            }
        }
        (entries.len(), Ok(()))
    }
}

/// Fields as journald reads them: what has more than one line is told with its length.
fn datagram(fields: &[(&str, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            bytes.push(b'\n');
            bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            bytes.push(b'=');
        }
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_one_line_stands_behind_its_name_and_one_of_several_behind_its_length() {
        let fields = [("MESSAGE", "a=b".to_owned()), ("SG_ODD", "c\nd".to_owned())];
        let expected = b"MESSAGE=a=b\nSG_ODD\n\x03\0\0\0\0\0\0\0c\nd\n";
        assert_eq!(datagram(&fields), expected);
    }
}
