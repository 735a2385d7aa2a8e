//! Answers that are kept for a moment: a hundred who ask at once cost one reading.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::error::Result;

/// Whoever asks again so soon is given the same.
const FRESH: Duration = Duration::from_secs(1);

/// What was read last, and when.
#[derive(Clone, Default)]
pub struct Fresh(Arc<Mutex<Option<(Instant, String)>>>);

impl Fresh {
    /// What was read a moment ago, or what is read now. Who comes meanwhile waits for the same.
    pub async fn or(&self, read: impl Future<Output = Result<String>>) -> Result<String> {
        let mut last = self.0.lock().await;
        if let Some((at, text)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        let text = read.await?;
        *last = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}
