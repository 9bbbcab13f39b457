//! The command `mailward`: the milter daemon and the tools around it.

mod cli;
mod daemon;

fn main() -> std::process::ExitCode {
    cli::run()
}
