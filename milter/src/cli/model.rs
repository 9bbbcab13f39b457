//! `mailward model show|export|import|reset`.

use super::{exit, fail, open_store, prepare};
use mailward_core::{
    config::Config,
    engine::replace_model,
    spam::classifier::{Model, Samples, file},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show what has been learned.
    Show {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Write a copy of the model, to keep or for another host.
    Export {
        /// Where to; an existing file is replaced.
        file: PathBuf,
    },
    /// Put an exported model in the place of the one there is.
    Import {
        /// The exported model.
        file: PathBuf,
    },
    /// Forget everything that was learned.
    Reset {
        /// Do it: nothing brings it back but an export.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let (config, runtime) = match prepare(path.as_deref()) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let done = match arguments.command {
        Command::Show { json } => show(&config, json),
        Command::Export { file } => export(&config, &file),
        Command::Import { file } => match read_all(&file) {
            Ok(model) => runtime.block_on(replace(&config, Some(model))).map(|()| "imported".to_owned()),
            Err(code) => Err(code),
        },
        Command::Reset { yes: true } => runtime.block_on(replace(&config, None)).map(|()| "reset".to_owned()),
        Command::Reset { yes: false } => {
            Err(fail(exit::USAGE, "this forgets all that was learned; say `mailward model reset --yes` to do it"))
        }
    };
    match done {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

fn read(path: &Path) -> Result<Model, ExitCode> {
    file::read(path).map_err(|error| fail(exit::USAGE, error))
}

/// With what it has learned, so that it can learn on.
fn read_all(path: &Path) -> Result<(Model, Samples), ExitCode> {
    file::read_all(path).map_err(|error| fail(exit::USAGE, error))
}

/// The model of the state directory.
fn current(config: &Config) -> Result<(PathBuf, Model), ExitCode> {
    let path = config.state.dir.join(file::FILE);
    if !path.exists() {
        let advice = "teach it with `mailward learn spam PATH` and `mailward learn ham PATH`";
        return Err(fail(exit::NEGATIVE, format!("nothing was learned yet: there is no {}; {advice}", path.display())));
    }
    read(&path).map(|model| (path, model))
}

fn show(config: &Config, json: bool) -> Result<String, ExitCode> {
    let (path, model) = current(config)?;
    let about = model.about;
    let [ham, spam] = about.learned;
    let bytes = std::fs::metadata(&path).map_or(0, |data| data.len());
    let after = config.spam.classifier.bounds.after;
    let judges = config.spam.classifier.enabled && ham.min(spam) >= after;
    let until_then = if config.spam.classifier.bounds.base { "; until then the base model does" } else { "" };
    if json {
        return Ok(serde_json::json!({
            "schema": 1, "file": path.display().to_string(), "bytes": bytes, "id": format!("{:016x}", about.id),
            "generation": about.generation, "ham": ham, "spam": spam, "features": model.known_features(),
            "begun": about.begun, "saved": about.saved, "judges": judges,
        })
        .to_string());
    }
    let time = |seconds| jiff::Timestamp::from_second(seconds).map_or("-".to_owned(), |time| time.to_string());
    let state = match (config.spam.classifier.enabled, judges) {
        (false, _) => "no: [spam] classifier is false".to_owned(),
        (true, true) => "yes".to_owned(),
        (true, false) => {
            format!("not yet: it needs {after} ham and {after} spam ([spam] classifier_after){until_then}")
        }
    };
    Ok(format!(
        "file      {}, {:.1} MiB\nmodel     {:016x}, generation {}\nlearned   {ham} ham, {spam} spam\n\
         features  {}\nbegun     {}\nsaved     {}\njudges    {state}",
        path.display(),
        bytes as f64 / f64::from(1 << 20),
        about.id,
        about.generation,
        model.known_features(),
        time(about.begun),
        time(about.saved),
    ))
}

fn export(config: &Config, to: &Path) -> Result<String, ExitCode> {
    let (path, _) = current(config)?;
    let (model, samples) = read_all(&path)?;
    file::write(to, &model, &samples).map_err(|error| fail(exit::USAGE, format!("cannot export: {error}")))?;
    Ok(format!("exported to {}", to.display()))
}

async fn replace(config: &Config, model: Option<(Model, Samples)>) -> Result<(), ExitCode> {
    let store = open_store(config)?;
    replace_model(&config.state.dir, &store, model).await.map_err(|error| fail(exit::TROUBLE, error))
}
