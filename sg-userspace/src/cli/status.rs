//! `sgctl status`

use super::{Context, apply::tally, output, table::table};
use crate::{api::StatusView, error::Result, exit::Exit};

pub async fn run(context: &Context) -> Result<Exit> {
    context.print(&context.client.status().await?, text)?;
    Ok(Exit::Ok)
}

fn text(status: &StatusView) -> String {
    let inventory = &status.inventory;
    let mut text = format!(
        "sgd {}, pins in {}, attached by {}\n{} (revision {})\n{}\n",
        status.version,
        status.bpffs.display(),
        status.attach,
        inventory.path.display(),
        inventory.revision,
        tally(&status.ports)
    );
    if let Some(error) = &inventory.last_error {
        text.push_str(&format!("the newest inventory was not taken: {error}\n"));
    }
    if let Some(error) = &inventory.apply_error {
        text.push_str(&format!(
            "the kernel does not hold the whole inventory: {error}\n"
        ));
    }
    text.push_str(&output::faults(&status.faults));
    let rows = status.tables.iter().map(|fill| {
        let percent = (fill.used * 100)
            .checked_div(fill.capacity)
            .unwrap_or_default();
        let (used, capacity) = (fill.used.to_string(), fill.capacity.to_string());
        [fill.name.clone(), used, capacity, format!("{percent}%")]
    });
    text.push('\n');
    text + &table(["TABLE", "USED", "CAPACITY", "FULL"], rows)
}
