//! A sample as families of metrics.
//!
//! A counter of a port that is zero is left out: of some seventy reasons a port meets a few.

use std::fmt::Error;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use super::Sample;
use crate::view::{AssuredView, Count, Counts, PortSample, PortState, TableView};

/// A family: its name, what it means, its unit, and its values out of what is sampled.
type Described<T> = (
    &'static str,
    &'static str,
    Option<&'static Unit>,
    fn(&T) -> u64,
);

/// How many labels there are, and what they say.
type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

impl Collector for Sample {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.encode_daemon(&mut encoder)?;
        self.encode_tables(&mut encoder)?;
        self.encode_ports(&mut encoder)?;
        self.encode_programs(&mut encoder)
    }
}

impl Sample {
    fn encode_daemon(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let status = &self.status;
        let labels = [
            ("version", status.version.as_str()),
            ("attach", status.attach.as_str()),
        ];
        family(
            encoder,
            "build_info",
            "The version of sgd, and how it attaches",
            None,
            Gauge,
            |metrics| metrics.add(labels, 1),
        )?;
        family(
            encoder,
            "ports",
            "Ports by what their filters do",
            None,
            Gauge,
            |metrics| {
                PortState::ALL.into_iter().try_for_each(|state| {
                    metrics.add([("state", state.as_str())], status.ports.of(state) as u64)
                })
            },
        )?;
        let inventory = &status.inventory;
        let is_behind = inventory.last_error.is_some() || inventory.apply_error.is_some();
        let numbers = [
            (
                "desired_revision",
                "Changes of what is to be enforced that were taken",
                inventory.revision,
            ),
            (
                "desired_behind",
                "1 if the newest of what is to be enforced is not in force",
                is_behind.into(),
            ),
            (
                "objects_left_out",
                "Objects of what is to be enforced that cannot be understood",
                status.faults.len() as u64,
            ),
            (
                "interface_troubles",
                "What is wrong at interfaces",
                status.interfaces.len() as u64,
            ),
            (
                "node_troubles",
                "What is wrong with the node",
                status.troubles.len() as u64,
            ),
        ];
        for (name, help, value) in numbers {
            family(encoder, name, help, None, Gauge, |metrics| {
                metrics.alone(value)
            })?;
        }
        let counts = [
            (
                "filters_restored",
                "Filters put back that others had taken off",
                status.restored,
            ),
            (
                "places_retaken",
                "First places taken back from programs of others",
                status.retaken,
            ),
            (
                "pins_restored",
                "Times that removed pins were put back",
                status.pinned_again,
            ),
            (
                "connections_adopted",
                "Connections taken over from nf_conntrack at the first start",
                status.adopted,
            ),
            (
                "connections_expired",
                "Expired connections that were removed from the tables",
                status.sweep.removed,
            ),
        ];
        for (name, help, value) in counts {
            family(encoder, name, help, None, Counter, |metrics| {
                metrics.alone(value)
            })?;
        }
        let events = &self.events;
        let told = "Packets and ends of connections told one by one, for each who reads";
        family(encoder, "events_told", told, None, Counter, |metrics| {
            metrics.alone(events.told)
        })?;
        let lost = "The same that were not told: more than was asked for, or a reader had no room";
        family(encoder, "events_lost", lost, None, Counter, |metrics| {
            metrics.add([("why", "rate")], events.over_rate)?;
            metrics.add([("why", "reader")], events.unread)
        })?;
        let readers = "Who is told packets and ends of connections";
        family(encoder, "event_readers", readers, None, Gauge, |metrics| {
            metrics.alone(events.readers)
        })?;
        self.encode_logs(encoder)?;
        self.encode_source(encoder)?;
        let age = "Since expired connections were last looked for";
        family(
            encoder,
            "sweep_age",
            age,
            Some(&Unit::Seconds),
            Gauge,
            |metrics| metrics.alone(status.sweep.seconds_ago),
        )?;
        let took = "How long changes took until they were in force";
        let applies = encoder.encode_descriptor(
            "apply",
            took,
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        self.applies.encode(applies)
    }

    fn encode_logs(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let help = "Lines that were written to a log";
        family(encoder, "log_lines", help, None, Counter, |metrics| {
            let mut logs = self.logs.iter();
            logs.try_for_each(|(to, log)| metrics.add([("to", to)], log.written))
        })?;
        let help = "What is missing in a log: more than its rate, more than its thread could take, or not written";
        family(encoder, "log_lost_lines", help, None, Counter, |metrics| {
            let lost = self.logs.iter();
            let mut lost = lost.flat_map(|(to, log)| log.lost.iter().map(move |lost| (to, lost)));
            lost.try_for_each(|(to, (why, count))| {
                metrics.add([("to", to), ("why", why.as_str())], *count)
            })
        })
    }

    fn encode_source(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let source = &self.status.source;
        let labels = [("source", source.kind.as_str())];
        let help = "1 if changes of what is to be enforced are heard as they are made";
        family(encoder, "source_connected", help, None, Gauge, |metrics| {
            metrics.add(labels, source.connected.into())
        })?;
        let help = "The revision that was taken last, as what tells it counts them";
        family(encoder, "source_revision", help, None, Gauge, |metrics| {
            metrics.add(labels, source.revision)
        })?;
        let help = "Since what is in force was last known to be what the store has: while it is followed, since it was heard";
        let seconds = Some(&Unit::Seconds);
        family(encoder, "source_age", help, seconds, Gauge, |metrics| {
            let mut age = source.age.iter();
            age.try_for_each(|age| metrics.add(labels, *age))
        })?;
        let help = "Times that all was read anew from the store, by why it had to be";
        family(encoder, "source_relists", help, None, Counter, |metrics| {
            let mut relists = source.relists.iter();
            relists.try_for_each(|(reason, times)| metrics.add([("reason", reason)], *times))
        })?;
        let help = "Changes of keys that the store has told";
        family(encoder, "source_events", help, None, Counter, |metrics| {
            metrics.add(labels, source.events)
        })?;
        let help = "Keys and values of these changes";
        let bytes = Some(&Unit::Bytes);
        family(
            encoder,
            "source_received",
            help,
            bytes,
            Counter,
            |metrics| metrics.add(labels, source.bytes),
        )
    }

    fn encode_tables(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let tables = &self.status.tables;
        let families: [Described<TableView>; 3] = [
            ("table_entries", "Entries in use", None, |table| table.used),
            (
                "table_capacity_entries",
                "Entries that there is room for",
                None,
                |table| table.capacity,
            ),
            (
                "table_memory",
                "Memory of the table",
                Some(&Unit::Bytes),
                |table| table.bytes,
            ),
        ];
        for (name, help, unit, value) in families {
            family(encoder, name, help, unit, Gauge, |metrics| {
                let mut tables = tables.iter();
                tables.try_for_each(|table| {
                    metrics.add([("table", table.name.as_str())], value(table))
                })
            })?;
        }
        let help = "Memory of all maps, with those that are no tables";
        family(
            encoder,
            "memory",
            help,
            Some(&Unit::Bytes),
            Gauge,
            |metrics| metrics.alone(self.status.memory),
        )
    }

    fn encode_ports(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let ports = &self.ports;
        family(
            encoder,
            "port_state",
            "What the filter of a port does, as a label",
            None,
            Gauge,
            |metrics| {
                ports.iter().try_for_each(|port| {
                    let [id, interface] = port.labels();
                    let (name, state) = (port.counted.name.as_str(), port.state.as_str());
                    metrics.add([id, interface, ("name", name), ("state", state)], 1)
                })
            },
        )?;
        let families: [Described<Count>; 2] = [
            (
                "port_packets",
                "Packets by what became of them",
                None,
                |count| count.packets,
            ),
            (
                "port",
                "Bytes with Ethernet headers, by what became of them",
                Some(&Unit::Bytes),
                |count| count.bytes,
            ),
        ];
        for (name, help, unit, value) in families {
            family(encoder, name, help, unit, Counter, |metrics| {
                ports
                    .iter()
                    .try_for_each(|port| port.encode_counts(metrics, value))
            })?;
        }
        let families: [Described<AssuredView>; 2] = [
            (
                "port_connections",
                "Established connections of a port",
                None,
                |held| u64::from(held.assured),
            ),
            (
                "port_connections_limit",
                "Established connections that a port may have",
                None,
                |held| u64::from(held.quota.unwrap_or(u32::MAX)),
            ),
        ];
        for (name, help, unit, value) in families {
            family(encoder, name, help, unit, Gauge, |metrics| {
                let mut tracking = ports
                    .iter()
                    .filter_map(|port| Some((port, port.connections?)));
                tracking.try_for_each(|(port, of)| metrics.add(port.labels(), value(&of)))
            })?;
        }
        Ok(())
    }

    fn encode_programs(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let help = "Runs of a program, if the kernel counts them (kernel.bpf_stats_enabled)";
        family(encoder, "program_runs", help, None, Counter, |metrics| {
            let mut programs = self.programs.iter();
            programs.try_for_each(|one| metrics.add([("program", one.name.as_str())], one.runs))
        })?;
        let help = "Time that a program has run, if the kernel counts it";
        let mut metrics = encoder.encode_descriptor(
            "program_run",
            help,
            Some(&Unit::Seconds),
            MetricType::Counter,
        )?;
        self.programs.iter().try_for_each(|one| {
            let labels = [("program", one.name.as_str())];
            let seconds = ConstCounter::new(one.time.as_secs_f64());
            seconds.encode(metrics.encode_family(&labels)?)
        })
    }
}

impl PortSample {
    fn labels(&self) -> Labels<'_, 2> {
        [
            ("port", self.counted.port.as_str()),
            ("interface", self.counted.interface.as_str()),
        ]
    }

