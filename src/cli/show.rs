//! `daemonproof show`.

use super::args::DrawnArgs;
use super::exit::{Failure, Status};
use super::output::Outputs;
use crate::explore::drawing::{command, drawing, facts};
use crate::explore::schedule::Schedule;
use crate::report::race::Race;
use crate::report::{race_html, race_text, to_json};

pub(super) fn run(args: &DrawnArgs) -> Result<Status, Failure> {
    let schedule = Schedule::read(&args.file).map_err(|error| Failure::Usage(error.to_string()))?;
    let outputs = Outputs::open(&args.output)?;
    let race = Race {
        command: command(&schedule.setup),
        facts: facts(&schedule.setup),
        search: None,
        drawings: vec![drawing(&schedule, Some(&args.file))],
    };
    outputs.write(|look| race_text(&race, args.all, look), || to_json(&schedule), || race_html(&race))?;
    Ok(Status::Holds)
}
