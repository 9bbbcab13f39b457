//! The server half of the Dovecot authentication protocol, as far as Postfix uses it for AUTH PLAIN: it lets tests log
//! in without an IMAP server (`smtpd_sasl_type = dovecot`).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use crate::base64;
use crate::scratch::set_mode;

/// Accepts exactly one user and password on a unix socket, for as long as the test process lives.
pub fn serve(socket: &Path, user: &str, password: &str) {
    let listener = UnixListener::bind(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    set_mode(socket, 0o666);
    let (user, secret) = (user.to_owned(), base64::encode(format!("\0{user}\0{password}").as_bytes()));
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let (user, secret) = (user.clone(), secret.clone());
            thread::spawn(move || converse(connection, &user, &secret));
        }
    });
}

fn converse(mut connection: UnixStream, user: &str, secret: &str) -> Option<()> {
    let lines = BufReader::new(connection.try_clone().ok()?).lines().map_while(Result::ok);
    connection.write_all(b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n").ok()?;
    for line in lines {
        // AUTH, number, mechanism, attributes…, resp=BASE64
        let fields: Vec<_> = line.split('\t').collect();
        if let ["AUTH", number, "PLAIN", attributes @ ..] = fields.as_slice() {
            let right = attributes.last().and_then(|last| last.strip_prefix("resp=")) == Some(secret);
            let answer = if right { format!("OK\t{number}\tuser={user}\n") } else { format!("FAIL\t{number}\n") };
            connection.write_all(answer.as_bytes()).ok()?;
        }
    }
    Some(())
}
