//! The notation as text.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};

use super::{Case, End, Field, Packet, Protocol, Setup, Step, Value};

impl FromStr for Case {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let mut parts = line.rsplitn(3, ": ");
        let (Some(steps), Some(setup), Some(name)) = (parts.next(), parts.next(), parts.next())
        else {
            bail!("`{line}` is not NAME: SETUP: STEPS");
        };
        Ok(Self {
            name: name.to_owned(),
            setup: setup.parse().with_context(|| format!("in `{line}`"))?,
            steps: steps_of(steps).with_context(|| format!("in `{line}`"))?,
        })
    }
}

/// Reads steps. Blanks part them, but not inside of brackets.
fn steps_of(text: &str) -> Result<Vec<Step>> {
    let mut depth = 0;
    let words = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0 && c.is_whitespace()
    });
    words
        .filter(|word| !word.is_empty())
        .map(str::parse)
        .collect()
}

impl FromStr for Setup {
    type Err = Error;

    /// `tcp v6 strict tight any-reset closed`; what is not said is the default.
    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        let protocol = words.next().context("no protocol")?.parse()?;
        let mut setup = Self::new(protocol, false);
        for word in words {
            match word {
                "v4" => setup.v6 = false,
                "v6" => setup.v6 = true,
                "strict" => setup.strict = true,
                "tight" => setup.tight = true,
                "any-reset" => setup.any_reset = true,
                "closed" => setup.closed = true,
                _ => bail!("`{word}` is none of v4, v6, strict, tight, any-reset, closed"),
            }
        }
        Ok(setup)
    }
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "tcp" => Self::Tcp,
            "udp" => Self::Udp,
            "udplite" => Self::UdpLite,
            "icmp" => Self::Icmp,
            "sctp" => Self::Sctp,
            "gre" => Self::Gre,
            number => Self::Other(number.parse().context("no protocol's name or number")?),
        })
    }
}

impl FromStr for Step {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| text.parse().with_context(|| format!("`{text}`: no number"));
        let (from, rest) = match (text.get(..1), text.get(1..).unwrap_or_default()) {
            (Some("+"), seconds) => return Ok(Self::Age(number(seconds)?)),
            (Some("~"), milliseconds) => return Ok(Self::Wait(number(milliseconds)?)),
            (Some(">"), rest) => (End::Vm, rest),
            (Some("<"), rest) => (End::Peer, rest),
            _ => bail!("`{text}` begins with none of > < + ~"),
        };
        let (word, fields) = rest.split_once('(').unwrap_or((rest, ")"));
        let fields = fields.strip_suffix(')');
        let fields = fields.with_context(|| format!("`{text}`: a bracket is not closed"))?;
        Ok(Self::Packet(Packet {
            from,
            word: word.to_owned(),
            fields: fields
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_>>()?,
        }))
    }
}

impl FromStr for Field {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let at = text.find(['=', '+', '-']).unwrap_or(text.len());
        let (name, value) = text.split_at(at);
        ensure!(!name.is_empty(), "`{text}`: no field");
        let number = |text: &str| -> Result<i64> {
            text.parse().with_context(|| format!("`{text}`: no number"))
        };
        let value = match value.get(..1) {
            None => Value::On,
            Some("=") => Value::Is(number(&value[1..])?),
            Some(_) => Value::Off(number(value)?),
        };
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}:", self.name, self.setup)?;
        self.steps.iter().try_for_each(|step| write!(f, " {step}"))
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.v6 { "v6" } else { "v4" };
        write!(f, "{} {family}", self.protocol)?;
        for (is, word) in [
            (self.strict, " strict"),
            (self.tight, " tight"),
            (self.any_reset, " any-reset"),
            (self.closed, " closed"),
        ] {
            f.write_str(if is { word } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::UdpLite => f.write_str("udplite"),
            Self::Icmp => f.write_str("icmp"),
            Self::Sctp => f.write_str("sctp"),
            Self::Gre => f.write_str("gre"),
            Self::Other(number) => write!(f, "{number}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet(packet) => write!(f, "{packet}"),
            Self::Age(seconds) => write!(f, "+{seconds}"),
            Self::Wait(milliseconds) => write!(f, "~{milliseconds}"),
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match self.from {
            End::Vm => '>',
            End::Peer => '<',
        };
        write!(f, "{from}{}", self.word)?;
        let fields: Vec<_> = self.fields.iter().map(Field::to_string).collect();
        match fields.as_slice() {
            [] => Ok(()),
            fields => write!(f, "({})", fields.join(" ")),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.value {
            Value::Is(value) => write!(f, "{name}={value}"),
            Value::Off(by) => write!(f, "{name}{by:+}"),
            Value::On => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Case;

    #[test]
    fn what_is_written_is_read_back() {
        for line in [
            "1.8 handshake: tcp v4: >S <SA >A",
            "odd: sctp v6 strict tight any-reset closed: >INIT(tag=17) +20 ~2100 <e3/1(cut=20 router seq-7 ack+9)",
        ] {
            let case: Case = line.parse().unwrap();
            assert_eq!(case.to_string(), line);
        }
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for line in [
            "tcp: >S",
            "a: tcp: S",
            "a: tcp: >S(seq=",
            "a: tpc: >S",
            "a: tcp: +x",
        ] {
            assert!(line.parse::<Case>().is_err(), "{line}");
        }
    }
}
