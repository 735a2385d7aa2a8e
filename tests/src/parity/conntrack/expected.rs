//! What nf_conntrack made of a case, in a few words: `NEE, ESTABLISHED 432000 replied assured`.
//!
//! A letter for each packet (New, Established, Related, Invalid, Untracked; small if it was dropped; `-`
//! if no rule was asked, `x` if it was dropped then), and at last what is remembered of each connection.

use anyhow::{Context, Result, bail};

use super::notation::{Case, Step};
use super::outcome::{Entry, Label, Outcome, entries_agree};

/// What became of the packets of a case, and what was remembered at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    packets: Vec<(Option<Label>, bool)>,
    entries: Vec<Option<Entry>>,
}

impl Expected {
    /// What became of a case.
    #[must_use]
    pub fn of(case: &Case, outcomes: &[Outcome]) -> Self {
        let steps = case.steps.iter().zip(outcomes);
        let packets = steps.filter(|(step, _)| matches!(step, Step::Packet(_)));
        Self {
            packets: packets
                .map(|(_, outcome)| (outcome.label, outcome.passes))
                .collect(),
            entries: outcomes
                .last()
                .map(|outcome| outcome.entries.clone())
                .unwrap_or_default(),
        }
    }

    /// Whether both say the same, as far as both say something.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        self.packets.len() == other.packets.len()
            && self
                .packets
                .iter()
                .zip(&other.packets)
                .all(|((label, passes), (other, also))| {
                    passes == also && (label == other || label.is_none() || other.is_none())
                })
            && entries_agree(&self.entries, &other.entries)
    }

    /// In words that [`Expected::read`] understands.
    #[must_use]
    pub fn show(&self, case: &Case) -> String {
        let letters: String = self.packets.iter().map(|packet| letter(*packet)).collect();
        let entries = self.entries.iter().map(|entry| match entry {
            Some(entry) => entry.show(case.setup.protocol),
            None => "-".to_owned(),
        });
        [letters]
            .into_iter()
            .chain(entries)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Reads what [`Expected::show`] has written.
    ///
    /// # Errors
    /// If it has not.
    pub fn read(text: &str, case: &Case) -> Result<Self> {
        let mut parts = text.split(", ").map(str::trim);
        let letters = parts.next().unwrap_or_default().chars();
        let entries = parts.map(|entry| match entry {
            "-" => Ok(None),
            entry => Entry::read(entry, case.setup.protocol).map(Some),
        });
        Ok(Self {
            packets: letters
                .map(packet)
                .collect::<Result<_>>()
                .context("no label")?,
            entries: entries.collect::<Result<_>>()?,
        })
    }
}

fn letter(packet: (Option<Label>, bool)) -> char {
    match packet {
        (None, true) => '-',
        (None, false) => 'x',
        (Some(label), passes) => {
            let letter = label.as_str().chars().next().unwrap_or('?');
            if passes {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        }
    }
}

fn packet(letter: char) -> Result<(Option<Label>, bool)> {
    let labels = Label::ALL.map(Some).into_iter().chain([None]);
    let all = labels.flat_map(|label| [(label, true), (label, false)]);
    let mut fitting = all.filter(|packet| self::letter(*packet) == letter);
    match fitting.next() {
        Some(packet) => Ok(packet),
        None => bail!("`{letter}` stands for nothing that becomes of a packet"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, Expected};

    #[test]
    fn what_is_written_is_read_back() {
        let case: Case = "a: sctp: >INIT".parse().unwrap();
        for text in [
            "NnEi-xRU",
            "E, COOKIE_WAIT 3 by_peer, -",
            "N, ESTABLISHED 210 replied assured",
        ] {
            assert_eq!(Expected::read(text, &case).unwrap().show(&case), text);
        }
    }
}
