//! Builds the programs, or keeps a cluster up, for `make demo` and `make bench`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gitops_test_cluster::{Cluster, Options, assets};

/// A real API server, as plain processes
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build what is missing and print where the programs are
    Assets,
    /// Start a cluster, print the path of its kubeconfig, and keep it up until stdin closes
    Up {
        /// Write the kubeconfig to this file instead of a temporary one
        #[arg(long)]
        kubeconfig: Option<PathBuf>,
        /// Log every request to `audit.log` beside the cluster's files
        #[arg(long)]
        audit: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(cause) = error.source() {
                eprintln!("caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<(), Box<dyn Error>> {
    let assets = assets::find_or_build()?;
    match verb {
        Verb::Assets => {
            for program in [&assets.etcd, &assets.kube_apiserver, &assets.kubectl] {
                println!("{}", program.display());
            }
        }
        Verb::Up { kubeconfig, audit } => {
            let cluster = Cluster::start(&assets, &Options { audit, ..Options::default() })?;
            let path = match &kubeconfig {
                Some(path) => {
                    std::fs::copy(cluster.kubeconfig(), path)?;
                    path.clone()
                }
                None => cluster.kubeconfig(),
            };
            println!("{}", path.display());
            io::copy(&mut io::stdin().lock(), &mut io::sink())?;
            if let Some(path) = kubeconfig {
                std::fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}
