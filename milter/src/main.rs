//! The command `mailward`: the milter daemon and the tools around it.

mod cli;
mod compared;
mod daemon;

/// A message costs hundreds of small allocations on one thread, many of them freed on another: what this allocator is for.
/// Only the program has it; the library leaves the choice to its host.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
