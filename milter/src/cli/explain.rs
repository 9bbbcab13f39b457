//! `mailward explain REF`.

use super::{exit, fail, open_store, prepare};
use mailward_core::{
    explain::{Explanation, with_run},
    store::HistoryRow,
    verdict::Reference,
};
use std::{path::PathBuf, process::ExitCode};

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  mailward explain k7q2m5x4dt     for the reply \"550 5.7.1 Message refused [ref k7q2m5x4dt]\""
)]
pub(super) struct Arguments {
    /// The reference: ten characters, as in the reply or the log line.
    reference: Option<Reference>,
    /// Without a reference: how many of the latest decisions to list.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20)]
    last: u32,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let (config, runtime) = match prepare(path.as_deref()) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let store = match open_store(&config) {
        Ok(store) => store,
        Err(code) => return code,
    };
    let Some(reference) = arguments.reference else {
        return match runtime.block_on(store.recent(arguments.last)) {
            Ok(rows) => {
                for row in rows {
                    println!("{}", if arguments.json { json(&row) } else { line(&row) });
                }
                ExitCode::SUCCESS
            }
            Err(error) => fail(exit::TROUBLE, error),
        };
    };
    match runtime.block_on(store.find(reference.as_str())) {
        Ok(Some(row)) => {
            print(&row, arguments.json);
            ExitCode::SUCCESS
        }
        Ok(None) => fail(
            exit::NEGATIVE,
            format!(
                "no decision {reference} in {}: history is kept {} days, and this is the host that wrote the reply?",
                config.state.dir.display(),
                config.state.history_days
            ),
        ),
        Err(error) => fail(exit::TROUBLE, error),
    }
}

fn print(row: &HistoryRow, as_json: bool) {
    if as_json {
        println!("{}", json(row));
        return;
    }
    println!("{}  ref {}  queue id {}\n", timestamp(row.time), row.reference, or_dash(&row.queue_id));
    match serde_json::from_str::<Explanation>(&row.explanation) {
        Ok(explanation) => println!("{explanation}"),
        Err(_) => println!("{}", row.explanation),
    }
}

fn json(row: &HistoryRow) -> String {
    let run = serde_json::json!({ "ref": row.reference, "time": row.time, "queue_id": row.queue_id });
    with_run(&row.explanation, &run)
}

fn line(row: &HistoryRow) -> String {
    let recipients = row.recipients.join(",");
    format!(
        "{} {} {:<8} {:>7} {} <{}> <{recipients}>",
        timestamp(row.time),
        row.reference,
        row.verdict,
        row.points,
        or_dash(&row.client_ip),
        row.sender
    )
}

fn timestamp(time: i64) -> String {
    jiff::Timestamp::from_second(time).map(|t| t.to_string()).unwrap_or_else(|_| time.to_string())
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
