//! What a guest may use, and the limiter that remembers what it refused.

use std::fmt;
use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Limits of one policy. [`Limits::default`] is what users get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions of one evaluation.
    pub fuel: u64,
    /// Instructions of one validation of settings.
    pub settings_fuel: u64,
    /// Time of one evaluation: a backstop far above what the fuel takes (some
    /// seconds), so that fuel decides, which is the same on every machine.
    pub time: Duration,
    /// Bytes of all linear memories together.
    pub memory: usize,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Core instances; interpreters need many.
    pub instances: usize,
    /// Tables.
    pub tables: usize,
    /// Linear memories.
    pub memories: usize,
    /// Bytes of the guest's stack.
    pub stack: usize,
    /// Questions to `input`.
    pub questions: u32,
    /// Lines of its log that are kept.
    pub log_lines: u32,
    /// Bytes of a component file.
    pub module: usize,
    /// Wall time of a compilation.
    pub compile_time: Duration,
    /// Bytes of address space of the compiling child.
    pub compile_memory: u64,
    /// Findings of one evaluation.
    pub findings: usize,
    /// Bytes of one message, or other text of a finding.
    pub message: usize,
    /// Bytes of one finding's evidence.
    pub evidence: usize,
    /// Bytes of one answer, or of one call to the host.
    pub answer: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            fuel: 10_000_000_000,
            settings_fuel: 1_000_000_000,
            time: Duration::from_secs(120),
            memory: 128 << 20,
            table_elements: 1 << 20,
            instances: 64,
            tables: 64,
            memories: 64,
            stack: 512 << 10,
            questions: 256,
            log_lines: 1000,
            module: 32 << 20,
            compile_time: Duration::from_secs(60),
            compile_memory: 4 << 30,
            findings: 10_000,
            message: 8 << 10,
            evidence: 64 << 10,
            answer: 32 << 20,
        }
    }
}

/// Prints a number of bytes: `128 MiB`, `8 KiB`, `5 bytes`.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => write!(f, "{} MiB", n >> 20),
            n if n >= 1 << 20 => write!(f, "{:.1} MiB", n as f64 / f64::from(1 << 20)),
            n if n >= 1 << 10 && n.is_multiple_of(1 << 10) => write!(f, "{} KiB", n >> 10),
            n => write!(f, "{n} bytes"),
        }
    }
}

/// Prints a number of instructions: `10 G`, `2 M`, `999`.
pub(crate) struct Instructions(pub(crate) u64);

impl fmt::Display for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(1_000_000_000, "G"), (1_000_000, "M")] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{} {name}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// What a limiter refused first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("memory limit of {}: asked for {}", Bytes(*limit as u64), Bytes(*asked as u64))]
    Memory { limit: usize, asked: usize },
    #[error("limit of {limit} table elements: asked for {asked}")]
    Table { limit: usize, asked: usize },
    #[error("limit of {limit} questions to `input`")]
    Questions { limit: u32 },
}

impl Refused {
    /// The fault's kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Refused::Memory { .. } => "memory",
            Refused::Table { .. } => "table",
            Refused::Questions { .. } => "questions",
        }
    }
}

/// Counts memory and tables of a store. A denied growth is a trap, and what
/// was asked for is kept, since a guest may catch the trap's error.
pub(crate) struct Limiter {
    limits: Limits,
    memory: usize,
    elements: usize,
    pub(crate) refused: Option<Refused>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Limiter {
        Limiter { limits, memory: 0, elements: 0, refused: None }
    }

    fn refuse(&mut self, refused: Refused) -> wasmtime::Result<bool> {
        let error = wasmtime::Error::new(refused.clone());
        self.refused.get_or_insert(refused);
        Err(error)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let asked = self.memory.saturating_add(desired.saturating_sub(current));
        if asked > self.limits.memory {
            return self.refuse(Refused::Memory { limit: self.limits.memory, asked });
        }
        self.memory = asked;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let asked = self.elements.saturating_add(desired.saturating_sub(current));
        if asked > self.limits.table_elements {
            return self.refuse(Refused::Table { limit: self.limits.table_elements, asked });
        }
        self.elements = asked;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn units_are_readable() {
        assert_eq!(Bytes(128 << 20).to_string(), "128 MiB");
        assert_eq!(Bytes((200 << 20) + 65536).to_string(), "200.1 MiB");
        assert_eq!(Bytes(8 << 10).to_string(), "8 KiB");
        assert_eq!(Bytes(5).to_string(), "5 bytes");
        assert_eq!(Instructions(10_000_000_000).to_string(), "10 G");
        assert_eq!(Instructions(5).to_string(), "5");
    }

    #[test]
    fn memories_count_together_and_the_first_refusal_stays() {
        let limits = Limits { memory: 100, ..Limits::default() };
        let mut limiter = Limiter::new(limits);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(60, 70, None).unwrap());
        assert!(limiter.memory_growing(0, 31, None).is_err());
        assert!(limiter.memory_growing(0, 500, None).is_err());
        assert_eq!(limiter.refused, Some(Refused::Memory { limit: 100, asked: 101 }));
    }

    #[test]
    fn a_growth_above_the_guests_own_maximum_is_its_own_affair() {
        let mut limiter = Limiter::new(Limits::default());
        assert!(!limiter.memory_growing(0, 1 << 40, Some(1 << 16)).unwrap());
        assert_eq!(limiter.refused, None);
    }
}
