//! Components under test: built from the crates in `policies/`, or made of
//! text.

use std::path::Path;
use std::sync::OnceLock;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

const WIT: &str = include_str!("../../../../wit/policy.wit");

/// The starter policy.
pub(crate) fn no_floating_tag() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| built("no-floating-tag"))
}

/// The guest that attacks as its settings say.
pub(crate) fn hostile() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| built("hostile"))
}

fn built(package: &str) -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = Path::new(env!("CARGO"));
    let folder = gitops_policy_build::build(cargo, &workspace, package).unwrap();
    std::fs::read(folder.join(format!("{package}.wasm"))).unwrap()
}

/// A component of `world` in the contract, after `edit`; every function of it
/// is `unreachable`, and every import is asked for.
pub(crate) fn dummy(world: &str, edit: impl Fn(String) -> String) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("policy.wit", &edit(WIT.to_owned())).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wit_component::dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// A component of world `gate` around a core module in text form.
pub(crate) fn core(text: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("policy.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], Some("gate")).unwrap();
    let mut module = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// Core text of a gate that answers what lies at address 0, which is no
/// finding while memory is zero; `more` adds to the module.
pub(crate) fn gate_text(memory: &str, more: &str) -> String {
    format!(
        r#"(module
            (memory (export "memory") {memory})
            {more}
            (func (export "kubectl-gitops:policy/settings@0.1.0#validate")
                (param i32 i32) (result i32) i32.const 32)
            (func (export "kubectl-gitops:policy/promotion-gate@0.1.0#evaluate")
                (param i32) (result i32) i32.const 0)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
        )"#
    )
}

/// A component with one function of `steps` steps, each cheap to write and
/// dear to compile.
pub(crate) fn compile_bomb(steps: usize) -> Vec<u8> {
    let step = "(loop (local.set 0 (i32.mul (local.get 1) (i32.add (local.get 0) (i32.const 7))))
        (local.set 1 (i32.div_u (local.get 0) (local.get 2))) (br_if 0 (local.get 1))
        (local.set 2 (i32.xor (local.get 1) (local.get 0))))";
    let body = step.repeat(steps);
    let text = format!("(component (core module (func (param i32 i32 i32) {body})))");
    wat::parse_str(text).unwrap()
}
