//! A process that never outlives the one that started it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// Runs its arguments (after the folder) until they end or stdin does; in the
/// second case the folder goes too. Stdin is the read end of a pipe that only
/// the starting process can write to, so the kernel closes it whichever way
/// that process ends.
const SCRIPT: &str = r#"
folder=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
(
    cat <&3 >/dev/null
    kill -KILL "$child" 2>/dev/null
) &
watcher=$!
wait "$child"
status=$?
if [ "$status" = 137 ]; then
    wait "$watcher"
    rm -rf "$folder"
else
    kill "$watcher" 2>/dev/null
fi
exit "$status"
"#;

/// A running program and the shell that watches over it.
#[derive(Debug)]
pub struct Supervised {
    shell: Child,
}

impl Supervised {
    /// Starts `program` with its output in `log`. When this process ends, or
    /// the value is dropped, the program is killed and `folder` removed.
    pub fn start(
        program: &Path,
        arguments: &[String],
        log: &Path,
        folder: &Path,
    ) -> io::Result<Self> {
        let output = File::create(log)?;
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "supervisor"])
            .arg(folder)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A terminal's Ctrl-C goes to the foreground group: it ends the
            // starting process, and the shell still has to clean up after it.
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    /// The status, when the program ended by itself.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.shell.try_wait()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Closes our end of the pipe, and waits for the kill to be done.
        let _ = self.shell.wait();
    }
}
