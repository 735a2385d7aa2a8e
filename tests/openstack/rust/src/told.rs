//! One line of JSON for each call.

use anyhow::{Context, Result, ensure};
use openstack::{Error, ErrorKind};
use serde_json::{Value, json};

/// Tells what a call gave, and gives it back.
pub fn gives<T>(call: &str, result: Result<T, Error>, shown: impl Fn(&T) -> Value) -> Result<T> {
    let value = result.with_context(|| call.to_owned())?;
    println!("{}", json!({"call": call, "gives": shown(&value)}));
    Ok(value)
}

/// Tells what a call gave, whose id later lines have under a name.
pub fn saves<T>(
    (name, call): (&str, &str),
    result: Result<T, Error>,
    id: impl Fn(&T) -> &str,
    shown: impl Fn(&T) -> Value,
) -> Result<T> {
    let value = result.with_context(|| call.to_owned())?;
    let save = json!({name: id(&value)});
    println!(
        "{}",
        json!({"call": call, "save": save, "gives": shown(&value)})
    );
    Ok(value)
}

/// Tells how a call was refused.
pub fn refused<T>(call: &str, result: Result<T, Error>, kind: ErrorKind) -> Result<()> {
    let error = result
        .err()
        .with_context(|| format!("{call} is not refused"))?;
    println!("{}", json!({"call": call, "raises": error.to_string()}));
    ensure!(error.kind() == kind, "{call} is refused otherwise: {error}");
    Ok(())
}
