//! What waits in Postfix's queue.

use std::process::Command;

use serde_json::Value;

use super::Postfix;
use crate::process::{program, run};

/// A message in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// `incoming`, `active`, `deferred` or `hold`.
    pub queue: String,
    /// The queue id.
    pub id: String,
    /// The envelope sender.
    pub from: String,
    /// The recipients that still wait.
    pub to: Vec<String>,
}

impl Postfix {
    /// Everything in the queue.
    pub fn queue(&self) -> Vec<Queued> {
        let listing = run(self.tool("postqueue").arg("-j"));
        String::from_utf8_lossy(&listing).lines().map(parse).collect()
    }

    /// What is on hold: Postfix's quarantine.
    pub fn held(&self) -> Vec<Queued> {
        self.queue().into_iter().filter(|message| message.queue == "hold").collect()
    }

    /// Tries all waiting mail now.
    pub fn flush(&self) {
        run(self.tool("postqueue").arg("-f"));
    }

    /// Lets a message go that is on hold.
    pub fn release(&self, id: &str) {
        run(self.tool("postsuper").args(["-H", id]));
    }

    /// Deletes a message.
    pub fn delete(&self, id: &str) {
        run(self.tool("postsuper").args(["-d", id]));
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(program(name, "postfix"));
        command.arg("-c").arg(self.configuration());
        command
    }
}

fn parse(line: &str) -> Queued {
    let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("postqueue -j: {error}: {line}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let recipients = entry["recipients"].as_array().into_iter().flatten();
    Queued {
        queue: text(&entry["queue_name"]),
        id: text(&entry["queue_id"]),
        from: text(&entry["sender"]),
        to: recipients.map(|recipient| text(&recipient["address"])).collect(),
    }
}
