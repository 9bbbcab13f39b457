//! Lists what is found inside files: `cargo run -p mailward-unpack --example files_inside -- FILE…`.

use mailward_unpack::{Bounds, Found, candidates, unpack};

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let content = std::fs::read(&path)?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let files = std::iter::once((name, content.as_slice()));
        unpack(files, &|| candidates(""), &Bounds::default(), &mut |_, found| match found {
            Found::File(file) => println!("{}\t{}\t{} bytes", file.path, file.kind.word(), file.content.len()),
            Found::Sign { path, sign, detail } => println!("{path}\t{sign:?}\t{detail}"),
            Found::Cut { path, bound } => println!("{path}\tcut: {}", bound.word()),
        });
    }
    Ok(())
}
