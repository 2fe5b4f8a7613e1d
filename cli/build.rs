//! How the program is linked.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}"));
    if target("OS").as_deref() != Ok("linux") || target("ENV").as_deref() != Ok("gnu") {
        return Ok(());
    }
    // Else the loader mends 39,000 addresses on 170 pages at each start, which
    // is a third of what a small render takes.
    println!("cargo:rustc-link-arg-bins=-no-pie");
    if env::var("PROFILE").as_deref() != Ok("release") || has_own_linker() {
        return Ok(());
    }
    // What a small render runs stands together, so that fewer pages are asked
    // for: a fifth of all page faults, a quarter of the time. LLD, which Rust
    // brings along, and GNU ld know `INSERT`.
    if target("ARCH").as_deref() == Ok("x86_64") {
        println!("cargo:rerun-if-changed=link/order.ld");
        let script = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("link/order.ld");
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    }
    // One library less to load at each start.
    if env::var("HOST")? == env::var("TARGET")?
        && let Some(unwinder) = static_unwinder()
    {
        let out = env::var("OUT_DIR")?;
        fs::write(Path::new(&out).join("libgcc_s.so"), format!("INPUT({unwinder})\n"))?;
        println!("cargo:rustc-link-search=native={out}");
    }
    Ok(())
}

/// Whether somebody chose how to link.
fn has_own_linker() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    env::var_os("RUSTC_LINKER").is_some() || flags.contains("link")
}

/// gcc's unwinder as an archive, where the compiler has it.
fn static_unwinder() -> Option<String> {
    let found = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = String::from_utf8(found.stdout).ok()?.trim().to_owned();
    (Path::new(&path).is_absolute() && Path::new(&path).exists()).then_some(path)
}
