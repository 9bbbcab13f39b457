//! The surroundings of an instance: its own host name, its own `/dev` with a `log` that is ours, its own `/etc` with the
//! names of clients and the passwords of users.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use super::{Builder, unpacked};
use crate::postfix::HOST;
use crate::process::program;
use crate::scratch::{give_to, make_dir, set_mode, write};

/// `$1` is the folder of the instance; the program and its arguments follow. Sendmail waits a minute at its start where
/// the host's name has no dot.
const SCRIPT: &str = "
folder=$1
shift
hostname HOST
mount -t tmpfs -o mode=755 mailward-tests \"$folder/dev\"
for device in null zero random urandom; do
    : >\"$folder/dev/$device\"
    mount --bind /dev/$device \"$folder/dev/$device\"
done
ln -s \"$folder/syslog\" \"$folder/dev/log\"
mount --move \"$folder/dev\" /dev
mount --bind \"$folder/etc\" /etc
exec \"$@\"
";

/// Makes the folders, and serves as syslog from now on, for as long as the test process lives.
pub(super) fn lay_out(folder: &Path, builder: &Builder) {
    make_dir(&folder.join("dev"), 0o755);
    let queue = folder.join("client-queue");
    make_dir(&queue, 0o770);
    give_to(&queue, "mail", Some("mail"));
    write(&folder.join("client-statistics"), "");
    give_to(&folder.join("client-statistics"), "mail", Some("mail"));
    write_etc(&folder.join("etc"), builder);
    serve_syslog(folder);
}

/// Sendmail in these surroundings, without arguments so far.
pub(super) fn command(folder: &Path) -> Command {
    let mut command = Command::new(program("unshare", "util-linux"));
    command.args(["--mount", "--uts", "sh", "-ec", &SCRIPT.replace("HOST", HOST), "sh"]).arg(folder);
    command.arg(unpacked("usr/libexec/sendmail/sendmail"));
    command
}

fn write_etc(etc: &Path, builder: &Builder) {
    make_dir(etc, 0o755);
    for name in ["passwd", "group", "services", "protocols", "ld.so.cache"] {
        let _ = fs::copy(Path::new("/etc").join(name), etc.join(name)); // a bare system has not all of them
    }
    write(&etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n");
    write(&etc.join("resolv.conf"), "");
    let names: String = builder.names.iter().map(|(address, name)| format!("{address} {name}\n")).collect();
    write(&etc.join("hosts"), format!("127.0.0.1 localhost\n::1 localhost\n{names}"));
    make_dir(&etc.join("sasl2"), 0o755);
    write(&etc.join("sasl2/Sendmail.conf"), "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n");
    if let Some((user, password)) = &builder.user {
        add_user(&etc.join("sasldb2"), user, password);
    }
}

fn add_user(database: &Path, user: &str, password: &str) {
    let mut child = Command::new(program("saslpasswd2", "sasl2-bin"))
        .args(["-p", "-c", "-u", HOST, "-f"])
        .arg(database)
        .arg(user)
        .stdin(Stdio::piped())
        .spawn()
        .expect("saslpasswd2 starts");
    child.stdin.take().expect("it is piped").write_all(password.as_bytes()).expect("saslpasswd2 reads the password");
    assert!(child.wait().expect("it can be waited for").success(), "saslpasswd2 adds {user}");
    set_mode(database, 0o600);
}

fn serve_syslog(folder: &Path) {
    let socket = folder.join("syslog");
    let syslog = UnixDatagram::bind(&socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    set_mode(&socket, 0o666);
    let mut log = fs::File::options().create(true).append(true).open(folder.join("maillog")).expect("a log");
    thread::spawn(move || {
        let mut line = vec![0; 65_536];
        while let Ok(length) = syslog.recv(&mut line) {
            let text = line[..length].strip_suffix(b"\0").unwrap_or(&line[..length]);
            let _ = log.write_all(&[text, b"\n"].concat());
        }
    });
}
