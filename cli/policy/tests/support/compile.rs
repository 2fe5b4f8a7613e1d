//! The compiling child, as the command line starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Behind the program: the command's own name.
    gitops_policy::compile_child_main(std::env::args_os().skip(2))
}
