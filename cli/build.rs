//! How the program is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}"));
    if target("OS").as_deref() == Ok("linux") && target("ENV").as_deref() == Ok("gnu") {
        // Else the loader mends 39,000 addresses on 170 pages at each start, which
        // is a third of what a small render takes.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
