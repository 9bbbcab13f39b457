//! Gives the shared library its name at run time, `libmailward.so.N` with the number of the interface, and puts a link of
//! that name where programs of the build tree look for it.

use std::{env, fs, io, os::unix::fs::symlink, path::Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let header = "include/mailward.h";
    println!("cargo:rerun-if-changed={header}");
    let text = fs::read_to_string(header)?;
    let number = text.lines().find_map(|line| line.strip_prefix("#define MW_ABI_VERSION "));
    let name = format!("libmailward.so.{}", number.ok_or("mailward.h has no MW_ABI_VERSION")?.trim());
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{name}");
    // The folder of the profile lies three above `build/NAME-HASH/out`.
    let out = env::var("OUT_DIR")?;
    let profile = Path::new(&out).ancestors().nth(3).ok_or("OUT_DIR is too short")?;
    for folder in [profile.to_owned(), profile.join("deps")] {
        match symlink("libmailward.so", folder.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
