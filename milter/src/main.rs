//! The command `mailward`: the milter daemon and the tools around it.

mod cli;
mod daemon;

/// Messages are taken apart in one thread and judged in another; this allocator is good at that, and at giving back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