    fn encode_counts(
        &self,
        metrics: &mut Metrics<'_, '_>,
        value: fn(&Count) -> u64,
    ) -> Result<(), Error> {
        let counters = &self.counted.counters;
        for (direction, counts) in [("egress", &counters.egress), ("ingress", &counters.ingress)] {
            for (reason, count) in counts.iter().filter(|(_, count)| count.packets > 0) {
                let [port, interface] = self.labels();
                let labels = [
                    port,
                    interface,
                    ("direction", direction),
                    ("verdict", Counts::of(reason).as_str()),
                    ("reason", reason),
                ];
                metrics.add(labels, value(count))?;
            }
        }
        Ok(())
    }
}

/// What the values of a family are.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}
use Kind::{Counter, Gauge};

/// A family that values are added to.
struct Metrics<'a, 'e> {
    encoder: &'a mut MetricEncoder<'e>,
    kind: Kind,
}

impl Metrics<'_, '_> {
    fn add<const N: usize>(&mut self, labels: Labels<'_, N>, value: u64) -> Result<(), Error> {
        let family = self.encoder.encode_family(&labels)?;
        match self.kind {
            Counter => ConstCounter::new(value).encode(family),
            Gauge => ConstGauge::new(value).encode(family),
        }
    }
}

impl Metrics<'_, '_> {
    /// The only one of its family.
    fn alone(&mut self, value: u64) -> Result<(), Error> {
        match self.kind {
            Counter => self
                .encoder
                .encode_counter::<NoLabelSet, _, u64>(&value, None),
            Gauge => self.encoder.encode_gauge(&value),
        }
    }
}

fn family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    kind: Kind,
    add: impl FnOnce(&mut Metrics<'_, '_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let metric_type = match kind {
        Counter => MetricType::Counter,
        Gauge => MetricType::Gauge,
    };
    let mut encoder = encoder.encode_descriptor(name, help, unit, metric_type)?;
    add(&mut Metrics {
        encoder: &mut encoder,
        kind,
    })
}
