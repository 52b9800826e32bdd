//! Waiting for the end of a grace, which may be far away.

use std::time::Duration;

use jiff::Timestamp;

use crate::context::Context;
use crate::error::CliError;
use crate::interrupt;
use crate::output::progress;

/// The clock is looked at this often: a machine that was asleep is not to oversleep.
const LOOK: Duration = Duration::from_secs(5);

/// Waits until a moment. Ctrl-C ends that with an error, which leaves everything as it is.
pub(super) fn until(cx: &Context, moment: Timestamp) -> Result<(), CliError> {
    let spinner = progress::spinner(
        cx.printer(),
        format!(
            "the old key lives on until {}",
            moment.strftime("%F %T UTC")
        ),
    );
    interrupt::leave_interrupt();
    let interrupted = cx.block_on(async {
        tokio::select! {
            () = pass(moment) => false,
            _ = tokio::signal::ctrl_c() => true,
        }
    })?;
    spinner.finish_and_clear();
    match interrupted {
        false => Ok(()),
        true => Err(CliError::interrupted()),
    }
}

async fn pass(moment: Timestamp) {
    loop {
        let left = moment.duration_since(Timestamp::now());
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => tokio::time::sleep(left.min(LOOK)).await,
            _ => return,
        }
    }
}
