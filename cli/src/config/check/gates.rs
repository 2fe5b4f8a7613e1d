//! The gates of an environment.

use super::super::{Gate, Merge, file};
use super::Checker;
use super::{Item, Key};

/// Gates that look at a request, which a direct push does not have.
const REQUEST_GATES: [&str; 2] = ["approvals", "status"];

impl Checker<'_> {
    pub(super) fn gates(&mut self, written: &file::Environment, index: usize) -> Vec<Gate> {
        let mut gates = Vec::new();
        for (item, gate) in written.gates.iter().enumerate() {
            let at = [Key("environments"), Item(index), Key("gates"), Item(item)];
            if gate.len() != 1 {
                self.problem(&at, "a gate is a mapping with one key", None);
            }
            for kind in gate.keys() {
                if written.merge == Merge::Direct && REQUEST_GATES.contains(&kind.as_str()) {
                    let message = format!(
                        "gate `{kind}` looks at a request, but `merge: direct` of `{}` opens none",
                        written.name
                    );
                    let hint = "write `merge: manual` or `merge: auto`".to_owned();
                    self.problem(&at, message, Some(hint));
                }
                gates.push(Gate { kind: kind.clone(), place: self.place(&at) });
            }
        }
        gates
    }
}
